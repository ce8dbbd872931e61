#!/bin/sh
# What `make run` shows: a workflow compresses the files of this project and checks the archives,
# the most urgent group first; one task fails at first and is retried. On a terminal its tasks are
# a live tree, elsewhere there is a line per event. Then SQL tells what happened, and the graph is
# drawn.
#
# usage: run.sh PROGRAM [FOLDER]     The folder (build/make-run) is emptied first, and kept after.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
program=$(cd "$(dirname "$1")" && pwd)/$(basename "$1")
folder=${2:-$root/build/make-run}

rm -rf "$folder"
mkdir -p "$folder"
cp "$here"/*.yaml "$folder"
cd "$folder"
export QUEUACK_DB="$folder/queue.duckdb"

queuack() { "$program" "$@"; }
say() { printf '\n%s\n' "$*"; }

say "Running a workflow: queuack run archive.yaml -j 2"
queuack run archive.yaml -P source="$root" -j 2

say "What happened, in the order of the starts: queuack sql \"SELECT … FROM jobs\""
queuack sql "
    SELECT node_name AS task, priority, status, attempts, exit_code,
           CAST(epoch_ms(completed_at) - epoch_ms(claimed_at) AS INTEGER) AS ms
    FROM jobs WHERE claimed_at IS NOT NULL ORDER BY claimed_at, id"

say "Attempts that failed: queuack sql \"SELECT … FROM job_attempts\""
queuack sql "
    SELECT node_name AS task, a.attempt, a.outcome, a.exit_code, a.error
    FROM job_attempts a JOIN jobs ON jobs.id = a.job_id WHERE a.outcome = 'failed'"

# Believe the disk, not the queue.
gzip -t files/*/*.gz
count=$(find files -name '*.gz' | wc -l | tr -d ' ')
[ "$count" -ge 12 ] && [ "$count" -eq "$(wc -l <catalogue.txt)" ] || {
    echo "make run: $count archives are there, but not as many as files" >&2
    exit 1
}
run=$(queuack --json runs list --limit 1 | sed -n 's/.*"id" *: *"\([0-9a-f-]*\)".*/\1/p' | head -n 1)
queuack runs graph --format svg "$run" >graph.svg

say "$count files compressed, $(cat files/*/*.gz | wc -c | tr -d ' ') bytes in $folder/files."
say "The graph of the run, a picture to open in a browser: $folder/graph.svg"
say "Look around with: $program --db $QUEUACK_DB runs show $run"
