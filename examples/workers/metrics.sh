#!/bin/sh
# Metrics and logs of a worker: a file for Prometheus' textfile collector, and records as JSON on
# standard error for a log collector.
set -eu
cd "$(mktemp -d)"
trap 'rm -r "$PWD"' EXIT
export QUEUACK_DB=jobs.duckdb

queuack --quiet enqueue --name good -- true >/dev/null
queuack --quiet enqueue --name bad -- sh -c 'exit 3' >/dev/null
queuack worker --drain -j 1 --metrics queuack.prom --log-format json 2>log || echo "exit code $?"

echo "--- for Prometheus"
grep -E '^queuack_jobs_(claimed|done|failed|retried)_total|_count' queuack.prom | grep -v commit
echo "--- the log, one record a line"
grep '"event":"job' log
