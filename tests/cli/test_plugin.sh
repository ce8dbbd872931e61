# worker --plugin: handlers in processes of their own, which may crash, exit, get stuck, or be killed.
. "$(dirname "$0")/lib.sh"

"$CC" -shared -fPIC -I "$SOURCE_DIR/include" -o unruly.so "$HERE/unruly_plugin.c" || exit 99
state() {
    run --json jobs show "$(id_of "$1")"
    field '"{status} {exit_code} {attempts} {error}".format(**d)'
}
id_of() {
    q --json sql "SELECT id FROM jobs WHERE name = '$1'" | python3 -c 'import json, sys
print(json.load(sys.stdin)[0]["id"])'
}
add() {
    q enqueue --quiet --name "$1" --backoff 0s "${@:2}" >/dev/null
}
gone() { ! kill -0 "$1" 2>/dev/null; }

add segv crash --max-attempts 2
add exit leave --max-attempts 2
add stack overflow --max-attempts 2
for i in 1 2 3 4 5; do add "fine$i" fine -d "{\"n\":$i}"; done
UNRULY_CLOSE=$DIR/closed run worker --drain -j 2 --plugin unruly.so
exits "a plugin that crashes does not end the worker" 1
like "which tells of it" "$err" "unruly.so: kind crash: the handler ended its process"
is "a crash fails the job, by the signal" "$(state segv)" \
    "failed 139 2 the handler ended its process: killed by signal 11 (SIGSEGV)"
is "so does an exit, by its code" "$(state exit)" \
    "failed 3 2 the handler ended its process: exit code 3"
is "and an overflow of the stack" "$(state stack)" \
    "failed 139 2 the handler ended its process: killed by signal 11 (SIGSEGV)"
run --json jobs list --kind fine
json "the others are done" 'len(d) == 5 and all(j["status"] == "done" for j in d)'
run --json jobs result "$(id_of fine3)"
json "with their results" 'd == {"n": 3}'
like "the plugin could clean up" "$(sort -u closed)" closed

add uses use
run worker --drain --plugin unruly.so
exits "a handler uses the store from its process" 0
like "and prints" "$out" "said by a plugin"
run --json jobs show "$(id_of uses)"
json "what it reported is there" 'd["progress"] == 0.5 and d["progress_message"] == "half" and
    d["result"]["attempt"] == 1 and d["attempts"] == 1'
first=$(field 'd["result"]["pid"]')
run --json jobs list --kind made
json "and what it enqueued" 'len(d) == 1 and d[0]["status"] == "pending"'
for i in 1 2 3; do add "again$i" use; done
run worker --drain -j 1 --plugin unruly.so
run --json sql "SELECT DISTINCT result->>'pid' AS pid FROM jobs WHERE name LIKE 'again%'"
json "one process runs many jobs" "len(d) == 1 and d[0]['pid'] != '$first'"
q jobs cancel --quiet --kind made --yes >/dev/null

add obeys obey --timeout 300ms --max-attempts 1
add stuck stick -d "\"$DIR/stuck.pid\"" --timeout 300ms --max-attempts 1
run worker --drain -j 2 --plugin unruly.so
is "a timeout reaches the process" "$(state obeys)" "failed None 1 timeout after 0.3 s"
like "one that does not listen is killed" "$(state stuck)" "failed .* 1 timeout after 0.3 s"
is "it is gone" "$(gone "$(cat stuck.pid)" && echo gone)" gone

# A worker that is killed takes its plugins along; the next one runs the job again.
mkfifo pid
q enqueue --quiet --name orphan stick -d "\"$DIR/pid\"" >/dev/null
start worker -j 1 --plugin unruly.so
orphan=$(word_from pid)
kill -KILL "$pid"
wait "$pid" 2>/dev/null
if until_true gone "$orphan"; then pass "its worker's death ends a stuck handler"; else
    fail "its worker's death ends a stuck handler"; fi
start worker -j 1 --plugin unruly.so
orphan=$(word_from pid)
like "the job runs again" "$orphan" '^[0-9]+$'
kill -KILL "$orphan" # by somebody else
has_failed() { q jobs show "$(id_of orphan)" 2>/dev/null | grep -q SIGKILL; }
killed_twice() { kill -KILL "$(word_from pid)"; has_failed; }
if until_true killed_twice; then pass "a handler killed from outside fails its attempt"; else
    fail "a handler killed from outside fails its attempt"; fi
q jobs cancel --quiet --kind stick --yes >/dev/null
stop_with TERM "$pid"
is "the worker ends as asked" "$status" 0

UNRULY_OPEN=1 run worker --drain --plugin unruly.so
exits "a plugin that crashes while it is loaded is refused" 2
like "with the signal" "$err" "ended its process while it was loaded: killed by signal 6 \(SIGABRT\)"
add inside crash
run worker --drain --in-process --plugin unruly.so
is "in the worker's process it takes that along" "$((status > 128))" 1
q jobs cancel --quiet --kind crash --yes >/dev/null
run worker --drain --db :memory: --plugin unruly.so
exits "a store in memory keeps plugins inside" 0
run __plugin
exits "the host of plugins is not for people" 1
finish
