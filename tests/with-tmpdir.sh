#!/bin/sh
# Runs a command in a fresh TMPDIR of its own and removes that afterwards.
TMPDIR=$(mktemp -d "${TMPDIR:-/tmp}/queuack-test.XXXXXX") || exit 1
export TMPDIR
trap 'chmod -R u+rwX "$TMPDIR"; rm -rf "$TMPDIR"' EXIT
trap 'exit 143' TERM
trap 'exit 130' INT
"$@" </dev/null
