#!/bin/sh
# Runs an example in a fresh folder and compares what it prints: check.sh PROGRAM EXPECTED
set -eu

cd "$TMPDIR"
"$1" >"$TMPDIR/printed"
diff -u "$2" "$TMPDIR/printed"
