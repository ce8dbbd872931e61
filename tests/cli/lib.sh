# Black-box tests of the program: sourced by each test_*.sh.
#
# A script calls `run` (or `run_in`), then asserts about $status, $out and $err, and ends with
# `finish`. Each works in a folder of its own, where $QUEUACK_DB names a store that does not exist
# yet. Output is TAP. Nothing here waits by sleeping a fixed time: `until_true` looks until a
# condition holds or the deadline has passed, which is a failure.
set -u

: "${QUEUACK:?must hold the path of the program}"
QUEUACK=$(readlink -f "$QUEUACK")
HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
DIR=$(mktemp -d "${TMPDIR:-/tmp}/queuack-cli-XXXXXX")
DEADLINE_S=60
export QUEUACK_DB="$DIR/q.duckdb"
export TMPDIR="$DIR/tmp"
export LC_ALL=C.UTF-8 TZ=UTC
unset NO_COLOR
mkdir "$TMPDIR"
cd "$DIR" || exit 99

count=0
failures=0
status=0
out=
err=
children=()

clean_up() {
    local pid
    [ "$BASHPID" = $$ ] || return # a child that a signal met before it became the program
    for pid in "${children[@]+"${children[@]}"}"; do
        kill -KILL "$pid" 2>/dev/null
    done
    # Commands outlive a worker that was killed; those that wait have left their ids.
    while read -r pid; do kill -KILL "$pid"; done 2>/dev/null < <(cat "$DIR/pids" 2>/dev/null)
    cd / && rm -rf "$DIR"
}
trap clean_up EXIT

q() {
    "$QUEUACK" "$@"
}

# run ARG…: the program, with its standard input empty.
run() {
    run_in /dev/null "$@"
}

# run_in FILE ARG…
run_in() {
    local input=$1
    shift
    "$QUEUACK" "$@" <"$input" >"$DIR/out" 2>"$DIR/err"
    status=$?
    out=$(tr -d '\0' <"$DIR/out")
    err=$(tr -d '\0' <"$DIR/err")
}

# start ARG…: the program in the background; its pid in $pid, its output in $DIR/bg.out, bg.err.
start() {
    "$QUEUACK" "$@" </dev/null >"$DIR/bg.out" 2>"$DIR/bg.err" &
    pid=$!
    children+=("$pid")
}

# stop_with SIGNAL PID: sends it and takes the exit code into $status.
stop_with() {
    kill "-$1" "$2"
    wait "$2"
    status=$?
}

pass() {
    count=$((count + 1))
    printf 'ok %d - %s\n' "$count" "$1"
}

fail() {
    count=$((count + 1))
    failures=$((failures + 1))
    printf 'not ok %d - %s\n' "$count" "$1"
    shift
    printf '# %s\n' "$@"
    printf '# status %s\n# stdout %s\n# stderr %s\n' "$status" "${out:0:600}" "${err:0:600}"
}

# is NAME GOT WANTED
is() {
    if [ "$2" = "$3" ]; then pass "$1"; else fail "$1" "got    $2" "wanted $3"; fi
}

# like NAME TEXT REGEX
like() {
    if [[ "$2" =~ $3 ]]; then pass "$1"; else fail "$1" "no match for $3 in: ${2:0:600}"; fi
}

unlike() {
    if [[ ! "$2" =~ $3 ]]; then pass "$1"; else fail "$1" "unwanted $3 in: ${2:0:600}"; fi
}

# exits NAME CODE: of the last run.
exits() {
    is "$1" "$status" "$2"
}

# refuses NAME CODE REGEX ARG…: exit code, nothing on stdout, one line on stderr that matches; and
# with --json a document with the same message and the code's name.
refuses() {
    local name=$1 code=$2 regex=$3 problem=
    shift 3
    run "$@"
    [ "$status" = "$code" ] || problem="exit code is not $code"
    [ -z "$out" ] || problem="stdout is not empty"
    [ "$(printf '%s\n' "$err" | wc -l)" = 1 ] || problem="not one line on stderr"
    [[ "$err" =~ ^queuack:\ .*($regex) ]] || problem="stderr does not match $regex"
    if [ -z "$problem" ]; then
        run --json "$@"
        python3 -c 'import json, sys
e = json.loads(sys.argv[1])["error"]
assert set(e) == {"code", "message"} and e["code"] and e["message"]' "$err" 2>/dev/null ||
            problem="--json: stderr is not an error document"
        [ "$status" = "$code" ] || problem="--json: exit code is not $code"
        [ -z "$out" ] || problem="--json: stdout is not empty"
    fi
    if [ -z "$problem" ]; then pass "$name"; else fail "$name" "$problem"; fi
}

# json NAME EXPRESSION: Python, with `d` the document on stdout of the last run.
json() {
    local got
    got=$(python3 -c 'import json, sys
d = json.load(open(sys.argv[1]))
print(bool(eval("(" + sys.argv[2] + ")")))' "$DIR/out" "$2" 2>&1)
    if [ "$got" = True ]; then pass "$1"; else fail "$1" "$2" "is ${got##*$'\n'}"; fi
}

# field EXPRESSION: prints it, of the document on stdout of the last run.
field() {
    python3 -c 'import json, sys
d = json.load(open(sys.argv[1]))
print(eval("(" + sys.argv[2] + ")"))' "$DIR/out" "$1"
}

# until_true COMMAND…: looks until it succeeds.
until_true() {
    local end=$((SECONDS + DEADLINE_S))
    until "$@"; do
        [ "$SECONDS" -lt "$end" ] || return 1
        read -r -t 0.05 <> <(:) || true
    done
}

# word_from FIFO: waits for a line that a job writes there.
word_from() {
    local word=
    read -r -t "$DEADLINE_S" word <>"$1"
    printf '%s' "$word"
}

finish() {
    printf '1..%d\n' "$count"
    [ "$failures" = 0 ] || printf '# %d of %d failed\n' "$failures" "$count"
    [ "$failures" = 0 ]
    exit $?
}
