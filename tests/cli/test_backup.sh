# backup: a copy that Queuack and plain DuckDB read, and that is never half there.
. "$(dirname "$0")/lib.sh"

for i in 1 2 3; do q enqueue --quiet -q "q$i" --name "n$i" -- sh -c "echo out$i" >/dev/null; done
run worker --quiet -q q1 --drain
run backup copy.duckdb
exits "backup" 0
like "says how large it is" "$out" "^copy.duckdb: [0-9]+ bytes"
run --json backup copy2.duckdb
json "as data" 'set(d) == {"path", "bytes"} and d["bytes"] > 0'
run --json --db copy.duckdb jobs list
json "Queuack reads it" \
    '[(j["name"], j["status"]) for j in d] == [("n3", "pending"), ("n2", "pending"), ("n1", "done")]'
run --db copy.duckdb jobs logs @3
is "with its history" "$out" "out1"
plain=$(python3 "$HERE/duckdb_query.py" copy2.duckdb \
    "SELECT name, status FROM jobs ORDER BY name")
like "plain DuckDB reads it" "$plain" "n1.*done.*n2.*pending.*n3.*pending"
is "it is private" "$(stat -c %a copy2.duckdb)" 600
is "and nothing lies beside it" "$(ls | grep -c '^copy2')" 1
run --db copy.duckdb worker --quiet -q q2 -q q3 --drain
exits "its jobs can run" 0
run --json stats q2
json "without the original noticing" 'd["queues"]["q2"]["pending"] == 1'

refuses "it does not overwrite" 4 "exists.*--force" backup copy2.duckdb
run backup --force copy2.duckdb
exits "unless told" 0
refuses "not itself" 4 "the store itself" backup --force "$QUEUACK_DB"
refuses "not into a folder that is not there" 3 "folder" backup /nonexistent/x.duckdb
refuses "not a folder" 2 "is a folder" backup --force "$DIR"
touch other.duckdb other.duckdb.wal
refuses "not beside a log that is not its own" 4 "other.duckdb.wal" backup --force other.duckdb
mkfifo started
q --db copy.duckdb enqueue --quiet -- sh -c 'echo $$ >>pids; echo started >started; read x' >/dev/null
start --db copy.duckdb worker -q default -j 1
is "a store in use" "$(word_from started)" started
refuses "is not replaced" 5 "in use" backup --force copy.duckdb
stop_with KILL "$pid"
refuses "no store, no backup" 5 "no store" --db missing.duckdb backup x.duckdb

# A backup that is killed leaves the old file or the new one, never a piece.
python3 - >many.jsonl <<'P'
for i in range(20000):
    print('{"kind":"k","payload":{"n":%d,"text":"%s"}}' % (i, "x" * 300))
P
run enqueue --batch many.jsonl
run backup big.duckdb
before=$(stat -c %i big.duckdb)
for i in 1 2 3 4; do
    start backup --force big.duckdb
    part() { ls big.duckdb.part-* >/dev/null 2>&1 || ! kill -0 "$pid" 2>/dev/null; }
    until_true part
    kill -KILL "$pid" 2>/dev/null
    wait "$pid" 2>/dev/null
    run --json --db big.duckdb stats default
    json "killed, round $i: it is whole" 'd["queues"]["default"]["pending"] == 20000'
    rm -f big.duckdb.part-*
done
finish
