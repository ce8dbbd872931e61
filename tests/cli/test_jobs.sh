# jobs and dead: looking, waiting, retrying, cancelling, purging.
. "$(dirname "$0")/lib.sh"

for i in 1 2 3 4 5; do
    q enqueue --quiet --tag "t$((i % 2))" -q "q$((i % 2))" -d "$i" "kind$((i % 2))" >/dev/null
done
run --json jobs list
json "the latest first" '[j["payload"] for j in d] == [5, 4, 3, 2, 1]'
second=$(field 'd[1]["id"]')
run --json jobs list --limit 2
json "a page" '[j["payload"] for j in d] == [5, 4]'
run --json jobs list --limit 2 --before "$second"
json "the next page" '[j["payload"] for j in d] == [3, 2]'
run jobs list --limit 2
like "people are told how to go on" "$err" "--before $second"
for filter in "--queue q1" "-q q1" "--kind kind1" "--tag t1"; do
    run --json jobs list $filter
    json "filter $filter" '[j["payload"] for j in d] == [5, 3, 1]'
done
run --json jobs list --status pending,failed --status done --kind kind0
json "filters together" '[j["payload"] for j in d] == [4, 2]'
run --json jobs list --status done
json "none: an empty array" 'd == []'
exits "none is no error" 0
run --json jobs list --run 01900000-0000-7000-8000-000000000001
json "filter by run" 'd == []'
run jobs list
like "a table for people" "$out" "^id +status +queue .*kind1"
is "with a head and a line each" "$(wc -l <"$DIR/out")" 6

run --json jobs show @1
json "@1 is the latest" 'd["payload"] == 5'
run --json jobs show @5
json "@5 the fifth" 'd["payload"] == 1'
run --json jobs show "${second: -12}"
json "the last digits" "d['id'] == '$second'"
tail=${second: -8}
run --json jobs show "${tail^^}"
json "in capitals" "d['id'] == '$second'"
run --json jobs show "${second^^}"
json "a whole id in capitals" "d['id'] == '$second'"
run jobs show "$second"
like "a page for people" "$out" "$second.*pending"
q enqueue --quiet k --id 01900000-0000-7000-8000-00000abcdef1 >/dev/null
q enqueue --quiet k --id 01900000-0000-7000-8001-00000abcdef1 >/dev/null
refuses "digits that fit two" 2 "several jobs: .*8001-00000abcdef1.*8000-00000abcdef1|8000.*8001" \
    jobs show abcdef1
run --json jobs show 8001-00000abcdef1
json "more of them tell the two apart" "d['id'] == '01900000-0000-7000-8001-00000abcdef1'"
run --json jobs show 01900000000070008000-00000abcdef1
json "up to all of them" "d['id'] == '01900000-0000-7000-8000-00000abcdef1'"
refuses "digits that fit none" 3 "no job" jobs show fedcba987654
refuses "an id that is nobody's" 3 "." jobs show 01900000-0000-7000-8000-000000000099
refuses "an unknown @" 3 "no job @999" jobs show @999
refuses "@0" 2 "@" jobs show @0
refuses "too few digits" 2 "not a job" jobs show abcde
refuses "dashes are not digits" 2 "not a job" jobs show a-b-c-d-e
refuses "too many digits" 2 "not a job" jobs show 0190000000007000800000000abcdef112
refuses "no job at all" 2 "not a job" jobs show hello
refuses "a limit of nothing" 2 "limit" jobs list --limit 0
refuses "a run that is no id" 2 "not an id" jobs list --run x

run --json jobs cancel @1 @2
json "cancel" '[j["status"] for j in d] == ["cancelled"] * 2'
refuses "cancel what is cancelled" 4 "." jobs cancel @1
refuses "an unknown one among others stops all" 3 "no job" jobs cancel @3 fedcba987654
run --json jobs list --status cancelled
json "so that none was touched" 'len(d) == 2'
run --json jobs cancel --kind kind0
json "cancel by filter leaves alone what has ended" 'len(d) == 1'
run --json jobs retry @1
json "retry" 'd[0]["status"] == "pending"'
refuses "retry what waits" 4 "." jobs retry @1
refuses "ids and filters" 2 "at once" jobs cancel @1 --kind k
for command in "jobs cancel" "jobs retry" "jobs purge" "dead retry" "dead purge"; do
    refuses "$command of nothing" 2 "no job is named" $command
done

rm -rf "$QUEUACK_DB"*
q enqueue --quiet --name good -- sh -c 'echo "{\"x\":[1,2]}"' >/dev/null
q enqueue --quiet --name bad1 -- sh -c 'echo no; exit 9' >/dev/null
q enqueue --quiet --name bad2 -q other -- false >/dev/null
run worker -q default -q other --drain --quiet
exits "two fail" 1
run --json dead list
json "dead letters" '[j["name"] for j in d] == ["bad2", "bad1"] and
 all(j["status"] == "failed" for j in d)'
run --json dead list -q other
json "of one queue" '[j["name"] for j in d] == ["bad2"]'
run dead list
like "for people" "$out" "bad2"
run jobs result @3
is "a result" "$out" '{"x":[1,2]}'
refuses "a result of a failed job" 4 "." jobs result @1
run jobs logs @2
is "its output" "$out" no
run jobs logs @3 --attempt 7
exits "an attempt that never was leaves nothing" 0
is "no output" "$out" ""
run jobs show @2
like "a page has the attempts" "$out" "attempts.*9"

run --json jobs wait @3
json "waiting for what has ended" 'd[0]["status"] == "done"'
exits "exit 0 when it is done" 0
run --json jobs wait @3 @2
exits "exit 1 when one failed" 1
json "all are shown" '[j["status"] for j in d] == ["done", "failed"]'
is "and nothing on stderr" "$err" ""
q enqueue --quiet --name later -- true >/dev/null
refuses "a wait that ends" 6 "not all jobs" jobs wait @1 --timeout 100ms
refuses "a wait of nothing" 2 "above 0" jobs wait @1 --timeout 0
start jobs wait @1
run worker --drain --quiet
exits "a worker gets in while somebody waits" 0
wait "$pid"
status=$?
exits "who then learns of it" 0
like "by name" "$(cat "$DIR/bg.out")" "done"
q enqueue --quiet --delay 1h k >/dev/null
start jobs wait @1
waiting() { grep -q 'State:.S' "/proc/$pid/status" && grep -q SigCgt "/proc/$pid/status"; }
until_true waiting
stop_with INT "$pid"
exits "an interrupted wait is 130" 130

run --json dead retry --all
json "retry all dead" 'len(d) == 2'
run --json dead list
json "none is left" 'd == []'
run worker -q default -q other --drain --quiet
run --json jobs show @3
json "the budget starts again, the attempts count on" 'd["name"] == "bad2" and d["attempts"] == 1'
run --json sql "SELECT max(attempt) AS n FROM job_attempts WHERE exit_code = 9"
json "history stays" 'd == [{"n": 2}]'

refuses "purge what waits" 4 "only ended" jobs purge @1
refuses "purge by a status that is not an end" 2 "can be purged" jobs purge --status pending
run --json jobs purge --all --older-than 1h
json "nothing is that old" 'd == {"purged": 0}'
run --json dead purge -q other
json "purge the dead of a queue" 'd == {"purged": 1}'
run --json jobs purge @2
json "purge one" 'd == {"purged": 1}'
run --json jobs purge --status done,failed
json "purge by status" 'd["purged"] >= 1'
run --json jobs list
json "only what waits is left" '[j["status"] for j in d] == ["delayed"]'
finish
