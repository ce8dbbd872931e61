# worker: commands run, what they leave is stored, the order holds, signals end it in two steps.
. "$(dirname "$0")/lib.sh"

run worker --drain
exits "an empty queue is drained at once" 0
like "worker makes a missing store and says so" "$err" "created $QUEUACK_DB"

mkdir sub
q enqueue --quiet --name result -C sub -e GREETING='a b' -- \
    sh -c 'pwd; echo "$GREETING $QUEUACK_ATTEMPT"; echo to-stderr >&2; echo "{\"n\":1}"' >/dev/null
q enqueue --quiet --name words -- printf '%s|' '$HOME' 'a  b' '*' >/dev/null
q enqueue --quiet --name where -- sh -c 'echo "$QUEUACK_DB $QUEUACK_JOB_ID"' >/dev/null
run worker --drain -j 2
exits "draining succeeds" 0
is "a line per job on stderr" "$(grep -c '^done ' "$DIR/err")" 3
is "nothing on stdout" "$out" ""

run --json jobs list
json "all are done" '[j["status"] for j in d] == ["done"] * 3'
json "exit code, attempt and worker are recorded" 'all(j["exit_code"] == 0 and j["attempts"] == 1 and
 j["claimed_by"] and j["completed_at"] >= j["claimed_at"] for j in d)'
json "a last line of JSON is the result" '[j["result"] for j in d if j["name"] == "result"] ==
 [{"n": 1}]'
id_of() {
    "$QUEUACK" sql --json "SELECT id FROM jobs WHERE name = '$1'" |
        python3 -c 'import json, sys; print(json.load(sys.stdin)[0]["id"])'
}
run jobs logs "$(id_of result)"
like "folder, environment and both outputs are kept" "$out" "$DIR/sub"
like "environment" "$out" "a b 1"
like "stderr" "$out" "to-stderr"
run jobs logs "$(id_of words)"
is "no shell touches the words" "$out" '$HOME|a  b|*|'
run jobs logs "$(id_of where)"
is "a command knows its store and its job" "$out" "$QUEUACK_DB $(id_of where)"
run --json jobs logs "$(id_of words)"
json "logs as data" 'len(d) == 1 and d[0]["attempt"] == 1 and d[0]["exit_code"] == 0 and
 "$HOME|" in d[0]["log_tail"]'

# Failing.
q enqueue --quiet --name bad -- sh -c 'echo broken; exit 3' >/dev/null
run worker --drain
exits "a failed job makes draining exit 1" 1
like "and is named" "$err" "failed +.*bad"
unlike "without an error of the program" "$err" "queuack: (the )?job failed"
run --json jobs show "$(id_of bad)"
json "its exit code is recorded" 'd["status"] == "failed" and d["exit_code"] == 3 and d["error"]'
run --json worker --drain
json "the summary is one document" 'd == {"done": 0, "failed": 0, "retried": 0, "lost": 0}'
exits "a failure of before does not count" 0

q enqueue --quiet --name twice --max-attempts 3 --backoff 0 -- \
    sh -c '[ -e ok ] || { touch ok; exit 1; }' >/dev/null
run --json worker --drain
exits "a job that fails and then succeeds is no failure" 0
json "it was tried again" 'd["retried"] == 1 and d["done"] == 1 and d["failed"] == 0'
run --json sql "SELECT attempt, outcome, exit_code FROM job_attempts
 WHERE job_id = '$(id_of twice)' ORDER BY attempt"
json "both attempts are there" '[(r["attempt"], r["exit_code"]) for r in d] == [(1, 1), (2, 0)]'
q enqueue --quiet --name thrice --max-attempts 3 --backoff 1ms -- false >/dev/null
run worker --drain
exits "a job out of attempts is a failure" 1
run --json jobs show "$(id_of thrice)"
json "after all its attempts" 'd["attempts"] == 3 and d["status"] == "failed"'
q enqueue --quiet --name absent -- ./no-such-program >/dev/null
run worker --drain
exits "a program that is not there fails" 1
run --json jobs show "$(id_of absent)"
json "and its name is in the error" '"no-such-program" in d["error"]'
q enqueue --quiet --name slow --timeout 300ms -- sleep 600 >/dev/null
run worker --drain
run --json jobs show "$(id_of slow)"
json "a timeout fails" 'd["status"] == "failed" and d["error"].startswith("timeout after")'

