# export: files per view that DuckDB reads, page by page, whole or not at all.
. "$(dirname "$0")/lib.sh"

python3 - >jobs.jsonl <<'PY'
import json
for i in range(25000):
    print(json.dumps({"kind": "k", "payload": {"i": i, "t": "ä,\"\n"}, "queue": "other"}))
PY
q enqueue --quiet --batch jobs.jsonl >/dev/null
q enqueue --quiet --name fine --timeout 2.5s -- echo '{"a":1}' >/dev/null
q enqueue --quiet --name bad -- false >/dev/null
q enqueue --quiet --name after --needs @1 -- true >/dev/null
q worker --drain >/dev/null 2>&1

run export files
exits "export" 0
is "a file per view" "$(ls files | tr '\n' ' ')" \
    "dag_runs.parquet job_attempts.parquet job_dependencies.parquet jobs.parquet "
like "rows are counted" "$out" "jobs.parquet: 25003 rows"
for format in csv jsonl; do
    run --json export "out-$format" --format "$format" --view jobs --view job_attempts
    json "$format" '[(f["view"], f["rows"]) for f in d] == [("jobs", 25003), ("job_attempts", 2)]'
done
q sql --json "SELECT id, name, status, payload, created_at, timeout_seconds, attempts FROM jobs WHERE name IS NOT NULL ORDER BY name" >wanted.json
python3 - out-jsonl/jobs.jsonl wanted.json >verdict 2>&1 <<'PY'
import json, sys
rows = [json.loads(line) for line in open(sys.argv[1])]
assert len({r["id"] for r in rows}) == 25003, "each row once"
assert sorted(r["payload"]["i"] for r in rows if r["kind"] == "k") == list(range(25000))
assert all(r["payload"]["t"] == "ä,\"\n" for r in rows if r["kind"] == "k")
wanted = json.load(open(sys.argv[2]))
got = {r["name"]: r for r in rows if r["name"]}
for w in wanted:
    g = got[w["name"]]
    for key in ("id", "status", "payload", "timeout_seconds", "attempts"):
        assert g[key] == w[key], (key, g[key], w[key])
    assert g["created_at"][:10] == w["created_at"][:10]
print("good")
PY
is "every row once, every value as the views have it" "$(cat verdict)" good
python3 - out-csv/jobs.csv >verdict 2>&1 <<'PY'
import csv, sys
rows = list(csv.DictReader(open(sys.argv[1], newline="")))
assert len(rows) == 25003 and rows[0]["queue"]
print(sum(r["status"] == "done" for r in rows), sum(r["status"] == "failed" for r in rows))
PY
is "CSV that others read" "$(cat verdict)" "1 1"

refuses "it does not overwrite" 4 "exists.*--force" export files
run export --quiet --force files
exits "unless told" 0
is "nothing else is left" "$(ls files out-csv | grep -c part)" 0
refuses "not a format" 2 "parquet, csv or jsonl" export x --format xml
refuses "not a view" 2 "did you mean jobs" export x --view jos
refuses "no folder to make it in" 3 "no/x" export no/x
refuses "no store" 5 "no store" --db missing.duckdb export x
finish
