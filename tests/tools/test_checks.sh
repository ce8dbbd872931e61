#!/bin/bash
# The checks of layers and sizes find what they are for, and accept what is right.
# Uses: SOURCE_DIR.
set -u

failures=0
tree=$TMPDIR/tree

fresh() {
    rm -rf "$tree"
    mkdir -p "$tree/tools" "$tree/include/queuack" "$tree/src"/{util,queue,cli,worker} \
        "$tree/src/store/embedded"
    cp "$SOURCE_DIR"/tools/check_*.py "$tree/tools"
    touch "$tree/include/queuack/queuack.h" "$tree/src/util/buffer.h" "$tree/src/queue/rules.h" \
        "$tree/src/store/store.h" "$tree/src/store/embedded/row.h" "$tree/src/cli/own.h"
}

# expect accepted|refused CHECK FILE CONTENT
expect() {
    fresh
    printf '%b\n' "$4" >"$tree/$3"
    if "$tree/tools/check_$2.py" >"$TMPDIR/out"; then got=accepted; else got=refused; fi
    if [ "$got" != "$1" ]; then
        echo "$3 with '${4:0:60}' was $got by $2"
        cat "$TMPDIR/out"
        failures=$((failures + 1))
    fi
}

expect accepted layers src/cli/a.c '#include <queuack/queuack.h>\n#include "own.h"'
expect refused layers src/cli/a.c '#include "util/buffer.h"'
expect refused layers src/cli/a.c '#include <util/buffer.h>'
expect accepted layers src/queue/a.c '#include "store/store.h"\n#include "util/buffer.h"'
expect refused layers src/queue/a.c '#include "store/embedded/row.h"'
expect refused layers src/util/a.c '#include "queue/rules.h"'
expect accepted layers src/worker/a.c '#include "queue/rules.h"'
expect accepted layers src/store/embedded/a.c '#include <duckdb.h>\n#include "queue/rules.h"'
expect refused layers src/store/embedded/a.c '#include "queue/queue_internal.h"'
expect refused layers src/queue/a.c '#  include <duckdb.h>'
expect refused layers src/store/embedded/a.c '#include <libpq-fe.h>'
expect refused layers include/queuack/a.h '#include "util/buffer.h"'
expect refused layers src/stray.c '#include <stdio.h>'

lines() { for ((i = 0; i < $1; i++)); do printf '    x++;\\n'; done; }
expect accepted sizes src/util/a.c "int f(void)\n{\n$(lines 40)}"
expect refused sizes src/util/a.c "int f(void)\n{\n$(lines 41)}"
expect accepted sizes src/util/a.c "/* Steps. long: one table */\n\n/* long: a table */\nint f(void)\n{\n$(lines 41)}"
expect refused sizes src/util/a.c "/* long: of another */\nint g(void);\n\nint f(void)\n{\n$(lines 41)}"
expect refused sizes src/util/a.c "/* long: a table */\nint f(void)\n{\n$(lines 81)}"
expect accepted sizes src/util/a.c "$(lines 399)"
expect refused sizes src/util/a.c "$(lines 401)"
expect accepted sizes src/util/a.c "/* long file: a table */\n$(lines 401)"
expect refused sizes src/util/a.c "/* long file: a table */\n$(lines 801)"

echo "$failures failures"
[ "$failures" = 0 ]
