# run: SQL tasks of a workflow file, their values bound as parameters, over files that tasks make.
. "$(dirname "$0")/lib.sh"

cat >etl.yaml <<'YAML'
name: etl
database: warehouse.duckdb
params: {least: 2, word: "it's; DROP TABLE \"x\"", none: {type: list, default: []}}
tasks:
  make:
    run: |
      printf 'id,ok,price\n1,true,1.5\n2,false,2.5\n3,true,3.5\n4,true,4.5\n' >raw.csv
      echo '{"rows": 4, "most": 4.0, "nothing": null}'
  clean:
    needs: [make]
    sql: COPY (SELECT * FROM 'raw.csv' WHERE ok AND id >= ${params.least}) TO 'clean.parquet'
  keep:
    needs: [clean]
    sql: CREATE TABLE kept AS FROM 'clean.parquet'
  report:
    needs: [keep, clean, make]
    sql: |
      SELECT count(*)::INT AS n, sum(price) AS total, ${clean.rows} AS kept, ${params.word} AS word,
             ${make.rows} + 1 AS more, typeof(${make.most}) AS kind, json_array_length(${params.none}::JSON)::INT AS len
      FROM kept WHERE price <= ${make.most}
YAML
result_of() { run --json sql "SELECT status, result, error FROM jobs WHERE node_name = '$1' ORDER BY created_at DESC LIMIT 1"; }

run run etl.yaml
exits "SQL tasks of a file" 0
result_of clean
json "COPY, with a param: the rows copied" 'd[0]["result"] == {"rows": 2, "first": []}'
[ -s clean.parquet ] && pass "the file is in the workflow's folder" || fail "the file is in the workflow's folder"
[ -s warehouse.duckdb ] && pass "the database too" || fail "the database too"
result_of report
json "params and upstream values, bound with their types" 'd[0]["result"] == {"rows": 1, "first": [{"n": 1,
    "total": 3.5, "kept": 2, "word": "it'"'"'s; DROP TABLE \"x\"", "more": 5, "kind": "DOUBLE", "len": 0}]}'

cat >bad.yaml <<'YAML'
tasks:
  make: {run: "echo '{\"nothing\": null}'"}
  missing: {needs: [make], sql: "SELECT ${make.nothing} AS x", max_attempts: 5}
  given: {needs: [make], sql: "SELECT ${default(make.nothing, 7)} AS x"}
  outside: {sql: "SELECT * FROM '/etc/passwd'"}
YAML
run run bad.yaml
exits "a value that is missing" 1
result_of missing
json "fails the task, naming it" 'd[0]["status"] in ("failed", "dead") and "make.nothing" in d[0]["error"]'
run --json sql "SELECT attempts FROM jobs WHERE node_name = 'missing'"
json "at once: it would be missing again" 'd[0]["attempts"] == 1'
result_of given
json "unless default() gives another" 'd[0]["result"]["first"] == [{"x": 7}]'
result_of outside
json "files outside the folder stay shut" 'd[0]["status"] in ("failed", "dead")'

cat >secret.yaml <<'YAML'
secrets: [API_TOKEN]
tasks:
  told: {sql: "SELECT ${env.API_TOKEN} AS x, length(${env.API_TOKEN}) AS n"}
  error: {sql: "SELECT ${env.API_TOKEN}::INTEGER"}
YAML
API_TOKEN='s3same"open' run run secret.yaml
exits "an error that holds a secret" 1
result_of told
json "secrets reach the statement, not its result" 'd[0]["result"]["first"] == [{"x": "***", "n": 11}]'
result_of error
json "nor the error" '"***" in d[0]["error"] and "s3same" not in d[0]["error"]'
is "nor the store" "$(cat "$DIR"/q.duckdb* | grep -c s3same)" 0
finish
