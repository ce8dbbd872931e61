#!/bin/sh
# A dynamic sub-DAG from the shell: a command prints a definition, here a step for each file that it
# finds, and the node after it runs them.
set -eu
cd "$(mktemp -d)"
trap 'rm -r "$PWD"' EXIT
export QUEUACK_DB=jobs.duckdb

mkdir in
echo one >in/a.txt
echo one two >in/b.txt
echo one two three >in/c.txt

cat >plan <<'END'
#!/bin/sh
echo "planning a step for each file"
for file in in/*; do
    step="{\"name\": \"$file\", \"command\": [\"wc\", \"-w\", \"$file\"]}"
    steps=${steps:+$steps, }$step
done
echo "{\"name\": \"count words\", \"nodes\": [$steps]}"
END
chmod +x plan

cat >words.json <<'END'
{"dag": {"name": "words", "nodes": [
  {"name": "plan", "command": ["./plan"]},
  {"name": "files", "dag_from": "plan"},
  {"name": "end", "needs": ["files"], "command": ["echo", "all files are counted"]}
]}}
END
queuack --quiet enqueue dag -d @words.json >job
queuack --quiet worker --drain -j 1
queuack runs tree words
queuack sql "SELECT node_name, status, log_tail
             FROM jobs JOIN job_attempts ON job_id = id AND dag_run_id IS NOT NULL ORDER BY id"
