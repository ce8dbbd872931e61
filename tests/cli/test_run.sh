# run: a workflow from submission to exit; lines, events, failures, signals.
. "$(dirname "$0")/lib.sh"

cat >good.json <<'END'
{"name": "good", "nodes": [
  {"name": "first", "command": ["sh", "-c", "echo '{\"rows\": 3}'"]},
  {"name": "inner", "needs": ["first"], "dag": {"nodes": [
    {"name": "x", "command": ["true"]}, {"name": "y", "command": ["true"], "needs": ["x"]}]}},
  {"name": "last", "needs": ["inner"], "command": ["sh", "-c", "cat $QUEUACK_UPSTREAM >upstream"],
   "when": "inner.y == null"}]}
END
sed -i "s|\"command\": \[\"sh\", \"-c\", \"cat|\"cwd\": \"$DIR\", &|" good.json
cat >bad.json <<'END'
{"nodes": [
  {"name": "breaks", "command": ["sh", "-c", "echo working; echo 0.25 quarter >$QUEUACK_PROGRESS; sleep 0.3; echo it broke >&2; exit 3"]},
  {"name": "after", "command": ["true"], "needs": ["breaks"]},
  {"name": "beside", "command": ["true"]}]}
END

refuses "a file that is not there" 3 "cannot open" run nothing.json
echo '{"nodes": [{"name": "a"}]}' >broken.json
refuses "a definition that is none" 2 "broken.json: .*command" run broken.json
[ ! -e "$QUEUACK_DB" ] && pass "neither makes a store" || fail "neither makes a store"

run run good.json
exits "a run that ends well" 0
like "it says that it made the store" "$err" "created .*q.duckdb"
like "a line per event" "$out" "done +first"
like "sub-DAGs as paths" "$out" "done +inner/y"
is "each end once" "$(grep -cE "done +inner( |$)" <<<"$out")" 1
like "the end" "$out" "good done after .*: 5 done"
like "the critical path" "$out" "critical path .*first .* → inner .* → last"
is "the result of a task reaches the next" "$(python3 -c 'import json; print(sorted(json.load(open("upstream"))))')" "['inner']"

run run bad.json
exits "a failure" 1
is "says nothing on stderr" "$err" ""
like "what failed, and why" "$out" "breaks failed after .*: exit code 3: it broke"
like "its last lines" "$out" "  \| working.*  \| it broke"
like "what was skipped" "$out" "skipped +after"
retry=$(sed -n 's/^to run the rest: queuack \(runs retry [0-9a-f]*\) && queuack worker --drain$/\1/p' "$DIR/out")
like "what to type next" "$retry" "runs retry [0-9a-f]{12}"
# shellcheck disable=SC2086
run $retry
exits "and that can be typed" 0
run --quiet run good.json
is "--quiet" "$out$err" ""

"$QUEUACK" --json run bad.json >events 2>"$DIR/err" </dev/null
status=$?
exits "--json: the same exit code" 1
is "events, numbered, in order" "$(python3 - <<'END'
import json
events = [json.loads(line) for line in open("events")]
assert [e["seq"] for e in events] == list(range(1, len(events) + 1))
first = lambda kind, name: next(i for i, e in enumerate(events) if e["event"] == kind and e.get("node_name", e.get("name")) == name)
assert events[0]["event"] == "run.started" and events[0]["total_jobs"] == 3
assert first("job.claimed", "breaks") < first("job.progress", "breaks") < first("job.failed", "breaks")
failed = events[first("job.failed", "breaks")]
assert failed["exit_code"] == 3 and failed["log_tail"] == "working\nit broke\n" and failed["duration_seconds"] > 0.2
assert events[first("job.progress", "breaks")]["progress"] == 0.25
assert events[first("job.skipped", "after")]["skip_reason"] == "parent_failed:" + failed["job_id"]
assert events[-1]["event"] == "run.failed" and events[-1]["done"] == 1 and events[-1]["skipped"] == 1
print("good")
END
)" good

run --json run good.json --detach
json "--detach: only submitted" 'set(d) == {"id"}'
run --json runs show "$(field 'd["id"]')"
json "with its trigger" 'd["status"] == "pending" and d["trigger"] == "run"'
q worker --drain --quiet
run --json runs list --limit 1
json "a worker runs it" 'd[0]["status"] == "done"'

# Jobs of others stay where they are.
q enqueue --quiet --name other -- true >/dev/null
run run good.json
run --json sql "SELECT status FROM jobs WHERE name = 'other'"
json "the slots take only the run's jobs" 'd == [{"status": "pending"}]'

echo '{"name": "kinds", "nodes": [{"name": "k", "kind": "shout", "payload": "hi"}]}' >kinds.json
run run kinds.json
exits "a kind that nobody here runs" 4
like "is said" "$err" "--handler"
run run kinds.json --handler "shout=sh -c 'tr a-z A-Z'"
exits "unless a program handles it" 0

