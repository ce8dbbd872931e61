#!/bin/sh
# Batches from a shell: a job per line of JSON, checked before the first is enqueued, all in one commit.
set -eu
cd "$(mktemp -d)"
trap 'rm -r "$PWD"' EXIT
export QUEUACK_DB=jobs.duckdb

i=0
while [ $i -lt 200 ]; do
    echo '{"command": ["true"], "priority": '$((i % 100))', "tags": ["bulk"]}'
    i=$((i + 1))
done >jobs.jsonl
queuack --quiet enqueue --batch jobs.jsonl

echo "--- a bad line is named, and nothing is enqueued"
{ cat jobs.jsonl; echo '{"command": "not a list"}'; } >bad.jsonl
queuack enqueue --batch bad.jsonl || echo "exit code $?"

queuack stats
