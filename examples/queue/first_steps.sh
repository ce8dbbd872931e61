#!/bin/sh
# The first steps in a shell: enqueue commands, run them, look at what they left.
#
# Put `queuack` on the PATH. Works in a folder of its own, which goes at the end.
set -eu
cd "$(mktemp -d)"
trap 'rm -r "$PWD"' EXIT
export QUEUACK_DB=jobs.duckdb

greeting=$(queuack --quiet enqueue --name greeting -- echo "hello, world")
queuack --quiet enqueue --name sum -- sh -c 'echo "{\"sum\": $((20 + 22))}"' >/dev/null
queuack --quiet enqueue --name broken -- ls no-such-file >/dev/null
queuack stats

echo "--- a worker runs them; it exits with 1 because one fails"
queuack --quiet worker --drain -j 1 || echo "exit code $?"

echo "--- what they left"
queuack jobs logs "$greeting"
queuack sql "SELECT name, status, exit_code, result FROM jobs ORDER BY created_at"