cat >etl.yaml <<'END'
name: etl
params: {day: "monday"}
tasks:
  extract:
    run: echo "{\"rows\":3, \"day\":\"${params.day}\"}"
  clean:
    needs: [extract]
    run: echo "{\"clean\":\"${extract.day}\"}"
  report:
    needs: [clean]
    when: clean.clean != "never"
    run: echo "{\"of\":\"${clean.clean}\"}"
END
refuses "--only before anything was done" 3 "no earlier run of etl" run etl.yaml --only report
run run etl.yaml -P day=friday
exits "a workflow file with a param" 0
run run etl.yaml --only report
exits "--only: with what its parents left before" 0
like "one task" "$out" "etl done after [^:]*: 1 done"
run --json sql "SELECT DISTINCT result FROM jobs WHERE node_name = 'report'"
json "and the same result" '[r["result"] for r in d] == [{"of": "friday"}]'
run run etl.yaml --from clean
like "--from: and all that follow" "$out" "etl done after [^:]*: 2 done"
refuses "a task that is not there" 3 "did you mean 'report'" run etl.yaml --only repport
run run --dry-run etl.yaml
like "--dry-run: the plan" "$out" "3 tasks in 3 levels"
refuses "-P for what is not a workflow" 2 "-P" run good.json -P a=b

# On a terminal.
on_terminal() {
    out=$(TERM=${TERM_WANTED:-xterm} LC_ALL=${LANG_WANTED:-C.UTF-8} python3 "$HERE/on_terminal.py" "$@" </dev/null 2>"$DIR/err")
    status=$?
    err=$(cat "$DIR/err")
}
mkfifo go
cat >tree.json <<END
{"name": "tree", "nodes": [
  {"name": "breaks", "command": ["sh", "-c", "echo the last words; exit 9"]},
  {"name": "inner", "dag": {"nodes": [{"name": "deep", "command": ["sh", "-c", "echo \$\$ >>$DIR/pids; echo 0.5 half >\$QUEUACK_PROGRESS; read x <$DIR/go"]}]}},
  {"name": "later", "needs": ["inner"], "command": ["true"]}]}
END
on_terminal --resize-when half 40x8 --when later '\x03' 80 "$QUEUACK" run -j2 tree.json
exits "the tree on a terminal; Ctrl-C is 130" 130
like "what runs within a sub-DAG, and how far it is" "$out" "deep.*50 % half"
like "the last lines of what failed" "$out" "\| the last words"
like "in a window that shrinks; then the end" "$out" "tree .*cancelled.* after"
like "the screen is given back" "$out" 1049l
NO_COLOR=1 LANG_WANTED=C on_terminal --when "50 % half" '\x03' 80 "$QUEUACK" run -j2 tree.json
exits "without colours and UTF-8" 130
unlike "NO_COLOR" "$out" $'\x1b\\[3[0-7]m'
unlike "no symbols that it may not have" "$out" "✗|▶"
on_terminal 80 "$QUEUACK" run --plain good.json
unlike "--plain leaves the screen alone" "$out" 1049h
like "and prints lines" "$out" "done +.*first"

printf 'tasks:\n  a: {run: "true"}\n  b: {needs: [a], foreach: [1, 2], run: "echo ${item}"}\n' >each.yaml
refuses "a foreach, before anything is submitted" 2 "each.yaml:3:3: the foreach of task 'b' .*not run it yet" run each.yaml
run --json sql "SELECT count(*) AS n FROM dag_runs WHERE name = 'each'"
json "nothing was" 'd == [{"n": 0}]'

mkfifo started
cat >long.json <<END
{"name": "long", "nodes": [
  {"name": "waits", "command": ["sh", "-c", "echo \$\$ >>$DIR/pids; echo up >$DIR/started; exec sleep 300"]},
  {"name": "then", "command": ["true"], "needs": ["waits"]}]}
END
start run long.json -j 1
is "it runs" "$(word_from started)" up
stop_with INT "$pid"
exits "Ctrl-C" 130
out=$(cat "$DIR/bg.out") err=$(cat "$DIR/bg.err")
like "cancels the run" "$out" "long cancelled after .*: 2 cancelled"
like "and says so" "$err" "interrupted"
run --json runs list --limit 1
json "which the store knows" 'd[0]["status"] == "cancelled"'
is "nothing is left running" "$(kill -0 "$(tail -1 pids)" 2>&1 | grep -c 'No such')" 1

cat >deaf.json <<END
{"name": "deaf", "nodes": [
  {"name": "deaf", "command": ["sh", "-c", "trap '' INT TERM; echo \$\$ >>$DIR/pids; echo up >$DIR/started; while :; do sleep 1; done"]}]}
END
start run deaf.json -j 1
is "something that ignores signals runs" "$(word_from started)" up
kill -INT "$pid"
until_true grep -q "cancelling the run" "$DIR/bg.err"
stop_with INT "$pid"
exits "a second Ctrl-C stops at once" 130
until_true bash -c "! kill -0 $(tail -1 pids) 2>/dev/null" && pass "and kills it" || fail "and kills it"
finish
