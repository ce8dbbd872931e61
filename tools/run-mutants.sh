#!/bin/bash
# Shows that the simulation notices faults: each patch of tests/sim/mutants is applied to a copy of
# the tree in a temporary folder, the simulation is built from it, and has to fail within SEEDS
# histories. Prints a table, then "N caught, N missed"; exit code 1 if one was missed, 2 if a patch
# does not apply or build, or the unchanged tree fails.
#
#   tools/run-mutants.sh [SEEDS]      default 2000
set -u

seeds=${1:-2000}
root=$(cd "$(dirname "$0")/.." && pwd)
cc=${CC:-cc}
flags="-std=c17 -D_GNU_SOURCE -O1 -DCHUNK_BITS=5 -Iinclude -Isrc -Itests $(pkg-config --cflags jansson)"
libraries="$(pkg-config --libs jansson) -lm -lpthread"
work=$(mktemp -d) || exit 2
trap 'rm -rf "$work"' EXIT

cd "$work" || exit 2
mkdir -p src/store tests objects || exit 2
cp -R "$root/include" . && cp -R "$root/src/util" "$root/src/queue" src/ &&
    cp "$root/src/store/store.h" src/store/ && cp -R "$root/src/store/embedded" src/store/ &&
    cp -R "$root/tests/sim" tests/ || exit 2

sources="$(ls src/store/embedded/engine*.c src/queue/rules.c src/util/*.c tests/sim/*.c)"
sources="$sources $(grep -l '^bool qk_job_status_is_terminal' src/queue/*.c)"

object_of() {
    echo "objects/$(echo "$1" | tr / _).o"
}

compile() { # SOURCE…
    local source
    for source in "$@"; do
        # shellcheck disable=SC2086
        $cc $flags -c "$source" -o "$(object_of "$source")" || return 1
    done
}

link() {
    # shellcheck disable=SC2086
    $cc objects/*.o -o sim $libraries
}

# shellcheck disable=SC2086
compile $sources && link || { echo "the simulation does not build"; exit 2; }
./sim --seeds 200 >sim.log 2>&1 || { echo "the unchanged tree fails:"; cat sim.log; exit 2; }

caught=0
missed=0
broken=0
for patch in "$root"/tests/sim/mutants/*.patch; do
    name=$(basename "$patch" .patch)
    file=$(sed -n 's,^+++ b/,,p' "$patch" | head -n 1)
    cp "$file" original.c
    if ! patch -s -p1 <"$patch" || ! compile "$file" || ! link; then
        printf '%-36s does not apply or build\n' "$name"
        broken=$((broken + 1))
    elif timeout 120 ./sim --seeds "$seeds" >sim.log 2>&1; then
        printf '%-36s MISSED in %s seeds\n' "$name" "$seeds"
        missed=$((missed + 1))
    else
        printf '%-36s %s\n' "$name" "$(grep '^sim: ' sim.log | head -n 1 | cut -c 6-)"
        caught=$((caught + 1))
    fi
    rm -f "$file".orig "$file".rej
    mv original.c "$file"
    compile "$file" || exit 2
done

echo "$caught caught, $missed missed"
[ "$broken" = 0 ] || exit 2
[ "$missed" = 0 ]
