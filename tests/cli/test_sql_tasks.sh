# SQL tasks: results, parameters, databases, what they cannot reach, cancel, timeout, crashes, ends.
. "$(dirname "$0")/lib.sh"

# task NAME SQL [KEY JSON]…: a payload with further members.
task() {
    local name=$1 sql=$2
    shift 2
    python3 -c 'import json, sys
d = {"sql": sys.argv[1]}
for key, value in zip(sys.argv[2::2], sys.argv[3::2]): d[key] = json.loads(value)
print(json.dumps(d))' "$sql" "$@" >payload.json
    q enqueue --quiet --name "$name" ${options[@]+"${options[@]}"} sql -d @payload.json >/dev/null
}
id_of() {
    "$QUEUACK" sql --json "SELECT id FROM jobs WHERE name = '$1'" |
        python3 -c 'import json, sys; print(json.load(sys.stdin)[0]["id"])'
}
# show NAME: the job is then d[0].
show() { run sql --json "SELECT status, result, error FROM jobs WHERE name = '$1'"; }
status_is() {
    local found
    found=$("$QUEUACK" sql --json "SELECT 1 AS x FROM jobs WHERE name = '$1' AND status = '$2'")
    [ "$found" != "[]" ]
}
# helpers PID: the SQL processes of a worker.
helpers() { grep -l "^PPid:[[:space:]]*$1\$" /proc/[0-9]*/status 2>/dev/null | sed 's/[^0-9]//g'; }
soon() {
    local name=$1
    shift
    if until_true "$@"; then pass "$name"; else fail "$name" "it did not become true: $*"; fi
}
options=()

# Results and parameters.
task values "SELECT \$a AS a, \$n + 1 AS n, [1, 2] AS l, DATE '2026-11-01' AS d, NULL AS x, 1 AS n" \
    params '{"a": "it'"'"'s; DROP TABLE \"x\"\n", "n": 41}'
task places "SELECT ? AS a, ? AS b, ?::JSON AS c" params '[1.5, true, {"k": [1]}]'
task many "SELECT range AS i FROM range(100000)"
task several "CREATE TEMP TABLE t AS SELECT range AS i FROM range(10); SELECT sum(i)::INT AS s FROM t"
task missing "SELECT \$nowhere" params '{"a": 1}'
task wrong "SELEKT 1"
task open "BEGIN; CREATE TABLE t AS SELECT 1"
q enqueue --quiet --name plain sql -d '"SELECT 42 AS x"' >/dev/null
q enqueue --quiet --name nothing sql -d '{"query": "SELECT 1"}' >/dev/null
run worker --drain -j 2
exits "failed tasks are failures" 1
show values
json "values are bound, and come back as JSON" 'd[0]["status"] == "done" and d[0]["result"] == {"rows": 1,
    "first": [{"a": "it'"'"'s; DROP TABLE \"x\"\n", "n": 42, "l": [1, 2], "d": "2026-11-01",
               "x": None, "n_1": 1}]}'
show places
json "by place too" 'd[0]["result"]["first"] == [{"a": 1.5, "b": True, "c": {"k": [1]}}]'
show many
json "all rows are counted, the first kept" 'd[0]["result"]["rows"] == 100000 and
    d[0]["result"]["first"] == [{"i": i} for i in range(100)]'
show several
json "the last statement is the result" 'd[0]["result"] == {"rows": 1, "first": [{"s": 45}]}'
show plain
json "a string will do" 'd[0]["result"] == {"rows": 1, "first": [{"x": 42}]}'
show missing
json "a value that is missing is named" 'd[0]["status"] == "failed" and "$nowhere" in d[0]["error"]'
show wrong
json "what DuckDB says is said" '"Parser Error" in d[0]["error"] and "SELEKT" in d[0]["error"]'
show open
json "nothing is lost in a transaction left open" '"COMMIT" in d[0]["error"]'
show nothing
json "a payload without SQL" '"\"sql\"" in d[0]["error"]'

# A database is shared by its tasks; files are written beside it.
mkdir data
task make "CREATE TABLE t AS SELECT range AS i FROM range(1000)" cwd "\"$DIR/data\"" database '"w.duckdb"'
options=(--needs "$(id_of make)")
for i in 1 2 3 4; do
    task "insert$i" "INSERT INTO t SELECT range + 1000 * $i FROM range(1000)" cwd "\"$DIR/data\"" \
        database '"w.duckdb"'
done
options=(--needs "$(id_of insert1)" --needs "$(id_of insert2)" --needs "$(id_of insert3)"
    --needs "$(id_of insert4)")
