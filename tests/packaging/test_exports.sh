#!/bin/bash
# The shared library exports the public API, all of it, and nothing else; its soname is versioned;
# it needs libc, DuckDB, a JSON library and those of components only.  Uses: BUILD_DIR, SOURCE_DIR.
set -eu

library=$BUILD_DIR/libqueuack.so
nm -D --defined-only "$library" | awk '{print $3}' | sort >"$TMPDIR/exported"
cat "$SOURCE_DIR"/include/queuack/*.h | tr '\n' ' ' |
    grep -oE 'QK_API [^;(]*\bqk_[a-z0-9_]+\(' | grep -oE 'qk_[a-z0-9_]+\($' | tr -d '(' |
    sort -u >"$TMPDIR/declared"

echo "$(wc -l <"$TMPDIR/declared") functions are declared"
[ "$(wc -l <"$TMPDIR/declared")" -gt 40 ]
if ! diff "$TMPDIR/declared" "$TMPDIR/exported"; then
    echo "declared (<) and exported (>) functions differ"
    exit 1
fi

objdump -p "$library" >"$TMPDIR/head"
grep -qE 'SONAME +libqueuack\.so\.0$' "$TMPDIR/head"
unexpected=$(sed -n 's/ *NEEDED *//p' "$TMPDIR/head" |
    grep -vE '^(libc|libm|libduckdb|libjansson|libmicrohttpd|libcurl|libyaml[-0-9]*|libpthread|ld-linux-[a-z0-9-]+)\.(so|dylib)' || :)
if [ -n "$unexpected" ]; then
    echo "unexpected libraries: $unexpected"
    exit 1
fi
