# queues, stats, workers.
. "$(dirname "$0")/lib.sh"

for command in stats "queues list" "workers list"; do
    refuses "$command without a store" 5 "no store at .*q.duckdb" $command
done
q enqueue --quiet -- true >/dev/null
q enqueue --quiet -q mail --delay 1h k >/dev/null
q enqueue --quiet -q mail k >/dev/null
run --json stats
json "stats" 'd == {"queues": {
 "default": {"pending": 1, "claimed": 0, "done": 0, "failed": 0, "delayed": 0, "skipped": 0, "cancelled": 0},
 "mail": {"pending": 1, "claimed": 0, "done": 0, "failed": 0, "delayed": 1, "skipped": 0, "cancelled": 0}}}'
json "in the order of the contract" 'list(d["queues"]["mail"]) ==
 ["pending", "claimed", "done", "failed", "delayed", "skipped", "cancelled"]'
run --json stats mail
json "of one queue" 'list(d["queues"]) == ["mail"]'
refuses "of one that is nearly there" 3 'did you mean "mail"' stats mial
refuses "of one that is not there" 3 'no queue "nope"' stats nope
run stats
like "for people" "$out" "queue +pending +claimed"

run --json queues pause default
json "pause" 'd == [{"name": "default", "paused": True}]'
run --json queues list
json "it shows" '[(r["name"], r["paused"]) for r in d] == [("default", True), ("mail", False)]'
json "the columns of the view" 'list(d[0]) == ["name", "paused", "concurrency", "waiting", "claimed"]'
run stats
like "in the statistics as well" "$out" "default \(paused\)"
mkfifo passed
q enqueue --quiet -q after -- sh -c 'echo passed >passed' >/dev/null
start worker -q default -q after -j 1
is "a worker passes it by" "$(word_from passed)" passed
stop_with TERM "$pid"
run --json stats default
json "nothing of a paused queue has run" 'd["queues"]["default"]["pending"] == 1'
run queues resume default
exits "resume" 0
like "and say so" "$out" "default: resumed"
run worker --drain --quiet
run --json stats default
json "then it runs" 'd["queues"]["default"]["done"] == 1'
refuses "pause without a name" 2 "needs more" queues pause

run --json queues set mail --concurrency 2
json "a limit" 'd == {"name": "mail", "concurrency": 2}'
run --json queues list
json "it shows in the list" '[(r["name"], r["concurrency"]) for r in d] == [("after", None), ("default", None), ("mail", 2)]'
run queues set mail --concurrency none
like "none takes it away" "$out" "mail: as many"
run --json queues list
json "and it is gone" 'all(r["concurrency"] is None for r in d)'
refuses "a limit of nothing" 2 "concurrency" queues set mail --concurrency 0
refuses "nothing to set" 2 "nothing to set" queues set mail
q queues set narrow --concurrency 1 >/dev/null
for i in 1 2 3; do
    q enqueue --quiet -q narrow -- sh -c 'mkdir lock && rmdir lock' >/dev/null
done
run worker --quiet -q narrow -j 3 --drain
exits "with a limit of one no two run at a time" 0

run --json workers list
json "no worker is left" 'd == []'
mkfifo started go
q enqueue --quiet -- sh -c 'echo $$ >>pids; echo started >started; read x <go' >/dev/null
start worker -j 3
is "a worker works" "$(word_from started)" started
run stats
exits "others see the file meanwhile" 0
echo go >go
stop_with TERM "$pid"
exits "and ends when told" 0

# One that was killed: it is not shown for ever.
q enqueue --quiet -- sh -c 'echo $$ >>pids; echo started >started; read x <go' >/dev/null
start worker -j 3
is "another works" "$(word_from started)" started
run --json workers list
json "it is shown" "len(d) == 1 and d[0]['pid'] == $pid and d[0]['slots'] == 3"
stop_with KILL "$pid"
run --json workers list
json "a killed one is not" 'd == []'
run --json sql "SELECT status FROM jobs WHERE status = 'claimed'"
json "nor is its job left claimed" 'd == []'
finish
