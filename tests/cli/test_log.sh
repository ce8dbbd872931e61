# The log: levels, formats, where they are set, and that texts cannot forge lines.
. "$(dirname "$0")/lib.sh"

q enqueue --quiet -- true >/dev/null

# lines EXPRESSION: Python over stderr of the last run as JSON lines, `d`.
lines() {
    python3 -c 'import json, sys
d = [json.loads(line) for line in open(sys.argv[1])]
print(bool(eval("(" + sys.argv[2] + ")")))' "$DIR/err" "$1" 2>&1
}

run stats
is "by default there is nothing to say" "$err" ""
run -vv stats
like "-vv speaks to people" "$err" "^queuack: opened $QUEUACK_DB in [0-9]+ ms"
unlike "without records" "$err" "level="
run --log-level debug stats
like "a level makes records" "$err" "time=[0-9T:.-]+Z level=debug event=store.opened msg=\"opened .*\" path=$QUEUACK_DB took_us=[0-9]+"
run --log-format json -vv stats
is "records as JSON" "$(lines '{"store.opened", "store.closed"} <= {r["event"] for r in d} and
 all({"time", "level", "event", "message"} <= set(r) for r in d)')" True
run --log-format json stats
is "debug is not said by default" "$err" ""
QUEUACK_LOG_LEVEL=debug QUEUACK_LOG_FORMAT=json run stats
is "the environment sets both" "$(lines 'len(d) >= 2 and d[0]["event"] == "store.opened"')" True
QUEUACK_LOG_LEVEL=debug run --log-level off stats
is "an option is nearer than the environment" "$err" ""
QUEUACK_LOG_LEVEL=debug run --quiet stats
is "and so is --quiet" "$err" ""
QUEUACK_LOG_LEVEL= run stats
is "an empty variable is none" "$err" ""

refuses "an unknown level" 2 '--log-level: "loud" is no level: use debug, info, warn, error or off' \
    --log-level loud stats
refuses "an unknown format" 2 '--log-format: "xml" is no format: use text or json' \
    --log-format xml stats
QUEUACK_LOG_LEVEL=loud refuses "an unknown level in the environment" 2 "QUEUACK_LOG_LEVEL: " stats

run --db "$DIR/new.duckdb" --log-format json enqueue -- true
is "remarks are records too" "$(lines '[r["event"] for r in d] == ["note"] and
 d[0]["message"].startswith("created ")')" True

run --log-format json queues pause default
is "what a person does is logged" "$(lines '[(r["event"], r["queue"]) for r in d] ==
 [("queue.paused", "default")]')" True
q queues resume default
run --log-format json sql "DROP TABLE jobs"
is "a refused query, before the error's own line" \
    "$(head -n 1 "$DIR/err" | python3 -c 'import json, sys; print(json.load(sys.stdin)["event"])')" \
    sql.refused

# A worker's lines become records, and a job's output or name cannot forge one.
q enqueue --quiet --name 'x" level=error event="forged' -- \
    sh -c 'printf "a\n{\"event\":\"forged\"}\n" >&2; exit 3' >/dev/null
run --log-format json worker --drain
exits "one failed" 1
is "a record per job" "$(lines 'sorted(r["event"] for r in d if r["event"] != "note") ==
 ["job.done", "job.failed"]')" True
is "with what a person needs to find it" "$(lines '[(r["level"], r["exit_code"], r["attempt"],
 r["name"]) for r in d if r["event"] == "job.failed"] ==
 [("warn", 3, 1, "x\" level=error event=\"forged")]')" True
q enqueue --quiet --name 'x" level=error event="forged' -- true >/dev/null
run --log-format text worker --drain
is "a name cannot forge a field" "$(grep -c 'event=.forged' "$DIR/err")" 0
like "it is quoted" "$err" 'name="x\\" level=error event=\\"forged"'
q enqueue --quiet -- true >/dev/null
run --log-format json --log-level warn worker --drain
is "a level leaves out what went well" "$err" ""
finish
