# worker: handlers that are programs or plugins, shares, slots, processes left behind, long output.
. "$(dirname "$0")/lib.sh"

id_of() {
    "$QUEUACK" sql --json "SELECT id FROM jobs WHERE name = '$1'" |
        python3 -c 'import json, sys; print(json.load(sys.stdin)[0]["id"])'
}
# How many processes carry this variable. Zombies have no environment.
marked() {
    local found
    found=$(grep -lsz "^$1\$" /proc/[0-9]*/environ 2>/dev/null | wc -l)
    echo "$found"
}
none_marked() { [ "$(marked "$1")" = 0 ]; }
some_marked() { [ "$(marked "$1")" != 0 ]; }

# soon NAME COMMAND…
soon() {
    local name=$1
    shift
    if until_true "$@"; then pass "$name"; else fail "$name" "it did not become true: $*"; fi
}

# Programs as handlers: payload on the input, no shell.
cat >double.py <<'PY'
import json, sys
value = json.load(sys.stdin)
if value == "crash":
    import os, signal
    os.kill(os.getpid(), signal.SIGSEGV)
print("working", sys.argv[1:])
print(json.dumps({"twice": value["n"] * 2, "args": sys.argv[1:]}))
PY
q enqueue --quiet --name two double -d '{"n": 21}' >/dev/null
q enqueue --quiet --name crash --max-attempts 1 double -d '"crash"' >/dev/null
q enqueue --quiet --name after -- true >/dev/null
run worker --drain --handler "double=python3 $DIR/double.py 'a b' \"c d\" \$HOME *"
exits "a crashing program fails its job" 1
run --json jobs show "$(id_of two)"
json "the result is its last line; words and quotes are split, nothing is expanded" \
    'd["status"] == "done" and d["result"] == {"twice": 42, "args": ["a b", "c d", "$HOME", "*"]}'
run --json jobs show "$(id_of crash)"
json "the crash is said" 'd["status"] == "failed" and "SIGSEGV" in d["error"]'
run --json jobs show "$(id_of after)"
json "and the worker went on" 'd["status"] == "done"'
refuses "a handler without a command" 2 "KIND=COMMAND" worker --handler double
refuses "a quote left open" 2 "quote" worker --handler "double=sh -c 'x"
refuses "a second handler for a kind" 4 "already" worker --drain --handler a=true --handler a=false
refuses "the built-in kind" 4 "built in" worker --drain --handler command=true

# Plugins.
plugin=$BUILD_DIR/examples/plugin/words.so
q enqueue --quiet --name words count-words -d '"to be or not to be"' >/dev/null
q enqueue --quiet --name number count-words -d '7' >/dev/null
run worker --drain --plugin "$plugin"
run --json jobs show "$(id_of words)"
json "a plugin's handler runs" 'd["result"] == {"words": 6}'
run --json jobs show "$(id_of number)"
json "a permanent failure is one attempt" 'd["attempts"] == 1 and "JSON string" in d["error"]'
cp "$plugin" beside.so
run worker --drain --plugin beside.so
exits "a name without a slash is a file here" 0
sed 's/QK_PLUGIN("words".*/&/' "$SOURCE_DIR/examples/plugin/words.c" |
    sed 's/^QK_PLUGIN(.*/const qk_plugin queuack_plugin = { QK_PLUGIN_MAGIC, 99, "9.9", "words", open_words, close_words };/' >future.c
"$CC" -shared -fPIC -I "$SOURCE_DIR/include" -o future.so future.c
echo 'int nothing;' >nothing.c
"$CC" -shared -fPIC -o nothing.so nothing.c
echo "not a library" >text.so
refuses "a plugin of another version" 2 "version 99, and this worker takes version 1" \
    worker --drain --plugin ./future.so
refuses "a library that is no plugin" 2 "not a plugin" worker --drain --plugin ./nothing.so
refuses "a file that is no library" 2 "text.so" worker --drain --plugin ./text.so
refuses "a plugin that is not there" 2 "No such file" worker --drain --plugin ./absent.so

# Shares.
refuses "order and weights at once" 2 "not both" worker -q a=3 -q b
refuses "a weight of nothing" 2 "weight" worker -q a=0
refuses "a queue twice" 2 "twice" worker -q a -q a
refuses "slots the wrong way round" 2 "smaller" worker -j 8-2
for i in $(seq 40); do
    printf '{"command":["sh","-c","echo %s >>shares"],"queue":"%s"}\n' a a b b
