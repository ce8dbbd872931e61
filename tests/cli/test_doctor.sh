# doctor: what it says of sound, damaged and foreign files, and that it never changes them.
. "$(dirname "$0")/lib.sh"

sums() { sha256sum "$QUEUACK_DB" "$QUEUACK_DB.wal" 2>/dev/null; ls -i "$QUEUACK_DB"*; }
# unchanged NAME: of the files since `before` was taken.
unchanged() { is "$1: nothing was changed" "$(sums)" "$before"; }

python3 - >many.jsonl <<'P'
import random
random.seed(1)
for i in range(6000):
    text = "%0400x" % random.getrandbits(1600)
    print('{"kind":"k","name":"n%d","payload":"%s"}' % (i, text))
P
q enqueue --quiet --batch many.jsonl >/dev/null
q enqueue --quiet -q run -- true >/dev/null
q worker --quiet -q run --drain
echo '{"nodes": [{"name": "a", "command": ["true"]}, {"name": "b", "command": ["true"], "needs": ["a"]}]}' >two.json
q run --quiet two.json
before=$(sums)
run doctor
exits "a sound store" 0
like "its file, lock, log, tables, invariants" "$out" "file .*lock .*log .*tables .*invariants"
unlike "without damage" "$out" "damage"
run --json doctor
json "as data" 'd["sound"] is True and {f["part"] for f in d["findings"]} >= {"file", "lock", "log", "tables", "invariants"}
 and all(f["finding"] in ("good", "note") for f in d["findings"])'
unchanged "a sound store"
is "no copy is left behind" "$(ls "$TMPDIR")" ""

mkfifo started
q enqueue --quiet -- sh -c 'echo $$ >>pids; echo started >started; read x' >/dev/null
start worker -q default -j 1
is "a worker has it" "$(word_from started)" started
run doctor
exits "in use: exit 5" 5
like "by whom" "$err" "in use by process $pid"
stop_with KILL "$pid"
is "the log is there after a kill" "$([ -s "$QUEUACK_DB.wal" ] && echo yes)" yes
before=$(sums)
run doctor
exits "an unclean end is no damage" 0
like "but is said" "$out" "note +log +[0-9]+ bytes"
unchanged "an unclean end"

# The log broken in its middle: without it the file is as at its last checkpoint.
cp "$QUEUACK_DB" keep.db
cp "$QUEUACK_DB.wal" keep.wal
python3 - "$QUEUACK_DB.wal" <<'P'
import sys
with open(sys.argv[1], "r+b") as f:
    f.seek(0, 2)
    size = f.tell()
    f.seek(size // 3)
    data = f.read(64)
    f.seek(size // 3)
    f.write(bytes(b ^ 0xff for b in data))
P
before=$(sums)
run doctor
exits "a broken log is damage" 5
like "it is named" "$out" "damage +log"
like "with what to do" "$err" "is damaged: restore a backup, or queuack doctor --save-to FILE"
unchanged "a broken log"
run doctor --save-to saved.db
exits "saving is still exit 5" 5
run --json --db saved.db stats
json "what was there at the checkpoint is saved" 'sum(sum(q.values()) for q in d["queues"].values()) >= 6000'
run doctor saved.db
exits "and what was saved is sound" 0

# Blocks of the file broken: what lies in others is saved.
cp keep.db "$QUEUACK_DB"
rm -f "$QUEUACK_DB.wal"
run --json stats
run doctor
exits "sound without its log" 0
python3 - "$QUEUACK_DB" <<'P'
import sys
with open(sys.argv[1], "r+b") as f:
    f.seek(0, 2)
    blocks = (f.tell() - 12288) // 262144
    at = 12288 + (blocks // 2) * 262144 + 1000
    f.seek(at)
    f.write(b"\xff" * 64)
P
before=$(sums)
run doctor
exits "a broken block is damage" 5
like "the table is named, with how much" "$out" "damage +tables +[a-z_]+: [0-9]+ rows can be read, about [0-9]+ cannot"
unchanged "a broken block"
run --json doctor
json "as data" 'd["sound"] is False and any(f["finding"] == "damage" for f in d["findings"])'
run doctor --save-to rest.db
exits "saving the rest" 5
like "how much" "$out" "saved +[0-9]+ rows were written"
run --json --db rest.db stats
exits "the rest opens" 0
json "and holds something" 'sum(sum(q.values()) for q in d["queues"].values()) > 0'
refuses "it is not overwritten" 4 "exists" doctor --save-to rest.db
unchanged "saving"

head -c 300000 keep.db >"$QUEUACK_DB"
run doctor
exits "a file that was cut is damage" 5
head -c 5000 keep.db >"$QUEUACK_DB"
before=$(sums)
run doctor
exits "cut within its header as well" 5
unchanged "a cut file"
: >"$QUEUACK_DB"
before=$(sums)
run doctor
exits "an empty file" 5
unchanged "an empty file"
echo "this is no database, only text" >"$QUEUACK_DB"
run doctor
is "something else is refused, not mended" "$([ "$status" = 4 ] || [ "$status" = 5 ] && echo yes)" yes
rm -f "$QUEUACK_DB"
refuses "a missing file" 5 "no file" doctor
refuses "a folder" 2 "is a folder" doctor "$DIR"
refuses "two names" 2 "named twice" doctor x --db y
finish
