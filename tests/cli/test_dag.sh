# dag validate, plan, graph; init.
. "$(dirname "$0")/lib.sh"

cat >etl.yaml <<'END'
name: etl
description: Of the day
params: {day: "2026-11-01", rows: {type: integer, description: How many}}
secrets: [TOKEN]
database: house.duckdb
tasks:
  extract: {run: "echo ${params.day}"}
  clean: {needs: extract, sql: "SELECT ${params.rows}"}
  score: {needs: clean, foreach: [1, 2], run: [echo, "${item}"], description: Each one}
  part: {needs: extract, dag: {tasks: {inner: {run: "true"}}}}
END
run dag validate etl.yaml
exits "a file that is good" 0
is "says so" "$out" "etl.yaml: good: 4 tasks"
run --json dag validate etl.yaml
json "as JSON" '(d["valid"], d["name"], d["description"], d["secrets"], d["schedule"]) ==
 (True, "etl", "Of the day", ["TOKEN"], None)'
json "its files are absolute" 'd["file"].startswith("/") and d["file"].endswith("/etl.yaml") and
 d["database"].endswith("/house.duckdb")'
json "its params" '[(p["name"], p["type"], p["default"], p["value"]) for p in d["params"]] ==
 [("day", "string", "2026-11-01", "2026-11-01"), ("rows", "integer", None, None)]'
json "its tasks" '[(t["name"], t["kind"], t["foreach"], t["line"]) for t in d["tasks"]] ==
 [("extract", "command", False, 7), ("clean", "sql", False, 8), ("score", "command", True, 9),
  ("part", "dag", False, 10)]'
run --json dag validate -P day=monday --param rows=3 etl.yaml
json "values of params" '[p["value"] for p in d["params"]] == ["monday", 3]'
refuses "a value of the wrong type" 2 \
    'etl.yaml:3:29: param "rows": expected an integer, not "many"' \
    dag validate -P rows=many etl.yaml
refuses "a param that is not there" 2 'etl.yaml:3:1: no param "row": did you mean "rows"' \
    dag validate -P row=1 etl.yaml
refuses "a param without a value" 2 'param "rows": expected NAME=VALUE' dag validate -P rows etl.yaml

printf 'tasks:\n  a:\n    rum: echo\n' >bad.yaml
refuses "a file that is wrong, by its place" 2 \
    'bad.yaml:3:5: unknown key "rum" of a task: did you mean "run"\?' dag validate bad.yaml
run --json dag validate bad.yaml
like "as JSON too" "$err" '^\{"error":\{"code":"invalid","message":"bad.yaml:3:5: '
refuses "a second file that is wrong" 2 'bad.yaml:3:5' dag validate etl.yaml bad.yaml
refuses "a file that is not there" 3 'none.yaml: cannot be opened' dag validate none.yaml
refuses "a folder" 2 'not a file' dag validate .

run dag plan etl.yaml
is "a plan" "$out" "etl: 4 tasks in 3 levels
   1  extract
   2  clean, part
   3  score
Longest chain: extract → clean → score"
run --json dag plan etl.yaml
json "a plan as JSON" '(d["levels"], d["critical_path"]) ==
 ([["extract"], ["clean", "part"], ["score"]], ["extract", "clean", "score"])'

run dag graph etl.yaml
like "a picture" "$out" '^%%\{init'
like "with what is inside" "$out" 'inner'
run dag graph --format dot --theme pastel etl.yaml
like "in another language" "$out" '^digraph'
run --json dag graph etl.yaml
json "as data" 'len(d["nodes"]) >= 4'
refuses "a format that is not there" 2 'must be mermaid, dot, svg or json' dag graph -f gif etl.yaml

run init
exits "a workflow to start from" 0
is "says where it is" "$out" "workflow.yaml: a workflow to start from"
run dag validate workflow.yaml
is "which is good" "$out" "workflow.yaml: good: 5 tasks"
refuses "twice" 4 'workflow.yaml exists: name another file' init
run --json init other.yaml
json "with a name" 'd == {"file": "other.yaml"}'
finish
