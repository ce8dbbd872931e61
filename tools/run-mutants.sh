#!/bin/bash
# Shows that the simulations notice faults: each patch of tests/{sim,runs}/mutants is applied to a copy
# of the tree in a temporary folder, the simulation beside it (sim, runs_sim) is built from that, and
# has to fail within SEEDS histories. The two go side by side. Prints a table, then "N caught, N
# missed"; exit code 1 if one was missed, 2 if a patch does not apply or build, or the unchanged tree
# fails.
#
#   tools/run-mutants.sh [SEEDS]      default 2000
set -u

seeds=${1:-2000}
root=$(cd "$(dirname "$0")/.." && pwd)
cc=${CC:-cc}
# Sections, so that a file is linked for one of its functions without what the others need.
flags="-std=c17 -D_GNU_SOURCE -O1 -ffunction-sections -DCHUNK_BITS=5 -Iinclude -Isrc -Itests"
flags="$flags $(pkg-config --cflags jansson)"
libraries="$(pkg-config --libs jansson) -lm -lpthread"
work=$(mktemp -d) || exit 2
trap 'rm -rf "$work"' EXIT

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
    $cc -Wl,--gc-sections objects/*.o -o simulation $libraries
}

# In a folder of its own: the tree as far as it is needed, built.
prepare() { # SUITE
    local sources
    mkdir -p src tests objects || return 1
    cp -R "$root/include" . && cp -R "$root/src/util" "$root/src/queue" "$root/src/dag" src/ &&
        mkdir -p src/store && cp "$root/src/store/store.h" src/store/ &&
        cp -R "$root/src/store/embedded" src/store/ && cp -R "$root/tests/$1" tests/ || return 1
    sources="$(ls src/store/embedded/engine*.c src/queue/rules.c src/util/*.c "tests/$1"/*.c)"
    sources="$sources $(grep -l '^bool qk_job_status_is_terminal' src/queue/*.c)"
    if [ "$1" = runs ]; then
        sources="$sources src/store/embedded/embedded_retry_plan.c"
        sources="$sources $(grep -l '^const char \*qk_run_status_name' src/queue/*.c)"
    fi
    # shellcheck disable=SC2086
    compile $sources && link
}

try() { # PATCH: one line of the table
    local name file result=caught
    name=$(basename "$1" .patch)
    file=$(sed -n 's,^+++ b/,,p' "$1" | head -n 1)
    cp "$file" original.c
    if ! patch -s -p1 <"$1" || ! compile "$file" || ! link; then
        printf '%-36s does not apply or build\n' "$name"
        result=broken
    elif timeout 120 ./simulation --seeds "$seeds" >simulation.log 2>&1; then
        printf '%-36s MISSED in %s seeds\n' "$name" "$seeds"
        result=missed
    else
        printf '%-36s %s\n' "$name" "$(sed -n 's/^[a-z_]*sim: //p' simulation.log | head -n 1)"
    fi
    echo "$result" >>results
    rm -f "$file".orig "$file".rej
    mv original.c "$file"
    compile "$file"
}

suite() { # SUITE
    mkdir "$work/$1" && cd "$work/$1" || return 2
    prepare "$1" || { echo "the simulation of $1 does not build"; return 2; }
    ./simulation --seeds 200 >simulation.log 2>&1 ||
        { echo "the unchanged tree fails:"; cat simulation.log; return 2; }
    for patch in "$root/tests/$1/mutants"/*.patch; do
        try "$patch" || return 2
    done
}

suite sim >"$work/sim.table" 2>&1 &
sim=$!
suite runs
runs_rc=$?
wait "$sim"
sim_rc=$?
cat "$work/sim.table"

count() {
    cat "$work"/*/results 2>/dev/null | grep -c "^$1\$"
}
echo "$(count caught) caught, $(count missed) missed"
[ "$runs_rc" = 0 ] && [ "$sim_rc" = 0 ] && [ "$(count broken)" = 0 ] || exit 2
[ "$(count missed)" = 0 ]
