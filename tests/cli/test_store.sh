# Stores that are not there, not ours, damaged, or taken.
. "$(dirname "$0")/lib.sh"

for command in "stats" "jobs list" "jobs show @1" "jobs result @1" "jobs logs @1" "jobs wait @1" \
    "jobs retry @1" "jobs cancel @1" "jobs purge --all" "dead list" "dead retry --all" \
    "dead purge --all" "queues list" "queues pause a" "workers list"; do
    refuses "$command without a store" 5 "no store at .*q.duckdb" $command
done
refuses "sql without a store" 5 "no store at .*q.duckdb" sql "SELECT 1"
is "none of them makes one" "$(ls "$QUEUACK_DB" 2>/dev/null)" ""
refuses "a folder that is not there" 5 "." --db "$DIR/missing/q.duckdb" enqueue k
refuses "a folder" 2 "is a folder" --db "$DIR/tmp" stats
refuses "an empty name" 2 "empty" --db "" stats

printf 'this is not a database\n' >text.duckdb
head -c 100000 /dev/urandom >random.duckdb
for file in text random; do
    cp $file.duckdb copy
    run --db "$DIR/$file.duckdb" stats
    like "$file: refused" "$status" "^(4|5)$"
    is "$file: in one line" "$(wc -l <"$DIR/err")" 1
    run --db "$DIR/$file.duckdb" enqueue k
    like "$file: nor written to" "$status" "^(4|5)$"
    is "$file: nothing is changed" "$(cmp copy $file.duckdb && echo same)" same
done
q enqueue --quiet k >/dev/null
size=$(stat -c %s "$QUEUACK_DB")
head -c $((size / 2)) "$QUEUACK_DB" >cut.duckdb
run --db "$DIR/cut.duckdb" stats
exits "a file cut in half" 5
cp "$QUEUACK_DB" flipped.duckdb
printf '\377\377\377\377\377\377\377\377' | dd of=flipped.duckdb bs=1 seek=4100 conv=notrunc 2>/dev/null
cp flipped.duckdb copy
run --db "$DIR/flipped.duckdb" stats
exits "a file with a broken header" 5
is "is left as it is" "$(cmp copy flipped.duckdb && echo same)" same

duckdb_write() {
    python3 "$HERE/duckdb_query.py" --write "$@"
}
if duckdb_write "$DIR/foreign.duckdb" "CREATE TABLE t (a INT)" 2>"$DIR/err"; then
    refuses "a DuckDB file of somebody else" 4 "." --db "$DIR/foreign.duckdb" stats
    duckdb_write "$DIR/original.duckdb" "CREATE TABLE jobs (id VARCHAR, status VARCHAR)"
    refuses "a file of the original" 4 "original" --db "$DIR/original.duckdb" enqueue k
    cp "$QUEUACK_DB" newer.duckdb
    duckdb_write "$DIR/newer.duckdb" "UPDATE queuack_meta SET value = '9999' WHERE key = 'schema'"
    refuses "a schema from the future" 5 "." --db "$DIR/newer.duckdb" stats
else
    echo "# plain DuckDB cannot be reached: $(cat "$DIR/err")"
fi

# Under a second name lock and log would be others.
ln "$QUEUACK_DB" second.duckdb
refuses "a file with two names" 4 "hard link" --db "$DIR/second.duckdb" stats
refuses "under either" 4 "hard link" stats
rm second.duckdb
run stats
exits "is good again with one" 0

# A log without its file, as after a careless clean-up, holds what was reported.
mkdir lost && printf 'committed' >lost/q.duckdb.wal
refuses "a log whose file is missing" 5 "its log" --db "$DIR/lost/q.duckdb" enqueue k
is "is kept" "$(cat lost/q.duckdb.wal)" committed
is "and nothing takes the file's place" "$(ls lost/q.duckdb 2>/dev/null)" ""

# No room to write: one line, and the store is as it was.
before=$(q sql --json "SELECT count(*) AS n FROM jobs")
(
    trap '' XFSZ
    ulimit -f 1
    exec "$QUEUACK" enqueue k -d "\"$(head -c 4000 /dev/zero | tr '\0' x)\""
) >"$DIR/out" 2>"$DIR/err"
is "a commit without room is exit 5" $? 5
is "in one line" "$(wc -l <"$DIR/err")" 1
is "that says what to do" "$(grep -c 'limit on the size of files' "$DIR/err")" 1
is "and nothing is half-done" "$(q sql --json "SELECT count(*) AS n FROM jobs")" "$before"

# What may not be read or written. Root may everything: somebody else tries then.
as_other() {
    if [ "$(id -u)" = 0 ]; then
        setpriv --reuid=65534 --regid=65534 --clear-groups env TMPDIR=/tmp "$@"
    else
        "$@"
    fi
}
refuses_other() {
    as_other "$QUEUACK" --db "$3" "${@:4}" >"$DIR/out" 2>"$DIR/err" </dev/null
    is "$1" "$?" 5
    is "$1: in one line" "$(wc -l <"$DIR/err")" 1
    like "$1: why" "$(cat "$DIR/err")" "$2"
}
mkdir locked open && q --db "$DIR/locked/old.duckdb" enqueue --quiet k >/dev/null
cp locked/old.duckdb open/old.duckdb
if [ "$(id -u)" = 0 ]; then
    chmod 711 "$DIR" "$(dirname "$DIR")"
    chown 65534 locked open open/old.duckdb locked/old.duckdb locked/old.duckdb.lock
fi
chmod 500 locked
cp open/old.duckdb copy
if as_other "$QUEUACK" version >/dev/null 2>&1; then
    refuses_other "a new file in a folder that may not be written" "denied" locked/new.duckdb enqueue k
    refuses_other "an old one there" "denied" locked/old.duckdb stats
    chmod 400 open/old.duckdb
    refuses_other "a file that may not be written" "denied" open/old.duckdb stats
    chmod 000 open/old.duckdb
    refuses_other "a file that may not be read" "denied" open/old.duckdb stats
    chmod 600 open/old.duckdb
    is "and it is as it was" "$(cmp copy open/old.duckdb && echo same)" same
else
    echo "# nobody else can run the program here"
fi
chmod 700 locked

# A second opener.
mkfifo started go
q enqueue --quiet -- sh -c '[ -e before ] && exit; touch before; echo $$ >>pids; echo started >started; read x <go' \
    >/dev/null
start worker -j 1
is "a worker owns the file" "$(word_from started)" started
run --json stats
exits "a second process shares it" 0
json "and sees what runs" 'd["queues"]["default"]["claimed"] == 1'
kill -KILL "$pid"
wait "$pid" 2>/dev/null
run --json stats
exits "a killed owner leaves the file free" 0
json "and its job waits again" 'sum(d["queues"]["default"][s] for s in ("pending", "claimed")) >= 1'
run worker --drain --quiet
exits "to be run again" 0

run --db :memory: --json enqueue k
exits "memory is a store as well" 0
json "though a short-lived one" 'd["duplicate"] is False'
finish