task out "COPY (SELECT * FROM t ORDER BY i) TO 'out.parquet'" cwd "\"$DIR/data\"" database '"w.duckdb"'
options=(--needs "$(id_of out)")
task in "SELECT count(*) AS n, max(i) AS m FROM 'out.parquet'" cwd "\"$DIR/data\""
options=()
printf 'id,ok\n1,true\n2,false\n3,true\n' >raw.csv
task param "COPY (FROM read_csv(\$file) WHERE ok) TO 'clean.parquet'" params '{"file": "raw.csv"}'
run worker --drain -j 4
exits "a pipeline over one database" 0
show insert3
json "rows of an insert" 'd[0]["result"] == {"rows": 1000, "first": []}'
show out
json "rows of a COPY" 'd[0]["result"] == {"rows": 5000, "first": []}'
show param
json "a parameter as the name of a file" 'd[0]["result"] == {"rows": 2, "first": []}'
show in
json "and read again" 'd[0]["result"]["first"] == [{"n": 5000, "m": 4999}]'
is "the log of the database was written into it" "$(ls data | tr '\n' ' ')" "out.parquet w.duckdb "

# Hostile SQL: the queue's files, other folders, settings, extensions, the net.
echo secret >../outside-$$.csv
ln -s queuack-link q-dangling
ln -s q.duckdb q-soft
ln -s ../outside-$$.csv way-out
ln -s . here
mkdir inner
hostile=(
    "FROM read_blob('q.duckdb')" "FROM read_blob('$DIR/q.duckdb')" "FROM read_blob('q.duckd*')"
    "FROM read_text('q.duckdb.lock')" "FROM read_blob('inner/../q.duckdb')"
    "FROM read_blob('here/here/q.duckdb')" "FROM read_blob('q-soft')" "FROM read_blob('q-hard')"
    "ATTACH 'q.duckdb' AS q" "ATTACH 'q.duckdb' AS q (READ_ONLY)"
    "COPY (SELECT 1) TO 'q.duckdb'" "COPY (SELECT 1) TO 'q.duckdb' (FORMAT csv, USE_TMP_FILE false)"
    "COPY (SELECT 1) TO 'q-soft' (FORMAT csv, USE_TMP_FILE false)"
    "COPY (SELECT 1) TO 'q-hard' (FORMAT csv, USE_TMP_FILE false)"
    "COPY (SELECT 1) TO 'q.duckdb.wal' (FORMAT csv, USE_TMP_FILE false)"
    "COPY (SELECT 1) TO 'q.duckdb.sock' (FORMAT csv, USE_TMP_FILE false)"
    "COPY (SELECT 1) TO 'q.duckdb.new' (FORMAT csv, USE_TMP_FILE false)"
    "COPY (SELECT 1) TO 'q-dangling' (FORMAT csv, USE_TMP_FILE false)"
    "COPY (SELECT 1 AS a, 2 AS b) TO 'q.duckdb.logs' (FORMAT csv, PARTITION_BY a, OVERWRITE_OR_IGNORE)"
    "EXPORT DATABASE 'q.duckdb.logs'"
    "FROM read_text('../outside-$$.csv')" "FROM read_text('$DIR/inner/../../outside-$$.csv')"
    "FROM read_text('way-out')" "FROM read_csv('/etc/passwd')" "FROM read_text('/proc/self/environ')"
    "FROM glob('/etc/*')" "COPY (SELECT 1) TO '../outside-$$.new'" "COPY (SELECT 1) TO '/dev/stdout'"
    "ATTACH '../outside-$$.duckdb' AS o" "EXPORT DATABASE '../outside-$$.dir'"
    "SET allowed_directories = ['/']" "SET allowed_paths = ['/etc/passwd']"
    "SET enable_external_access = true" "SET lock_configuration = false" "RESET allowed_directories"
    "SET allowed_configs = ['allowed_directories']" "SET memory_limit = '100GB'" "SET threads = 500"
    "SET temp_directory = '/tmp'" "SET log_query_path = 'q.duckdb'" "PRAGMA enable_profiling = 'json'"
    "INSTALL httpfs" "LOAD httpfs" "LOAD '$DIR/x.duckdb_extension'" "INSTALL x FROM community"
    "FROM 'http://127.0.0.1:9/x.parquet'" "FROM 's3://bucket/x.parquet'"
    "CREATE PERSISTENT SECRET s (TYPE s3)"
)
q enqueue --quiet --priority 100 -- ln q.duckdb q-hard >/dev/null
for i in "${!hostile[@]}"; do
    python3 -c 'import json, sys