done >shares.jsonl
q enqueue --quiet --batch shares.jsonl >/dev/null
run worker --drain -j 1 -q a=3 -q b=1 --quiet
is "all ran" "$(wc -l <shares)" 80
share=$(head -40 shares | grep -c a)
# Claims of several jobs are divided in whole jobs.
is "about three of four are a's while there are some of both" \
    "$([ "$share" -ge 27 ] && [ "$share" -le 33 ] && echo yes || echo "$share")" yes

# A job that takes two of three slots runs beside one other at most.
cat >alone.sh <<'SH'
mkdir wide || exit 1
[ "$(ls small | wc -l)" -le 1 ] || exit 2
echo "$(ls small | wc -l)" >>beside
rmdir wide
SH
cat >small.sh <<'SH'
mkdir "small/$1" && rmdir "small/$1"
SH
mkdir small
for i in $(seq 30); do
    echo "{\"command\":[\"sh\",\"small.sh\",\"$i\"]}"
    [ $((i % 5)) != 0 ] || echo '{"command":["sh","alone.sh"],"slots":2}'
done >wide.jsonl
q enqueue --quiet --batch wide.jsonl >/dev/null
run worker --drain -j 3 --quiet
exits "jobs of several slots" 0
is "each of them ran" "$(wc -l <beside)" 6
q enqueue --quiet --slots 64 --name huge -- true >/dev/null
run worker --drain -j 2 --quiet
exits "more slots than there are: all of them" 0

# Limits, and bad input.
enqueue_limited() {
    echo "{\"kind\":\"command\",\"name\":\"$1\",\"payload\":{\"argv\":[\"sh\",\"-c\",\"$2\"],\"limits\":$3}}" >one.jsonl
    q enqueue --quiet --batch one.jsonl >/dev/null
}
enqueue_limited files 'ulimit -n; ulimit -f; ulimit -v; ulimit -t' \
    '{"open_files":33,"file_size":51200,"memory":1048576000,"cpu_seconds":7}'
enqueue_limited cpu 'while :; do :; done' '{"cpu_seconds":1}'
enqueue_limited size 'head -c 100000 /dev/zero >large' '{"file_size":4096}'
enqueue_limited wrong 'true' '{"memory":-1}'
q enqueue --quiet --name closes -- sh -c 'exec <&- >&- 2>&-; exit 5' >/dev/null
q enqueue --quiet --name binary -- sh -c 'printf "\377\376\000\303("; exit 6' >/dev/null
q enqueue --quiet --name broken -- sh -c 'echo "{" >$QUEUACK_RESULT' >/dev/null
q enqueue --quiet --name absent -- ./nowhere/program >/dev/null
touch plain
q enqueue --quiet --name plain -- ./plain >/dev/null
mkdir gone
q enqueue --quiet --name gone -C gone -- true >/dev/null
rmdir gone
run worker --drain -j 2 --quiet
run jobs logs "$(id_of files)"
is "limits hold" "$(echo "$out" | tr '\n' ' ')" "33 100 1024000 7 "
error_of() {
    run --json jobs show "$(id_of "$1")"
    printf '%s' "$out" | python3 -c 'import json, sys
d = json.load(sys.stdin); print(d["status"], d["exit_code"], d["error"])'
}
is "processor time" "$(error_of cpu)" \
    "failed 152 killed by signal 24 (SIGXCPU): it used up its processor time"
like "file size" "$(error_of size)" "failed 153 .*|failed 1 .*[Ff]ile too large.*|failed 153"
like "a bad limit" "$(error_of wrong)" 'failed None .*"memory" must be a whole number'
is "closed pipes" "$(error_of closes)" "failed 5 exit code 5"
like "binary output" "$(error_of binary)" "failed 6 exit code 6"
like "a broken result file" "$(error_of broken)" "failed 0 the result file is not usable"
is "no such program" "$(error_of absent)" \
    "failed None cannot run ./nowhere/program: No such file or directory"
is "not executable" "$(error_of plain)" "failed None cannot run ./plain: Permission denied"
is "a folder that is gone" "$(error_of gone)" \
    "failed None cannot run in the folder $DIR/gone: No such file or directory"

# Output while the job runs, from another process.
mkfifo started go
q enqueue --quiet --name talks -- sh -c 'echo first; echo problem >&2; echo started >started; read x <go; echo last' >/dev/null
talks=$(id_of talks)
start worker -j 1
is "it runs" "$(word_from started)" started
"$QUEUACK" jobs logs -f "$talks" </dev/null >follow.out 2>follow.err &
follower=$!
children+=("$follower")
has_first() { grep -q problem follow.out; }
soon "its output is read while it runs" has_first
is "and the beginning only" "$(grep -c last follow.out)" 0
is "the folder is the user's alone" "$(stat -c %a "$QUEUACK_DB.logs")" 700
is "so are its files" "$(stat -c %a "$QUEUACK_DB.logs/"*.log | sort -u)" 600
echo go >go
wait "$follower"
is "following ends with the job" "$? $(tail -1 follow.out)" "0 last"
stop_with TERM "$pid"
run jobs logs "$talks"
is "afterwards both streams are there as they came" "$(echo "$out" | tr '\n' ' ')" \
    "first problem last "
