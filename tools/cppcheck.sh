#!/bin/sh
# cppcheck over src/: tools/cppcheck.sh BUILD-FOLDER JOBS. Suppressions stand in the sources; only
# uninitvar and memleak are off: they do not see through a pointer to a member or a compound
# literal, and compilers and sanitizers do.
set -eu

cd "$(dirname "$0")/.."
mkdir -p "$1/cppcheck"
exec cppcheck --quiet --error-exitcode=1 -j "$2" --std=c11 --language=c \
    --enable=warning,performance,portability --inline-suppr --cppcheck-build-dir="$1/cppcheck" \
    --suppress=missingIncludeSystem --suppress=uninitvar --suppress=memleak -D_GNU_SOURCE -D__GNUC__=12 -I include -I src src
