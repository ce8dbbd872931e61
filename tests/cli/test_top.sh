# top: live on a terminal of any size, once elsewhere.
. "$(dirname "$0")/lib.sh"

# on_terminal [OPTION]… COLUMNS COMMAND…: what it wrote in $out.
on_terminal() {
    out=$(TERM=${TERM_WANTED:-xterm} python3 "$HERE/on_terminal.py" "$@" </dev/null 2>"$DIR/err")
    status=$?
    err=$(cat "$DIR/err")
}

refuses "without a store" 5 "no store" top
for i in 1 2 3; do q enqueue --quiet -q "queue$i" --name "job $i" -- true >/dev/null; done
q queues pause queue2 >/dev/null
q queues set queue3 --concurrency 4 >/dev/null
run top
exits "in a pipe: once" 0
like "the totals" "$out" "waiting 3  delayed 0  running 0  done 0  failed 0"
like "queues with their state" "$out" "queue2 +1 +0 +0 +0 +paused"
like "and their limit" "$out" "queue3 +1 +0 +0 +0 +4"
run top --json
json "as data, keys as the columns" 'd["counts"]["pending"] == 3 and d["workers"] == [] and d["running"] == []
 and d["queues"][1] == {"name": "queue2", "paused": True, "concurrency": None, "waiting": 1, "claimed": 0}'

on_terminal --when 'q quits' q 80 "$QUEUACK" top
exits "q ends it" 0
like "80 columns" "$out" "queue2.*paused"
like "it says that there is no worker" "$out" "no workers"
like "the screen is given back" "$out" 1049l
on_terminal --when 'no running jobs' '\x03' 80 "$QUEUACK" top
exits "Ctrl-C is 130" 130
like "and gives the screen back as well" "$out" 1049l
on_terminal --resize-when 'queue2' 40x10 --when 'q quits' q 80 "$QUEUACK" top
exits "a window that shrinks" 0
on_terminal --rows 3 --when 'waiting' q 12 "$QUEUACK" top
exits "a window of almost nothing" 0
on_terminal --when "q quits" " q" 80 "$QUEUACK" top -n 1h
exits "space looks again" 0
NO_COLOR=1 on_terminal --when 'q quits' q 80 "$QUEUACK" top
unlike "NO_COLOR" "$out" $'\x1b\[3[0-9]m'
TERM_WANTED=vt100 on_terminal --when 'q quits' q 80 "$QUEUACK" top
exits "a terminal without colours" 0
TERM_WANTED=nonsense on_terminal 80 "$QUEUACK" top
exits "an unknown terminal" 2
like "is said" "$out" "set TERM"
on_terminal 80 "$QUEUACK" top --once
unlike "--once leaves the screen alone" "$out" 1049h

mkfifo started go
q enqueue --quiet -q long --name "the long one" -- sh -c 'echo $$ >>pids; echo started >started; read x <go' >/dev/null
start worker -q long -j 1
is "a worker has the store" "$(word_from started)" started
on_terminal --when 'q quits' q 80 "$QUEUACK" top
exits "it is watched all the same" 0
run top --once
like "with what runs" "$out" "the long one"
echo go >go
stop_with TERM "$pid"
finish
