#!/bin/sh
# Error recovery from the shell: a step of a sub-DAG fails, its cause is mended, and the run is opened
# again. Only what is unfinished runs; how often each step did is counted in a file.
set -eu
cd "$(mktemp -d)"
trap 'rm -r "$PWD"' EXIT
export QUEUACK_DB=jobs.duckdb

cat >site.json <<'END'
{"dag": {"name": "site", "nodes": [
  {"name": "fetch", "command": ["sh", "-c", "echo fetch >>ran"]},
  {"name": "pages", "needs": ["fetch"], "dag": {"nodes": [
    {"name": "render", "command": ["sh", "-c", "echo render >>ran; test -e template"]},
    {"name": "minify", "needs": ["render"], "command": ["sh", "-c", "echo minify >>ran"]}]}},
  {"name": "upload", "needs": ["pages"], "command": ["sh", "-c", "echo upload >>ran"]},
  {"name": "alarm", "needs": ["pages"], "mode": "one_failed", "command": ["echo", "the pages failed"]}
]}}
END
queuack --quiet enqueue dag -d @site.json >job
queuack --quiet worker --drain -j 1 || echo "exit code $?"
queuack sql "SELECT coalesce(node_name, 'site') AS node, status, coalesce(skip_reason, error) AS why
             FROM jobs ORDER BY id"

echo "--- the template is there now"
touch template
queuack runs retry site
queuack --quiet worker --drain -j 1
queuack sql "SELECT coalesce(node_name, 'site') AS node, status, attempts FROM jobs ORDER BY id"
uniq -c ran
queuack runs tree site
