#!/bin/bash
# Bootstrap on machines that lack everything: it installs only as root or with password-less sudo,
# names packages and command otherwise, and does nothing where nothing is missing.
# The machine is a PATH of stubs, so that nothing is ever installed.  Uses: SOURCE_DIR.
set -u

failures=0
bin=$TMPDIR/bin
bootstrap=$TMPDIR/tree/tools/bootstrap.sh
mkdir -p "$bin" "$TMPDIR/tree/tools"
cp "$SOURCE_DIR/tools/bootstrap.sh" "$TMPDIR/tree/tools"
for tool in sh dirname sed cat mktemp rm tail env uname; do
    ln -s "$(command -v "$tool")" "$bin/$tool"
done

stub() { # stub NAME TEXT
    printf '#!/bin/sh\n%s\n' "$2" >"$bin/$1"
    chmod +x "$bin/$1"
}

# run EXIT-CODE TASK…: output in $TMPDIR/out, calls of apt-get in $TMPDIR/apt
run() {
    local expected=$1 code
    shift
    rm -f "$TMPDIR/apt"
    PATH=$bin DUCKDB_ROOT='' "$bootstrap" "$@" >"$TMPDIR/out" 2>&1
    code=$?
    if [ "$code" != "$expected" ]; then
        echo "bootstrap $*: exit code $code instead of $expected"
        cat "$TMPDIR/out"
        failures=$((failures + 1))
    fi
}

has() { # has FILE TEXT
    grep -qF -- "$2" "$TMPDIR/$1" || {
        echo "$1 lacks '$2':"
        cat "$TMPDIR/$1"
        failures=$((failures + 1))
    }
}

no_apt_calls() {
    [ ! -e "$TMPDIR/apt" ] || {
        echo "apt-get was called: $(cat "$TMPDIR/apt")"
        failures=$((failures + 1))
    }
}

stub id 'echo 1000'
run 1 build
has out 'libjansson-dev'
has out 'package manager'

stub apt-get "echo \"\$*\" >>'$TMPDIR/apt'"
run 1 build lint
has out 'type: sudo apt-get install cmake ninja-build'
has out 'clang-tidy'
no_apt_calls

stub sudo 'exit 1' # would ask for a password
run 1 build
has out 'type: sudo apt-get install'
no_apt_calls

# shellcheck disable=SC2016 # for the stub to expand
stub sudo '[ "$1" != -n ] || shift; exec "$@"'
stub true ''
run 0 lint
has out 'installing with apt: clang-format clang-tidy cppcheck'
has apt 'install -y --no-install-recommends clang-format clang-tidy cppcheck'

stub id 'echo 0'
rm "$bin/sudo"
run 0 build
has apt 'libjansson-dev libyaml-dev libcmocka-dev libncurses-dev mandoc libmicrohttpd-dev libcurl4-openssl-dev npm ca-certificates'

stub apt-get 'exit 100'
run 1 build
has out 'apt failed; the packages are:'

stub apt-get "echo \"\$*\" >>'$TMPDIR/apt'"
for tool in cc c++ ninja python3 npm pkg-config man; do stub "$tool" 'exit 0'; done
stub cmake 'echo cmake version 3.31.2'
run 0 build
no_apt_calls
stub cmake 'echo cmake version 3.22.1'
run 1 build
has out 'older than 3.25'

echo "$failures failures"
[ "$failures" = 0 ]
