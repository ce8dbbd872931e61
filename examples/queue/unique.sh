#!/bin/sh
# Unique keys from a shell: a cron job that fires while the last one still waits adds nothing.
set -eu
cd "$(mktemp -d)"
trap 'rm -r "$PWD"' EXIT
export QUEUACK_DB=jobs.duckdb

report() {
    queuack --quiet --json enqueue --unique daily-report -- true | sed 's/.*"duplicate"/duplicate/'
}
echo "first:  $(report)"
echo "second: $(report)"
queuack --quiet worker --drain
echo "after it ran: $(report)"
queuack stats
