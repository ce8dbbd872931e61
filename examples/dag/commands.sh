#!/bin/sh
# A DAG of commands from the shell, and what a command is told: its node, its parents' results in a
# file, a file for its own result. A job of kind `dag` is a run; its picture shows how it stands.
set -eu
cd "$(mktemp -d)"
trap 'rm -r "$PWD"' EXIT
export QUEUACK_DB=jobs.duckdb

cat >etl.json <<'END'
{"dag": {"name": "etl", "nodes": [
  {"name": "extract", "command": ["echo", "{\"rows\": 3}"]},
  {"name": "transform", "needs": ["extract"], "when": "extract.rows > 0",
   "command": ["sh", "-c", "echo \"[6]\" >\"$QUEUACK_RESULT\"; echo \"$QUEUACK_NODE sees:\"; cat \"$QUEUACK_UPSTREAM\""]},
  {"name": "load", "needs": ["transform"],
   "command": ["sh", "-c", "echo \"0.9 nearly there\" >>\"$QUEUACK_PROGRESS\"; cat \"$QUEUACK_UPSTREAM\""]}
]}}
END
queuack --quiet enqueue dag -d @etl.json >job
queuack --quiet worker --drain -j 1

queuack sql "SELECT node_name, status, result, log_tail
             FROM jobs JOIN job_attempts ON job_id = id AND dag_run_id IS NOT NULL ORDER BY id"
queuack runs graph etl | grep "n[0-9]"
