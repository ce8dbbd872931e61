#!/bin/sh
# Dead letters from a shell: see what failed and why, put it right, try again.
set -eu
cd "$(mktemp -d)"
trap 'rm -r "$PWD"' EXIT
export QUEUACK_DB=jobs.duckdb

id=$(queuack --quiet enqueue --name convert --max-attempts 2 --backoff 10ms -- \
    sh -c 'cat input.txt >output.txt')
queuack --quiet worker --drain || echo "the worker says that a job failed: exit code $?"
queuack sql "SELECT name, attempts, error FROM dead_letter_queue"
queuack jobs logs "$id"

echo "--- the input was missing; now it is there"
echo data >input.txt
queuack --quiet jobs retry "$id" >/dev/null
queuack --quiet worker --drain
queuack sql "SELECT attempt, outcome, exit_code FROM job_attempts ORDER BY attempt"
