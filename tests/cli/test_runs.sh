# runs list, show, tree, graph, wait, retry; the run is made by an example.
. "$(dirname "$0")/lib.sh"

export QUEUACK_DB=$DIR/jobs.duckdb
diamond=$BUILD_DIR/examples/dag/diamond
if [ ! -x "$diamond" ]; then
    echo "# the examples are not built"
    finish
fi
"$diamond" >/dev/null
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
run runs retry @1
like "nothing is left to retry" "$status" "^[04]$"
refuses "a run that is not there" 3 "." runs show 0123456789ab
refuses "an unknown format" 2 "." runs graph @1 --format nonsense
run --json sql "SELECT dag_status, total_jobs, completed_jobs FROM dag_run_stats"
json "SQL agrees" 'd == [{"dag_status": "done", "total_jobs": 4, "completed_jobs": 4}]'
finish
