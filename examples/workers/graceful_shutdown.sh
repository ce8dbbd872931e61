#!/bin/sh
# Graceful shutdown: SIGTERM lets the running job finish and leaves the rest in the queue. This is what
# systemd and Kubernetes send; give them more time than a job takes.
set -eu
cd "$(mktemp -d)"
trap 'rm -r "$PWD"' EXIT
export QUEUACK_DB=jobs.duckdb
mkfifo started may-end

queuack --quiet enqueue --name first -- sh -c 'echo running >started; read word <may-end; echo $word' >first
queuack --quiet enqueue --name second -- true >/dev/null
queuack --quiet worker -j 1 &
worker=$!

read -r word <started
echo "the first job is $word; SIGTERM"
kill -TERM $worker
echo finished >may-end
wait $worker && echo "the worker ended by itself, exit code 0"

queuack jobs logs "$(cat first)"
queuack sql "SELECT name, status FROM jobs ORDER BY created_at"