run jobs logs --stream stdout "$talks"
is "and each for itself: standard output" "$(echo "$out" | tr '\n' ' ')" "first last "
run jobs logs --stream stderr "$talks"
is "and standard error" "$out" problem
rm "$QUEUACK_DB.logs"/*.log
q enqueue --quiet --name plain_text -- sh -c 'echo only; printf text' >/dev/null
q enqueue --quiet --name bytes -- sh -c 'printf "a\000\377b"' >/dev/null
q enqueue --quiet --name only_err -- sh -c 'echo wrong >&2; exit 1' >/dev/null
run worker --drain --quiet
is "what the attempt tells whole needs no file" "$(ls "$QUEUACK_DB.logs" | wc -l)" 2
run jobs logs --stream stdout "$(id_of plain_text)"
is "and is read from there" "$out" "only
text"
run jobs logs --stream stderr "$(id_of plain_text)"
is "with nothing on the other stream" "$status$out" 0
q jobs logs --stream stdout "$(id_of bytes)" >bytes.out
is "bytes are kept as they were" "$(od -An -tx1 bytes.out)" " 61 00 ff 62"
run jobs logs --stream stderr "$(id_of only_err)"
is "standard error alone" "$out" wrong
run jobs logs --stream stdout "$(id_of only_err)"
is "is not taken for output" "$status$out" 0
refuses "an unknown stream" 2 'use stdout or stderr' jobs logs --stream both "$talks"
rm "$QUEUACK_DB.logs"/*.log

# Long output: head and tail.
q enqueue --quiet --name long -- sh -c 'seq 1 400000' >/dev/null
run worker --drain --quiet
is "a long output stays beside the store, bounded" \
    "$(ls "$QUEUACK_DB.logs" | wc -l) $(($(du -k "$QUEUACK_DB.logs/"*.log | cut -f1) <= 1100))" "1 1"
run jobs logs -f "$(id_of long)"
is "from its first line to its last" "$(echo "$out" | sed -n '1p;$p' | tr '\n' ' ')" "1 400000 "
like "saying what is missing" "$out" "bytes are not kept"
q enqueue --quiet --name silent -- true >/dev/null
q worker --drain --quiet
run jobs logs -f @1
like "@1 is the latest job, whatever wrote last" "$out$err" "^queuack: the job left no output"

# Grandchildren that ignore SIGTERM, and left the session, end with the job.
cat >family.sh <<'SH'
trap '' TERM
sleep 600 &
setsid sh -c 'trap "" TERM; sleep 600' &
(setsid sh -c 'trap "" TERM; echo up >>up; exec sleep 600' &)
wait
SH
q enqueue --quiet --name family --timeout 500ms -e FAMILY="$DIR" -- sh family.sh >/dev/null
run worker --drain --quiet
is "its grandchildren were there" "$(cat up)" up
is "and are gone" "$(marked "FAMILY=$DIR")" 0
run --json jobs show "$(id_of family)"
json "by the timeout" 'd["error"].startswith("timeout after 0.5 s")'

# A worker that is killed leaves commands behind; the next one ends them before it runs anything.
q enqueue --quiet --name left --max-lost 1 -e LEFT="$DIR" -- \
    sh -c 'trap "" TERM; setsid sh -c "echo started >started; exec sleep 600" & sleep 600' >/dev/null
start worker -j 1
is "a command runs" "$(word_from started)" started
kill -KILL "$pid"
wait "$pid" 2>/dev/null
is "it outlives its worker" "$(some_marked "LEFT=$DIR" && echo yes)" yes
run worker --drain
like "the next worker says that it ended it" "$err" "ended [0-9]+ processes that a killed worker"
is "nobody is left" "$(marked "LEFT=$DIR")" 0

# The third signal ends the program, and what it ran.
q enqueue --quiet --name stubborn -e STUBBORN="$DIR" -- \
    sh -c 'trap "" TERM; echo started >started; sleep 600; sleep 600' >/dev/null
start worker -j 1
is "a stubborn command runs" "$(word_from started)" started
kill -INT "$pid"
gone() { kill -INT "$pid" 2>/dev/null; ! kill -0 "$pid" 2>/dev/null; }
soon "further signals end it at once" gone
wait "$pid"
is "with 130" "$?" 130
soon "and its command" none_marked "STUBBORN=$DIR"
finish