print(json.dumps({"kind": "sql", "tags": ["hostile"], "payload": {"sql": sys.argv[1]}}))' "${hostile[$i]}"
done >hostile.jsonl
q enqueue --quiet --batch hostile.jsonl >/dev/null
run worker --drain -j 1
rm -f q-hard
run sql --json "SELECT payload FROM jobs WHERE tags::VARCHAR LIKE '%hostile%' AND NOT (status = 'failed' AND attempts = 1)"
json "hostile SQL is refused, all of it" 'd == []'
run sql --json "SELECT count(*) AS n FROM jobs WHERE tags::VARCHAR LIKE '%hostile%' AND status = 'failed'"
json "and all of it was tried" "d == [{\"n\": ${#hostile[@]}}]"
like "nothing was written outside" "$(cd .. && echo outside-$$*)" "^outside-$$.csv$"
is "nor in the queue's files" "$(ls -d q.duckdb*)" "$(printf 'q.duckdb\nq.duckdb.lock\nq.duckdb.logs')"
run doctor
exits "the store is sound" 0
rm -f ../outside-$$.csv

# What the operator allows.
mkdir allowed other
task within "COPY (SELECT 1 AS a) TO 'x.csv'" cwd "\"$DIR/allowed\""
task outside "SELECT 1" cwd "\"$DIR/other\""
task far "SELECT 1" cwd "\"$DIR/allowed\"" database "\"$DIR/other/d.duckdb\""
task near "COPY (SELECT 1 AS a) TO '$DIR/other/x.csv'" cwd "\"$DIR/allowed\""
task own "SELECT 1" cwd "\"$DIR/allowed\"" database "\"$DIR/q.duckdb\""
run worker --drain --sql-folder allowed --sql-memory 200M
show within
json "in the folder allowed" 'd[0]["status"] == "done"'
for name in outside far; do
    show "$name"
    json "$name of it" 'd[0]["status"] == "failed" and "outside the folders" in d[0]["error"]'
done
show near
json "nor by a path" 'd[0]["status"] == "failed" and "disabled by configuration" in d[0]["error"]'
show own
json "the queue's file is nobody's database" 'd[0]["status"] == "failed"'
is "nothing was made there" "$(ls other)" ""
refuses "a size that is none" 2 "512M" worker --sql-memory lots
refuses "a folder that is not there" 2 "nowhere" worker --drain --sql-folder nowhere

# Long statements: progress, timeout, cancel; their neighbours go on.
long="SELECT count(*) FROM range(100000000000) a, range(1000) b"
options=(--timeout 1s)
task late "$long" database '"d.duckdb"'
options=()
task victim "$long" database '"d.duckdb"'
start worker -j 3
worker=$pid
soon "it runs" status_is victim claimed
soon "a timeout interrupts" status_is late failed
show late
json "and says so" 'd[0]["error"] == "timeout after 1 s"'
is "one process serves the database" "$(helpers "$worker" | wc -l)" 1
q jobs cancel "$(id_of victim)" --quiet >/dev/null
soon "a cancel too" status_is victim cancelled
task after "SELECT 1" database '"d.duckdb"'
soon "the process serves on" status_is after done

# The process dies: its job fails and says why, the next gets another.
task doomed "$long" database '"d.duckdb"'
soon "it runs" status_is doomed claimed
started() { [ -n "$(helpers "$worker")" ]; }
soon "there is a process" started
running() { kill -KILL $(helpers "$worker") 2>/dev/null; status_is doomed failed; }
soon "killed, it fails the job" running
show doomed
like "and is named" "$(field 'd[0]["error"]')" "SIGKILL|no SQL process"
task next "SELECT 1" database '"d.duckdb"'
soon "another process is started" status_is next done
task abort "CALL enable_logging(storage = 'file', storage_path = '$DIR/../log-$$')"
soon "so it is when DuckDB aborts" status_is abort failed
show abort
json "with the signal" '"SIGABRT" in d[0]["error"]'

# A killed worker leaves nothing behind.
task left "$long" database '"d.duckdb"'
soon "it runs" status_is left claimed
soon "in a process" started
children_of_worker=$(helpers "$worker")
stop_with KILL "$worker"
all_gone() {
    local each
    for each in $children_of_worker; do [ ! -e "/proc/$each" ] || return 1; done
}
soon "it has gone with the worker" all_gone
q jobs cancel "$(id_of left)" --quiet >/dev/null
task sweep "SELECT 1" database '"d.duckdb"'
run worker --drain
show sweep
json "the database can be used again" 'd[0]["status"] == "done"'
is "no spill folder is left" "$(find "$TMPDIR" -name 'queuack-*.tmp')" ""
finish
