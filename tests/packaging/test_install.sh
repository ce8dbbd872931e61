#!/bin/bash
# Installs into a fresh prefix, compiles a first program against that through pkg-config and through
# the CMake package (shared and static), and runs it and the installed program.
# Uses: BUILD_DIR, SOURCE_DIR, CC, DUCKDB_LIBRARY.
set -eu

prefix=$TMPDIR/prefix
program=$SOURCE_DIR/tests/packaging/first_program.c
cmake --install "$BUILD_DIR" --prefix "$prefix" >"$TMPDIR/install.log"
pc=$(find "$prefix" -name queuack.pc)
libdir=$(dirname "$(dirname "$pc")")
duckdb_dir=$(dirname "$DUCKDB_LIBRARY")
export LD_LIBRARY_PATH=$libdir:$duckdb_dir
export PKG_CONFIG_PATH=$libdir/pkgconfig

run() { # run NAME PROGRAM: in a folder of its own, where it makes its file
    mkdir "$TMPDIR/run-$1"
    answer=$(cd "$TMPDIR/run-$1" && "$2")
    if [ "$answer" != 'done {"ok":true}' ]; then
        echo "$1: expected 'done {\"ok\":true}', got '$answer'"
        exit 1
    fi
    echo "$1: $answer"
}

version=$(sed -n 's/.*QK_VERSION_STRING "\(.*\)"/\1/p' "$prefix/include/queuack/version.h")
[ "$(pkg-config --modversion queuack)" = "$version" ]

# shellcheck disable=SC2046 # flags are words
"$CC" -std=c17 -Wall -Wextra -Werror "$program" -o "$TMPDIR/by-pkg-config" \
    $(pkg-config --cflags --libs queuack) -Wl,-rpath-link,"$LD_LIBRARY_PATH"
run pkg-config "$TMPDIR/by-pkg-config"

for file in man/man1/queuack.1 man/man1/queuack-enqueue.1 zsh/site-functions/_queuack \
    bash-completion/completions/queuack fish/vendor_completions.d/queuack.fish; do
    [ -s "$prefix/share/$file" ] || {
        echo "share/$file is not installed"
        exit 1
    }
done

mkdir "$TMPDIR/consumer"
cat >"$TMPDIR/consumer/CMakeLists.txt" <<'END'
cmake_minimum_required(VERSION 3.25)
project(consumer LANGUAGES C)
find_package(queuack 0.1 REQUIRED)
add_executable(shared "${PROGRAM}")
target_link_libraries(shared PRIVATE queuack::queuack)
target_link_options(shared PRIVATE "-Wl,-rpath-link,${LIBRARIES}")
add_executable(static "${PROGRAM}")
target_link_libraries(static PRIVATE queuack::queuack_static)
END
DUCKDB_ROOT=$duckdb_dir cmake -S "$TMPDIR/consumer" -B "$TMPDIR/consumer/build" \
    -DCMAKE_PREFIX_PATH="$prefix" -DPROGRAM="$program" -DLIBRARIES="$LD_LIBRARY_PATH" \
    -DCMAKE_C_COMPILER="$CC" >"$TMPDIR/cmake.log" 2>&1 || {
    cat "$TMPDIR/cmake.log"
    exit 1
}
cmake --build "$TMPDIR/consumer/build" >"$TMPDIR/cmake.log" 2>&1 || {
    cat "$TMPDIR/cmake.log"
    exit 1
}
run cmake-shared "$TMPDIR/consumer/build/shared"
run cmake-static "$TMPDIR/consumer/build/static"

# The installed program finds its libraries by itself when DuckDB came along.
if [ -e "$libdir/$(basename "$DUCKDB_LIBRARY")" ]; then
    unset LD_LIBRARY_PATH
fi
"$prefix/bin/queuack" version | grep -F "$version"

# It finds the program for SQL tasks too, wherever both were moved to.
export QUEUACK_DB="$TMPDIR/q.duckdb"
unset QUEUACK_SQL
mv "$prefix" "$prefix-moved"
"$prefix-moved/bin/queuack" enqueue --quiet sql -d '"SELECT 42 AS answer"'
"$prefix-moved/bin/queuack" worker --drain --quiet
"$prefix-moved/bin/queuack" jobs result @1 | grep -F '"answer":42'
