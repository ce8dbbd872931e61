#!/bin/bash
# Runs an example in an empty folder, as a user would, and compares what it prints with the text beside
# it:  check.sh EXPECTED COMMAND…
#
# What differs from run to run is named instead: ids, times of day, durations. Everything else, the
# order of lines too, must be as expected. With UPDATE=1 the text is written anew.
set -u

expected=$1
shift
folder=$(mktemp -d "${TMPDIR:-/tmp}/example.XXXXXX")
trap 'rm -rf "$folder"' EXIT
cd "$folder" || exit 1
unset QUEUACK_DB QUEUACK_LOG_LEVEL QUEUACK_LOG_FORMAT
export TZ=UTC LC_ALL=C.UTF-8 NO_COLOR=1
[ -z "${QUEUACK:-}" ] || export PATH="${QUEUACK%/*}:$PATH"

"$@" </dev/null >printed 2>&1
code=$?
sed -E -e 's/[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/<id>/g' \
    -e 's/\b[0-9a-f]{12}\b/<id>/g' \
    -e 's/[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9:.]+Z?/<time>/g' \
    -e 's/\b[0-9]+(\.[0-9]+)? ?(us|ms|s)\b/<duration>/g' \
    -e 's/"?took_us"?[:=][0-9]+/took_us=<duration>/g' \
    -e 's/ +$//' -e "s|$folder|<folder>|g" printed >text
echo "exit code $code" >>text
[ "${UPDATE:-}" != 1 ] || cp text "$expected"
diff -u "$expected" text
