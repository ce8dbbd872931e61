#!/bin/sh
# Sees to it that the tools for a task are there: tools/bootstrap.sh [build] [clang] [lint] [cover]
#
# What is found, by whatever way it got there, is left alone; then this ends at once. What is
# missing is installed with apt if that needs no password (root, or sudo without one), and
# otherwise named together with the command to type. `build` is all that running and testing need.
set -eu

root=$(cd "$(dirname "$0")/.." && pwd)
packages=
complaints=

have() { command -v "$1" >/dev/null 2>&1; }
need() { packages="$packages $1"; }
need_tool() { have "$1" || need "$2"; }

cmake_is_recent() {
    have cmake || return 1
    version=$(cmake --version | sed -n '1s/[^0-9]*\([0-9]*\)\.\([0-9]*\).*/\1 \2/p')
    # shellcheck disable=SC2086 # two words on purpose
    set -- $version
    [ "$1" -gt 3 ] || [ "$2" -ge 25 ]
}

need_library() { # need_library PKG-CONFIG-NAME PACKAGE
    if ! have pkg-config || ! pkg-config --exists "$1"; then
        need "$2"
    fi
}

duckdb_is_there() {
    [ -n "${DUCKDB_ROOT:-}" ] && return 0
    [ -e "$root/.deps/duckdb/stamp" ] && return 0
    have pkg-config && pkg-config --exists duckdb && return 0
    for prefix in /usr /usr/local /opt/homebrew; do
        [ -e "$prefix/include/duckdb.h" ] && return 0
    done
    return 1
}

need_for_build() {
    if ! cmake_is_recent; then
        have cmake && complaints="cmake is older than 3.25"
        need cmake
    fi
    need_tool ninja ninja-build
    need_tool cc gcc
    need_tool c++ g++
    need_tool pkg-config pkg-config
    need_tool python3 python3
    [ -e /usr/include/stdio.h ] || [ "$(uname -s)" != Linux ] || need libc6-dev
    need_library jansson libjansson-dev
    need_library yaml-0.1 libyaml-dev
    need_library cmocka libcmocka-dev
    # Loaded at run time for pictures of DAGs as SVG.
    if have ldconfig && ! ldconfig -p | grep -q 'libgvc\.so\.6'; then
        need libgvc6
    fi
    need_library ncursesw libncurses-dev
    have man || need_tool mandoc mandoc
    need_library libmicrohttpd libmicrohttpd-dev
    need_library libcurl libcurl4-openssl-dev
    if ! duckdb_is_there && ! have npm; then
        need npm
        need ca-certificates
    fi
}

for task in "${@:-build}"; do
    case $task in
    build) need_for_build ;;
    clang) need_tool clang clang ;;
    lint)
        need_tool clang-format clang-format
        need_tool clang-tidy clang-tidy
        need_tool cppcheck cppcheck
        ;;
    cover) need_tool gcovr gcovr ;;
    *)
        echo "bootstrap: unknown task $task" >&2
        exit 2
        ;;
    esac
done
[ -n "$packages" ] || exit 0

if ! have apt-get; then
    echo "bootstrap: missing (by their Debian names):$packages" >&2
    echo "bootstrap: install them with your system's package manager, then repeat" >&2
    exit 1
fi
if [ "$(id -u)" = 0 ]; then
    sudo=
elif have sudo && sudo -n true 2>/dev/null; then
    sudo=sudo
else
    echo "bootstrap: missing packages:$packages" >&2
    echo "bootstrap: type: sudo apt-get install$packages" >&2
    exit 1
fi

echo "bootstrap: installing with apt:$packages" >&2
log=$(mktemp)
trap 'rm -f "$log"' EXIT
# shellcheck disable=SC2086 # one word per package, and perhaps no sudo
if ! { $sudo apt-get update &&
    $sudo env DEBIAN_FRONTEND=noninteractive \
        apt-get install -y --no-install-recommends $packages; } >"$log" 2>&1 </dev/null; then
    tail -n 20 "$log" >&2
    echo "bootstrap: apt failed; the packages are:$packages" >&2
    exit 1
fi
if [ -n "$complaints" ] && ! cmake_is_recent; then
    echo "bootstrap: $complaints, also in this system's packages: install a newer one" >&2
    exit 1
fi