# Order.
for name in 10:low 50:mid1 90:high 50:mid2 100:top; do
    q enqueue --quiet -p "${name%%:*}" -- sh -c "echo ${name##*:} >>order" >/dev/null
done
run worker --drain -j 1 --quiet
is "priority first, then first come" "$(tr '\n' ' ' <order)" "top high mid1 mid2 low "
is "--quiet prints nothing" "$err" ""
rm order
q enqueue --quiet -q b -p 100 -- sh -c "echo b >>order" >/dev/null
q enqueue --quiet -q a -p 0 -- sh -c "echo a >>order" >/dev/null
q enqueue --quiet -q c -- sh -c "echo c >>order" >/dev/null
run worker --drain -j 1 -q a -q b
is "queues in the order given, no others" "$(tr '\n' ' ' <order)" "a b "
first=$(q enqueue --quiet --delay 200ms -- sh -c "echo parent >>order")
q enqueue --quiet --needs "$first" -p 100 -- sh -c "echo child >>order" >/dev/null
run worker --drain -j 4
is "a dependency never runs early; draining waits for delayed jobs" \
    "$(tail -n 2 order | tr '\n' ' ')" "parent child "

q enqueue --quiet mystery >/dev/null
run worker --drain
like "kinds it cannot run are named" "$err" '1 job of kind "mystery"'
exits "and do not keep it" 0

q enqueue --quiet --name untouched -- true >/dev/null
run worker --drain --no-commands
exits "--no-commands leaves commands alone" 0
start worker --no-commands
is_owned() { [ -S "$QUEUACK_DB.sock" ] && q --quiet stats >/dev/null 2>&1; }
until_true is_owned
run stats
exits "without anything to run it looks after the store" 0
stop_with TERM "$pid"
exits "until it is told to end" 0
run --json jobs show @1
json "so that they wait" 'd["status"] == "pending" and d["attempts"] == 0'
run worker --drain --quiet

# Signals: the first lets jobs finish, the second ends them.
mkfifo started go
q enqueue --quiet --name long -- sh -c 'echo $$ >>pids; echo started >started; read x <go; echo finished' >/dev/null
q enqueue --quiet --name next -- true >/dev/null
start worker -j 1
is "the job runs" "$(word_from started)" started
kill -TERM "$pid"
still() { kill -0 "$pid" 2>/dev/null; }
is "SIGTERM does not end it while a job runs" "$(still && echo running)" running
echo go >go
wait "$pid"
status=$?
exits "SIGTERM: exit 0" 0
run --json jobs show "$(id_of long)"
json "the running job finished" 'd["status"] == "done" and d["attempts"] == 1'
run --json jobs show "$(id_of next)"
json "the next one was not started" 'd["status"] == "pending" and d["attempts"] == 0'

q enqueue --quiet -p 100 --name stuck -- sh -c 'echo $$ >>pids; echo started >started; exec sleep 600' >/dev/null
start worker -j 1
is "another job runs" "$(word_from started)" started
kill -INT "$pid"
until_true grep -Eq '^ShdPnd:[[:space:]]*0+$' "/proc/$pid/status" # two at once would be one
is "the first SIGINT waits" "$(still && echo running)" running
stop_with INT "$pid"
exits "the second ends it with 130" 130
run --json jobs show "$(id_of stuck)"
json "its job is given back and lost no attempt" 'd["status"] == "pending" and d["attempts"] == 0'

refuses "no slots" 2 "-j" worker -j 0
refuses "too many slots" 2 "-j" worker -j 100000
refuses "a number that is too large says what is not" 2 "from 1 to 2147483647" \
    enqueue --max-attempts 99999999999999999999 k
refuses "a weight that is no number" 2 "weight" worker -q a=x
refuses "a queue without a name" 2 "empty" worker -q ''
finish
