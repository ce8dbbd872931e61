#!/bin/sh
# clang-tidy over src/: tools/tidy.sh BUILD-FOLDER JOBS. Prints findings only.
set -eu

cd "$(dirname "$0")/.."
find src -name '*.c' -type f | LC_ALL=C sort |
    xargs -P "$2" -n 4 clang-tidy --quiet -p "$1" 2>&1 |
    { grep -vE '^[0-9]+ warnings? (generated|treated)|^Suppressed|^Use -header-filter' || :; } \
        >"$1/clang-tidy.log"
if grep -qE '(warning|error):' "$1/clang-tidy.log"; then
    cat "$1/clang-tidy.log"
    exit 1
fi
