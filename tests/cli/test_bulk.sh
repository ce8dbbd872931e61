# Changing many jobs at once: --dry-run, the question on a terminal, --yes.
. "$(dirname "$0")/lib.sh"

on_terminal() {
    out=$(python3 "$HERE/on_terminal.py" "$@" </dev/null 2>"$DIR/err")
    status=$?
    err=$(cat "$DIR/err")
}
count() {
    q --json stats | python3 -c 'import json, sys
print(json.load(sys.stdin)["queues"]["default"][sys.argv[1]])' "$1"
}

for i in 1 2 3; do q enqueue --quiet "kind$i" >/dev/null; done
parent=$(q enqueue --quiet --name parent -- true)
run jobs cancel --kind kind1 --dry-run
like "a dry run says what it would do" "$out" "1 job would be cancelled"
run --json jobs cancel --all --dry-run
json "as data" 'len(d) == 4 and all(j["dry_run"] is True and j["status"] == "pending" for j in d)'
is "and does nothing" "$(count pending)" 4
run --json jobs cancel --kind nothing --dry-run
json "of nothing: an empty array" 'd == []'
run --json jobs cancel @1 --dry-run
json "of a named job" "[j['id'] for j in d] == ['$parent']"

on_terminal --when '[y/N]' 'n\n' 80 "$QUEUACK" jobs cancel --kind kind1
is "no is refused" "$status" 4
like "asks with a number" "$out" "Cancel 1 job\? \[y/N\]"
like "and says that nothing was done" "$out" "nothing was changed"
on_terminal --when '[y/N]' '\n' 80 "$QUEUACK" jobs cancel --all
is "no answer means no" "$status" 4
on_terminal --when '[y/N]' '\x04' 80 "$QUEUACK" jobs cancel --all
is "so does the end of input" "$status" 4
# ThreadSanitizer holds a signal back while libc waits for a line.
if [ "${QUEUACK_SANITIZE:-}" != thread ]; then
    on_terminal --when '[y/N]' '\x03' 80 "$QUEUACK" jobs cancel --all
    is "Ctrl-C at the question is 130" "$status" 130
fi
is "none was touched" "$(count pending)" 4
on_terminal --when '[y/N]' 'y\n' 80 "$QUEUACK" jobs cancel --kind kind1
is "yes goes ahead" "$status" 0
is "with that one" "$(count cancelled)" 1
on_terminal 80 "$QUEUACK" jobs cancel --kind kind2 --yes
unlike "--yes does not ask" "$out" "y/N"
is "and goes ahead" "$(count cancelled)" 2
on_terminal 80 "$QUEUACK" jobs cancel "$(q --json jobs list --kind kind3 | python3 -c '
import json, sys; print(json.load(sys.stdin)[0]["id"])')"
unlike "a named job is not asked about" "$out" "y/N"
run jobs retry --status cancelled
exits "without a terminal nothing is asked" 0
like "and is said" "$out" "3 jobs will run again"

q jobs cancel --quiet --kind kind1,kind2 >/dev/null
q jobs cancel --quiet --status pending --kind kind1 >/dev/null
q jobs cancel --quiet --status pending --kind kind2 >/dev/null
q jobs cancel --quiet --status pending --kind kind3 >/dev/null
run worker --quiet --drain
child=$(q enqueue --quiet --delay 1h --needs "$parent" -- true)
run --json jobs purge --all --dry-run
json "a dry purge leaves out what a waiting job depends on" "len(d) == 3 and '$parent' not in str(d)"
on_terminal --when '[y/N]' 'n\n' 80 "$QUEUACK" jobs purge --all
like "so does its question" "$out" "Delete 3 ended jobs for good\?"
on_terminal --when '[y/N]' 'y\n' 80 "$QUEUACK" jobs purge --all
like "and so it does" "$out" "3 jobs purged"
run --json jobs list
json "the parent is kept" "{j['id'] for j in d} == {'$parent', '$child'}"
run jobs purge "$parent"
exits "by name it is refused" 4
for command in "dead retry" "dead purge"; do
    run $command --all --dry-run
    like "$command has a dry run" "$out" "0 jobs would be"
done
finish
