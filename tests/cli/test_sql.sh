# sql: one SELECT over the views, as a table or as JSON; everything else is refused.
. "$(dirname "$0")/lib.sh"

q enqueue --quiet --tag a -d '{"x":[1,2]}' alpha >/dev/null
q enqueue --quiet -q mail beta >/dev/null
q enqueue --quiet -- sh -c 'echo "{\"ok\":true}"' >/dev/null
run worker --drain --quiet
run --json sql "SELECT kind, payload, tags, priority, created_at, claimed_by FROM jobs ORDER BY kind"
json "an array of objects" 'len(d) == 3 and list(d[0]) == ["kind", "payload", "tags", "priority",
 "created_at", "claimed_by"]'
json "payload and tags are nested" 'd[0]["payload"] == {"x": [1, 2]} and d[0]["tags"] == ["a"]'
json "numbers are numbers" 'd[0]["priority"] == 50'
json "times are RFC 3339 in UTC" '__import__("re").fullmatch(
 r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", d[0]["created_at"])'
json "NULL is null" 'd[0]["claimed_by"] is None'
run --json sql "SELECT result FROM jobs WHERE kind = 'command'"
json "results are nested" 'd == [{"result": {"ok": True}}]'
run --json sql "SELECT count(*) AS n, true AS t, 0.5 AS f, 'x' || chr(10) AS s, NULL AS z FROM jobs"
json "every type" 'd == [{"n": 3, "t": True, "f": 0.5, "s": "x\n", "z": None}]'
run --json sql "SELECT 'nan'::DOUBLE AS a, 'inf'::DOUBLE AS b FROM jobs LIMIT 1"
json "what JSON has no number for does not break it" 'not any(isinstance(x, float) for x in d[0].values())'
run --json sql "SELECT kind FROM jobs WHERE false"
json "no rows: an empty array" 'd == []'
run sql "SELECT kind, priority FROM jobs WHERE kind IN ('alpha', 'beta') ORDER BY kind"
is "a table" "$out" $'kind   priority\nalpha        50\nbeta         50'
run sql "SELECT 'a' || chr(27) || '[31m' || chr(10) || 'b' AS x FROM jobs LIMIT 1"
is "control characters are shown, not obeyed" "$out" $'x\na\\x1b[31m\\nb'
for view in jobs job_dependencies job_attempts dag_runs dag_run_stats dead_letter_queue workers queues; do
    run --json sql "SELECT * FROM $view"
    exits "view $view" 0
done

cp "$QUEUACK_DB" before.duckdb
printf 'secret' >secret.csv
q sql "SELECT 1 FROM jobs" >/dev/null
refused() {
    refuses "refused: ${1:0:60}" 4 "." sql "$1"
}
refused "DELETE FROM jobs"
refused "UPDATE jobs SET status = 'done'"
refused "DROP VIEW jobs"
refused "CREATE TABLE t (a INT)"
refused "INSERT INTO jobs SELECT * FROM jobs"
refused "ATTACH 'other.duckdb'"
refused "SET memory_limit = '1GB'"
refused "PRAGMA database_list"
refused "COPY jobs TO 'out.csv'"
refused "COPY (SELECT 1) TO '$QUEUACK_DB'"
refused "INSTALL httpfs"
refused "CALL pragma_version()"
refused "EXPORT DATABASE 'x'"
refused "SELECT * FROM read_csv('secret.csv')"
refused "SELECT * FROM 'secret.csv'"
refused "SELECT * FROM read_blob('$QUEUACK_DB')"
refused "SELECT * FROM glob('*')"
refused "SELECT * FROM duckdb_settings()"
refused "SELECT * FROM information_schema.tables"
refused "SELECT * FROM journal_a"
refused "SELECT getenv('HOME') FROM jobs"
refused "SELECT 1 FROM jobs; SELECT 2 FROM jobs"
refused "WITH x AS (SELECT * FROM read_text('secret.csv')) SELECT * FROM x"
refused "SELECT (SELECT content FROM read_text('secret.csv')) FROM jobs"
is "no file appeared" "$(ls out.csv x other.duckdb 2>/dev/null)" ""
run sql "SELEC 1"
like "what does not parse is exit 2 or 4" "$status" "^(2|4)$"
like "and says where" "$err" "SELEC"
refuses "an unknown column" 2 "nope" sql "SELECT nope FROM jobs"
refuses "no query" 2 "needs more" sql
refuses "a query above its time" 6 "." \
    sql --timeout 200ms "SELECT count(*) FROM range(100000000000) AS a(i) WHERE i % 7 = 3"
run --json sql "SELECT 'a' || chr(0) || 'b' AS t"
json "a NUL byte cuts nothing" 'd == [{"t": "a\x00b"}]'
run sql "SELECT 'a' || chr(0) || 'b' AS t"
like "and is shown in a table" "$out" 'a\\x00b'
run --json sql "SELECT count(*) AS n FROM jobs"
json "the store is as it was" 'd == [{"n": 3}]'
finish
