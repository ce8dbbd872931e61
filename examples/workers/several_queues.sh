#!/bin/sh
# Several queues: a worker that takes "urgent" before "normal", and one that only does reports.
set -eu
cd "$(mktemp -d)"
trap 'rm -r "$PWD"' EXIT
export QUEUACK_DB=jobs.duckdb

put() { queuack --quiet enqueue -q "$1" -- sh -c "echo '$1 $2' >>order" >/dev/null; }
put normal 1
put reports 2
put urgent 3
put normal 4
put urgent 5

queuack --quiet worker -q urgent -q normal -j 1 --drain
cat order
echo "--- reports have a worker of their own"
queuack --quiet worker -q reports --drain
tail -n 1 order
