# enqueue --batch: all lines or none, ids fixed beforehand, large files.
. "$(dirname "$0")/lib.sh"

cat >good.jsonl <<'END'
{"kind":"a","payload":{"x":[1,{"y":null}]},"priority":90,"tags":["t1","t\u00fc"],"name":"one"}

{"command":["sh","-c","echo hi"],"env":{"A":"1"},"queue":"cmd","timeout_seconds":2.5}
  {"kind":"b","unique":"u1","max_attempts":4,"max_lost":2,"delay_seconds":3600,"backoff":"1s,2,1m"}  
{"kind":"c","id":"01900000-0000-7000-8000-00000000000c","needs":null}
{"kind":"d","needs":["01900000-0000-7000-8000-00000000000c"],"dependency_mode":"all_done"}
END
run --json enqueue --batch good.jsonl
exits "a good batch" 0
json "summary" 'd == {"enqueued": 5, "duplicates": 0}'
run --json jobs list --kind a
json "a line's job" 'd[0]["payload"] == {"x": [1, {"y": None}]} and d[0]["priority"] == 90 and
 d[0]["tags"] == ["t1", "tü"] and d[0]["name"] == "one"'
run --json jobs list --kind command
json "a line's command" "d[0]['payload'] == {'argv': ['sh', '-c', 'echo hi'], 'cwd': '$DIR',
 'env': {'A': '1'}} and d[0]['queue'] == 'cmd' and d[0]['timeout_seconds'] == 2.5"
run --json jobs list --kind b
json "a line's limits" 'd[0]["max_attempts"] == 4 and d[0]["unique_key"] == "u1" and
 d[0]["status"] == "delayed"'
run --json jobs list
json "ids rise with the lines" '[j["kind"] for j in d if j["kind"] != "c"] ==
 ["d", "b", "command", "a"]'
json "ids are UUIDv7 of now" 'all(j["id"][14] == "7" for j in d) and
 abs(int(d[0]["id"].replace("-", "")[:12], 16) / 1000 - __import__("time").time()) < 600'
json "their last six digits differ" 'len({j["id"][-6:] for j in d}) == 5'

run --json enqueue --batch good.jsonl
json "the same batch again enqueues nothing" 'd == {"enqueued": 0, "duplicates": 5}'
cp good.jsonl copy.jsonl
run_in copy.jsonl --json enqueue --batch -
json "nor through standard input" 'd == {"enqueued": 0, "duplicates": 5}'
run enqueue --batch good.jsonl
like "people are told of --again" "$err" "--again"
printf '{"kind":"again"}\n{"kind":"again"}\n' >twice.jsonl
run --json enqueue --batch twice.jsonl
json "equal lines are different jobs" 'd == {"enqueued": 2, "duplicates": 0}'
run --json enqueue --batch twice.jsonl --again
json "--again enqueues once more" 'd == {"enqueued": 2, "duplicates": 0}'
run --json enqueue --batch twice.jsonl --batch-key monday
json "another key is another batch" 'd == {"enqueued": 2, "duplicates": 0}'
run --json enqueue --batch twice.jsonl --batch-key monday
json "the same key is the same batch" 'd == {"enqueued": 0, "duplicates": 2}'
run --json enqueue --batch twice.jsonl -q other -p 7 --tag all
json "options are the lines' defaults" 'd == {"enqueued": 2, "duplicates": 0}'
run --json jobs list --queue other
json "and reach the jobs" '[(j["priority"], j["tags"]) for j in d] == [(7, ["all"])] * 2'
: >empty.jsonl
run --json enqueue --batch empty.jsonl
json "an empty batch" 'd == {"enqueued": 0, "duplicates": 0}'
printf '{"kind":"noend"}' >noend.jsonl
run --json enqueue --batch noend.jsonl
json "a last line without its end" 'd == {"enqueued": 1, "duplicates": 0}'

