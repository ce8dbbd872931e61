# Many processes, one file: what the program does beside a running worker, and what it refuses.
. "$(dirname "$0")/lib.sh"

mode_of() { stat -c %a "$1"; }

# Everything works beside a worker, which owns the file.
mkfifo started go
start worker -j 2
until_true test -S "$QUEUACK_DB.sock"
is "only its user may connect" "$(mode_of "$QUEUACK_DB.sock")" 600
run enqueue --name one -- sh -c 'echo $$ >>pids; echo started >started; read x <go'
exits "a job is handed in" 0
job=$out
is "and runs at the owner's" "$(word_from started)" started
run --json jobs show "$job"
json "it is seen" 'd["status"] == "claimed"'
run --json stats
json "and counted" 'd["queues"]["default"]["claimed"] == 1'
run --json workers list
json "so is the worker" 'len(d) == 1'
run --json sql "SELECT count(*) AS n FROM jobs WHERE status = 'claimed'"
json "SQL sees it" 'd == [{"n": 1}]'
run queues pause slow
exits "a queue is paused" 0
run --json queues list
json "and says so" '[q["paused"] for q in d if q["name"] == "slow"] == [True]'
run enqueue --queue slow k
exits "a job waits in it" 0
run jobs cancel "$out"
exits "and is cancelled" 0
run enqueue --batch - <<<''
printf '{"kind":"a","queue":"slow"}\n{"kind":"b","queue":"slow"}\n' >batch.jsonl
run enqueue --batch batch.jsonl
exits "a batch is handed in" 0
refuses "an unknown job is not found" 3 "no job" jobs show 01900000-0000-7000-8000-000000000000

# A job may call the program on its own queue.
run enqueue --name inner -- sh -c '"$0" enqueue --name child -- true' "$QUEUACK"
exits "a job that enqueues" 0
run jobs wait "$out" --timeout 30s
exits "ends well" 0
run --json sql "SELECT count(*) AS n FROM jobs WHERE name = 'child'"
json "and its child is there" 'd == [{"n": 1}]'

# Other names of the file lead to the same owner.
ln -s q.duckdb alias.duckdb
run --db alias.duckdb --json stats
json "a link leads to the same store" 'd["queues"]["default"]["claimed"] == 1'
mkdir -p "$DIR/sub"
run --db "$DIR/sub/../q.duckdb" --json stats
json "and so does another spelling" 'd["queues"]["default"]["claimed"] == 1'

# A copy is a store of its own, as soon as it has what was written.
cp q.duckdb copy.duckdb && cp q.duckdb.wal copy.duckdb.wal 2>/dev/null
run --db copy.duckdb --json stats
exits "a copy opens by itself" 0

# What was put in the file's place is not taken for it.
mv q.duckdb moved.duckdb
cp moved.duckdb q.duckdb
refuses "another file under that name" 4 "put in the place" stats
rm q.duckdb
mv moved.duckdb q.duckdb
run --json stats
exits "back in its place it is shared again" 0

# A stopped owner is waited for, and named.
kill -STOP "$pid"
begin=$SECONDS
refuses "a stopped owner" 5 "stopped" stats
like "is waited for, not for ever" "$((SECONDS - begin))" "^([5-9]|1[0-9]|2[0-9])$"
kill -CONT "$pid"
run --json stats
exits "and serves again when it goes on" 0

# Killed: what it left behind keeps nobody away.
kill -KILL "$pid"
wait "$pid" 2>/dev/null
is "the socket of a killed owner stays" "$(test -S "$QUEUACK_DB.sock" && echo there)" there
run --json stats
exits "and is not in the way" 0
json "the dead owner's job waits again" 'd["queues"]["default"]["claimed"] == 0'

# Something else under the socket's name: the store works, without being shared.
rm -f "$QUEUACK_DB.sock"
mkdir "$QUEUACK_DB.sock"
run stats
exits "no socket, no sharing, but a store" 0
like "and it is said" "$err" "cannot share"
rmdir "$QUEUACK_DB.sock"

# A path that is longer than a socket address can be.
deep="$DIR"
for _ in 1 2 3 4 5; do deep="$deep/a-folder-with-quite-a-long-name-of-its-own"; done
mkdir -p "$deep"
run --db "$deep/q.duckdb" enqueue k
exits "a long path is made" 0
export QUEUACK_DB="$deep/q.duckdb"
start worker
until_true test -S "$QUEUACK_DB.sock"
run --json stats
json "and it is shared" 'd["queues"]["default"]["pending"] == 1'
stop_with TERM "$pid"
is "a clean end takes the socket away" "$(test -e "$QUEUACK_DB.sock" || echo gone)" gone

# Another user.
if [ "$(id -u)" = 0 ] && id nobody >/dev/null 2>&1 && command -v setpriv >/dev/null; then
    shared=$(mktemp -d /tmp/queuack-users-XXXXXX)
    chmod 711 "$shared"
    "$QUEUACK" --db "$shared/q.duckdb" --quiet enqueue k >/dev/null
    cp "$QUEUACK" "$shared/queuack" && chmod 755 "$shared/queuack"
    setpriv --reuid nobody --regid nogroup --clear-groups env LD_LIBRARY_PATH="${DUCKDB_LIBRARY%/*}" \
        "$shared/queuack" --db "$shared/q.duckdb" stats >"$DIR/out" 2>"$DIR/err"
    status=$?
    err=$(cat "$DIR/err")
    exits "another user is refused" 5
    like "with a reason" "$err" "[Pp]ermission"
    rm -rf "$shared"
fi
finish
