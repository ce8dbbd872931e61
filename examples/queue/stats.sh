#!/bin/sh
# Statistics: counts by queue and status, as a table and as JSON, and any other question in SQL.
set -eu
cd "$(mktemp -d)"
trap 'rm -r "$PWD"' EXIT
export QUEUACK_DB=jobs.duckdb

for n in 1 2 3; do queuack --quiet enqueue -q mail --tag weekly -- true >/dev/null; done
queuack --quiet enqueue -q mail --delay 1h -- true >/dev/null
queuack --quiet enqueue -q thumbs -- false >/dev/null
queuack --quiet queues pause mail
queuack --quiet worker -q thumbs --drain || true

queuack stats
echo "--- one queue, for a program"
queuack stats mail --json
echo "--- any other question"
queuack sql "SELECT queue, count(*) AS jobs, count(*) FILTER (tags IS NOT NULL) AS tagged
             FROM jobs GROUP BY queue ORDER BY queue"
