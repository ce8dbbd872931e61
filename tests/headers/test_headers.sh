#!/bin/bash
# Every header compiles alone as C17, twice in a row, and the umbrella header also as C++.
# Uses: CC, CXX, SOURCE_DIR, DUCKDB_INCLUDE_DIR.
set -u

failures=0
checked=0
flags=(-D_GNU_SOURCE -Wall -Wextra -Werror -fsyntax-only
    -I "$SOURCE_DIR/include" -I "$SOURCE_DIR/src" -isystem "$DUCKDB_INCLUDE_DIR")

# compile COMPILER LANGUAGE STANDARD HEADER
compile() {
    printf '#include <%s>\n#include <%s>\n' "$4" "$4" >"$TMPDIR/unit.c"
    checked=$((checked + 1))
    if ! "$1" -x "$2" -std="$3" "${flags[@]}" "$TMPDIR/unit.c"; then
        echo "$4 does not compile alone as $3"
        failures=$((failures + 1))
    fi
}

cd "$SOURCE_DIR/include" || exit 1
for header in queuack/*.h; do
    compile "$CC" c c17 "$header"
done
cd "$SOURCE_DIR/src" || exit 1
while read -r header; do
    compile "$CC" c c17 "${header#./}"
done < <(find . -name '*.h' -not -path './cli/*')
compile "$CXX" c++ c++11 queuack/queuack.h
compile "$CXX" c++ c++20 queuack/queuack.h

# A public header needs nothing but the public folder.
printf '#include <queuack/queuack.h>\nint main(void) { return 0; }\n' >"$TMPDIR/unit.c"
"$CC" -std=c17 -pedantic -Wall -Wextra -Werror -fsyntax-only -I "$SOURCE_DIR/include" \
    "$TMPDIR/unit.c" || failures=$((failures + 1))

echo "$checked compilations, $failures failures"
[ "$failures" = 0 ] && [ "$checked" -gt 9 ]
