# The file itself: plain DuckDB reads the views of a closed store, and of one whose owner was killed.
. "$(dirname "$0")/lib.sh"

ask() {
    python3 "$HERE/duckdb_query.py" "$@" 2>"$DIR/err"
}
q enqueue --quiet --tag a --name good -- sh -c 'echo "{\"n\":1}"' >/dev/null
q enqueue --quiet --name bad -- sh -c 'echo oops; exit 4' >/dev/null
q enqueue --quiet -q mail -p 70 -d '{"to":"x"}' waiting >/dev/null
run worker --drain --quiet
if ! ask "$QUEUACK_DB" "SELECT 1" >/dev/null; then
    fail "plain DuckDB can be loaded" "$(cat "$DIR/err")"
    finish
fi
is "jobs" "$(ask "$QUEUACK_DB" "SELECT kind, status, exit_code FROM jobs ORDER BY created_at")" \
    $'command|done|0\ncommand|failed|4\nwaiting|pending|NULL'
is "columns of jobs, in order" \
    "$(ask "$QUEUACK_DB" "SELECT string_agg(column_name, ',' ORDER BY ordinal_position) FROM information_schema.columns WHERE table_name = 'jobs'" | cut -d, -f1-29)" \
    id,dag_run_id,node_name,dependency_mode,kind,payload,queue,status,priority,created_at,execute_after,claimed_at,claimed_by,completed_at,attempts,max_attempts,timeout_seconds,result,error,skipped_at,skip_reason,skipped_by,tags,name,unique_key,progress,progress_message,map_index,exit_code
is "dead letters" "$(ask "$QUEUACK_DB" "SELECT name, error IS NOT NULL FROM dead_letter_queue")" "bad|true"
is "attempts" "$(ask "$QUEUACK_DB" "SELECT exit_code, log_tail FROM job_attempts WHERE exit_code = 4")" \
    "4|oops"
is "queues" "$(ask "$QUEUACK_DB" "SELECT name, waiting FROM queues ORDER BY name")" $'default|0\nmail|1'
is "results are JSON" "$(ask "$QUEUACK_DB" "SELECT json_extract(result, '\$.n') FROM jobs WHERE name = 'good'")" 1

# A copy taken while jobs run and after the owner was killed.
mkfifo started
q enqueue --quiet --name running -- sh -c 'echo $$ >>pids; echo started >started; exec sleep 600' >/dev/null
start worker -j 1
is "a job runs" "$(word_from started)" started
kill -KILL "$pid"
wait "$pid" 2>/dev/null
mkdir copy
cp "$QUEUACK_DB"* copy/
is "after SIGKILL nothing is missing" \
    "$(ask copy/q.duckdb "SELECT count(*), count(*) FILTER (status = 'done') FROM jobs")" "4|1"
is "what ran is there" \
    "$(ask copy/q.duckdb "SELECT status IN ('claimed', 'pending') FROM jobs WHERE name = 'running'")" true
run --json stats
exits "and the program opens it" 0
finish
