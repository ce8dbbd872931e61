#!/bin/sh
# Workers run commands: no shell between, the payload in the environment, output and exit code kept,
# a timeout that ends the whole process group, and work in several slots.
set -eu
cd "$(mktemp -d)"
trap 'rm -r "$PWD"' EXIT
export QUEUACK_DB=jobs.duckdb

queuack --quiet enqueue --name words -- printf '%s\n' '$HOME is not expanded' '* neither' >words
queuack --quiet enqueue --name env -e REGION=eu -- sh -c 'echo "$REGION, attempt $QUEUACK_ATTEMPT"' >env
queuack --quiet enqueue --name result -- sh -c 'echo "{\"rows\": 3}"' >/dev/null
queuack --quiet enqueue --name slow --timeout 200ms -- sleep 60 >/dev/null
queuack --quiet enqueue --name crash -- sh -c 'kill -SEGV $$' >/dev/null
queuack --quiet worker --drain -j 3 || echo "some failed: exit code $?"

queuack jobs logs "$(cat words)"
queuack jobs logs "$(cat env)"
queuack sql "SELECT name, status, exit_code, result, error FROM jobs ORDER BY created_at"
