#!/bin/sh
# Configures a preset if that is needed and builds a target: tools/build.sh PRESET TARGET
# TARGET `configure` only configures. Quiet when all goes well.
set -eu

cd "$(dirname "$0")/.."
preset=$1
target=$2

log=$(mktemp)
trap 'rm -f "$log"' EXIT
if [ ! -e "build/$preset/build.ninja" ]; then
    echo "configuring $preset"
    cmake --preset "$preset" >"$log" 2>&1 </dev/null || {
        cat "$log" >&2
        exit 1
    }
fi
[ "$target" != configure ] || exit 0

echo "building $preset ($target)"
if [ -t 1 ]; then
    exec cmake --build --preset "$preset" --target "$target"
fi
cmake --build --preset "$preset" --target "$target" >"$log" 2>&1 </dev/null || {
    grep -v '^\[' "$log" | tail -n 60 >&2
    exit 1
}
