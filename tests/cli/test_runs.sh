# runs list, show, tree, graph, wait, retry; the run is made by an example.
. "$(dirname "$0")/lib.sh"

export QUEUACK_DB=$DIR/jobs.duckdb
diamond=$BUILD_DIR/examples/dag/diamond
if [ ! -x "$diamond" ]; then
    fail "the example that makes the run is built: $diamond"
    finish
fi
"$diamond" "$QUEUACK_DB" >/dev/null
run --json runs list
json "the run is listed" '[(r["name"], r["status"]) for r in d] == [("diamond", "done")]'
run runs show @1
like "and shown" "$out" "jobs +4 done"
run --json runs tree @1
json "as a tree of one" 'd["name"] == "diamond" and d["subdags"] == []'
run --json jobs show @1/end
json "a node by its name" 'd["node_name"] == "end" and d["status"] == "done"'
for format in mermaid dot json; do
    run runs graph @1 --format $format
    exits "$format" 0
    like "$format names the nodes" "$out" "right"
done
run runs wait @1
exits "waiting for what has ended" 0
refuses "what is done is not retried" 4 "nothing to retry" runs retry @1
run --json runs retry @1 --from right
exits "unless a node is named" 0
run --json sql "SELECT node_name, status FROM jobs ORDER BY node_name"
json "then it and what follows are open again" '[(r["node_name"], r["status"]) for r in d] ==
 [("end", "pending"), ("left", "done"), ("right", "pending"), ("start", "done")]'
run runs cancel @1
exits "a run that is open can be cancelled" 0
run --json runs list
json "and is" 'd[0]["status"] == "cancelled"'
refuses "a run that is not there" 3 "." runs show 0123456789ab
refuses "an unknown format" 2 "." runs graph @1 --format nonsense
run --json sql "SELECT dag_status, total_jobs, completed_jobs, cancelled_jobs FROM dag_run_stats"
json "SQL agrees" 'd == [{"dag_status": "cancelled", "total_jobs": 4, "completed_jobs": 2, "cancelled_jobs": 2}]'
cat >sub.json <<'END'
{"dag": {"name": "sub", "nodes": [
  {"name": "first", "command": ["true"]},
  {"name": "fragile", "needs": ["first"], "command": ["test", "-e", "there"]}]}}
END
for retried in "runs retry sub" "jobs retry @1"; do
    rm -rf there "$QUEUACK_DB"*
    run enqueue dag -d @sub.json
    job=$out
    run --quiet worker --drain -j 1
    exits "a run made by a job of kind dag fails, with $retried to come" 1
    touch there
    run ${retried/@1/$job}
    exits "$retried" 0
    run --quiet worker --drain -j 1
    exits "then it ends well" 0
    run --json sql "SELECT coalesce(node_name, 'job') AS n, status, attempt FROM jobs JOIN (SELECT job_id,
      max(attempt) AS attempt FROM job_attempts GROUP BY job_id) ON job_id = id ORDER BY id"
    json "the job too, and only what was unfinished ran" '[(r["n"], r["status"], r["attempt"]) for r in d] ==
     [("job", "done", 1), ("first", "done", 1), ("fragile", "done", 2)]'
done
finish
