# enqueue --wait: the output and the exit code of a job that another process runs.
. "$(dirname "$0")/lib.sh"

# waited ARG…: enqueue --wait in the background, a worker that drains, then its output and status.
waited() {
    : >"$DIR/err" # what the last one said is no sign of this one
    "$QUEUACK" enqueue --wait "$@" </dev/null >"$DIR/out" 2>"$DIR/err" &
    pid=$!
    children+=("$pid")
    until_true enqueued
    q worker --quiet --drain >/dev/null 2>&1
    wait "$pid"
    status=$?
    out=$(cat "$DIR/out")
    err=$(cat "$DIR/err")
    rm -rf "$QUEUACK_DB"*
}
enqueued() { grep -qs waiting "$DIR/err" || [ -n "$(q --json --quiet jobs list 2>/dev/null | tr -d '[]')" ]; }

waited -- sh -c 'echo hello; echo there'
exits "a command that succeeds" 0
is "its output, and nothing else on stdout" "$out" "hello
there"
like "the id is on stderr" "$err" "waiting for job [0-9a-f-]{36}"
waited -- sh -c 'echo no; exit 42'
exits "the exit code is the command's" 42
is "its output is there all the same" "$out" "no"
like "and why" "$err" "the job failed: .*42"
waited -- sh -c 'kill -TERM $$'
exits "a signal is 128 and its number" 143
waited -- sh -c 'exit 0'
exits "no output is none" 0
is "nothing at all" "$out" ""
waited -- /nonexistent/program
is "a command that does not exist fails" "$([ "$status" != 0 ] && echo yes)" yes
waited --json -- sh -c 'echo some; exit 3'
exits "with --json the code is the same" 3
json "one document: the job, its output" \
    'd["status"] == "failed" and d["exit_code"] == 3 and d["log_tail"] == "some\n" and d["duplicate"] is False'

"$QUEUACK" --quiet enqueue --wait --name first -- true </dev/null >"$DIR/out" 2>"$DIR/err" &
pid=$!
children+=("$pid")
there() { [ -n "$(q --json --quiet jobs list 2>/dev/null | tr -d '[]')" ]; }
until_true there
q --quiet jobs cancel @1 >/dev/null
wait "$pid"
status=$?
exits "a job that is cancelled is exit 1" 1
refuses "with --batch it makes no sense" 2 "does not fit" enqueue --batch x --wait

out=$(python3 "$HERE/on_terminal.py" --when "start queuack worker" '\x03' 80 "$QUEUACK" enqueue --wait -- true)
is "on a terminal it says if nobody is there, and Ctrl-C ends it" "$?" 130
like "by that command" "$out" "nothing is there to run it yet"
out=$(python3 "$HERE/on_terminal.py" --when "pending" '\x03' 80 "$QUEUACK" jobs wait @1)
like "waiting shows that it goes on" "$out" "waiting"
finish
