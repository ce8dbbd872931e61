# A sub-DAG in another store: worker --store, $QUEUACK_STORES, and what is said when it is not named.
. "$(dirname "$0")/lib.sh"

cat >near.json <<'END'
{"dag": {"name": "near", "nodes": [
  {"name": "far", "store": "gpu", "dag": {"name": "far", "nodes": [
    {"name": "count", "command": ["echo", "{\"rows\": 3}"]}]}},
  {"name": "after", "needs": ["far"], "when": "far.count.rows == 3", "command": ["true"]}]}}
END
refuses "an alias without a URL" 2 "ALIAS=URL" worker --drain --store gpu
# both WORDS…: a worker for the near store, and once it has the other store open one for that.
both() {
    rm -rf "$DIR"/gpu.duckdb*
    run enqueue dag -d @near.json
    "$QUEUACK" --quiet worker --drain -j 1 "$@" >/dev/null 2>near.err &
    local near=$!
    until_true test -S "$DIR/gpu.duckdb.sock"
    "$QUEUACK" --quiet --db "$DIR/gpu.duckdb" worker -j 1 >/dev/null 2>&1 &
    local far=$!
    wait "$near"
    status=$? err=$(cat near.err)
    kill -KILL "$far"
    wait "$far" 2>/dev/null
}
both --store "gpu=$DIR/gpu.duckdb"
exits "a worker that is told the store ends well" 0
run --json sql "SELECT node_name, status, result FROM jobs WHERE node_name IS NOT NULL ORDER BY id"
json "the node has the result from there, which a condition sees" \
 '[(r["node_name"], r["status"]) for r in d] == [("far", "done"), ("after", "done")] and d[0]["result"] == {"count": {"rows": 3}}'
run --db "$DIR/gpu.duckdb" --json runs list -a
json "the run is in the other store, for its node" 'len(d) == 1 and d[0]["name"] == "far" and d[0]["parent_job_id"]'
QUEUACK_STORES="gpu=$DIR/gpu.duckdb;cpu=elsewhere.duckdb" both
exits "the environment names stores too" 0
run enqueue dag -d @near.json
run --quiet worker --drain -j 1
exits "a worker that is not told fails the node" 1
run --json sql "SELECT error FROM jobs WHERE status = 'failed' AND node_name = 'far'"
json "and says why" '"no store" in d[0]["error"]'
finish