run --json stats
before=$out
n=0
# bad REGEX LINE: as the third line behind two good ones and a blank one.
bad() {
    n=$((n + 1))
    printf '{"kind":"ok"}\n\n%s\n{"kind":"ok"}\n' "$2" >bad.jsonl
    refuses "bad line $n: ${2:0:50}" "${3:-2}" "line 3: .*$1" enqueue --batch bad.jsonl
}
bad "not a JSON object" 'hello'
bad "not a JSON object" '[1]'
bad "not a JSON object: .* at byte 25" '{"kind":"a","payload":1,}'
bad "not a JSON object" '{"kind":"a"} x'
bad "unexpected end" '{"kind":"a","payload":"x'
bad "surrogate" '{"kind":"a","payload":"\ud800"}'
bad "UTF-8" $'{"kind":"a","payload":"\xff"}'
bad "control character" $'{"kind":"a","payload":"\x01"}'
bad "nested too deep" "{\"kind\":\"a\",\"payload\":$(printf '[%.0s' {1..200})"
bad 'did you mean "priority"' '{"kind":"a","prioritty":1}'
bad "neither" '{"payload":1}'
bad "neither" '{"kind":null}'
bad "priority" '{"kind":"a","priority":101}'
bad "priority" '{"kind":"a","priority":"high"}'
bad "priority" '{"kind":"a","priority":1.5}'
bad "empty" '{"kind":""}'
bad "control character" '{"kind":"a\u0007"}'
bad "300 bytes" "{\"kind\":\"$(printf '%0300d' 0)\"}"
bad "not an id" '{"kind":"a","id":"xyz"}'
bad "list of ids" '{"kind":"a","needs":"x"}'
bad "seconds from 0" '{"kind":"a","timeout_seconds":-1}'
bad "negative" '{"kind":"a","delay":"-1s"}'
bad "not a time" '{"kind":"a","execute_after":"tomorrow"}'
bad "exclude" '{"kind":"a","delay":"1s","execute_after":"2099-01-01T00:00:00Z"}'
bad "list of strings" '{"command":[]}'
bad "list of strings" '{"command":"ls"}'
bad "list of strings" '{"command":["a",1]}'
bad "list of strings" '{"command":["a\u0000b"]}'
bad "list of strings" '{"kind":"command","payload":{}}'
bad "env" '{"command":["a"],"env":{"A=B":"1"}}'
bad "slots" '{"command":["a"],"slots":0}'
bad "beside" '{"command":["a"],"payload":1}'
bad "go with" '{"kind":"a","cwd":"/"}'
bad "too many tags" "{\"kind\":\"a\",\"tags\":[$(printf '"t",%.0s' {1..64})\"t\"]}"
bad "needs .* neither" '{"kind":"a","needs":["01900000-0000-7000-8000-0000000000ff"]}' 3
cat >later.jsonl <<'END'
{"kind":"ok"}
{"kind":"a","needs":["01900000-0000-7000-8000-00000000000e"]}
{"kind":"a","id":"01900000-0000-7000-8000-00000000000e"}
END
refuses "a parent in a later line" 3 "line 2: .*later" enqueue --batch later.jsonl
refuses "a batch that is missing" 2 "cannot read" enqueue --batch missing.jsonl
refuses "a batch that is a folder" 2 "folder" enqueue --batch .
refuses "a payload beside a batch" 2 "does not fit" enqueue --batch good.jsonl -d 1
run --json stats
is "nothing of this was enqueued" "$out" "$before"
rm -f "$DIR/new.duckdb"
run --db "$DIR/new.duckdb" enqueue --batch bad.jsonl
printf 'hello\n' >bad.jsonl
run --db "$DIR/other.duckdb" enqueue --batch bad.jsonl
is "a bad batch makes no store" "$(ls "$DIR/other.duckdb" 2>/dev/null)" ""

# Larger than one commit, with the bad line far behind.
seq 25000 | sed 's/.*/{"kind":"many","payload":{"n":&},"queue":"many"}/' >many.jsonl
{ cat many.jsonl; echo '{"kind":"many","priority":-1}'; } >broken.jsonl
refuses "the last of 25,001 lines is bad" 2 "line 25001: " enqueue --batch broken.jsonl
run stats many
exits "then nothing is enqueued, not even a queue" 3
head -n 12000 many.jsonl >part.jsonl
run --json enqueue --batch many.jsonl
json "25,000 lines" 'd == {"enqueued": 25000, "duplicates": 0}'
run --json enqueue --batch many.jsonl
json "again: all are found" 'd == {"enqueued": 0, "duplicates": 25000}'
run --json sql "SELECT count(*) AS n, count(DISTINCT CAST(json_extract(payload, '\$.n') AS INTEGER)) AS m
 FROM jobs WHERE queue = 'many'"
json "each line is there once" 'd == [{"n": 25000, "m": 25000}]'

# Killed in the middle: repeating the command completes it.
rm -rf "$QUEUACK_DB"*
seq 200000 | sed 's/.*/{"kind":"many","payload":&}/' >huge.jsonl
start enqueue --batch huge.jsonl
some_are_in() {
    [ "$(stat -c %s "$QUEUACK_DB.wal" 2>/dev/null || echo 0)" -gt 100000 ] ||
        [ "$(stat -c %s "$QUEUACK_DB" 2>/dev/null || echo 0)" -gt 1000000 ] ||
        ! kill -0 "$pid" 2>/dev/null
}
until_true some_are_in
kill -KILL "$pid" 2>/dev/null
wait "$pid" 2>/dev/null
run --json stats
before=$(field 'sum(d["queues"]["default"].values())')
run --json enqueue --batch huge.jsonl
json "a batch killed after $before lines is completed" "d == {'enqueued': 200000 - $before,
 'duplicates': $before}"
run --json stats
json "nothing is doubled" 'd["queues"]["default"]["pending"] == 200000'
finish
