#!/bin/sh
# Fetches the pinned libduckdb and duckdb.h into .deps/duckdb (lib/, include/), checked against
# SHA-512 sums. Does nothing when they are there. Called by cmake/FindDuckDB.cmake when no
# installed DuckDB was found. Packages are asked for by name from whatever registry npm is set to.
set -eu

root=$(cd "$(dirname "$0")/.." && pwd)
target=$root/.deps/duckdb
library_version=1.5.6-r.1
header_version=1.4.4

library_sum='sha512-IXcrZJE6kEqM0Z4wwdVnGBHX/frOS33VPNAwDXQ/Q+Fs84b058Qe94chrCCIcNJlG8Y3UHIUU4eBeCQxW5mN1Q=='
header_sum='sha512-hEJJ5hyVF0VLj3dmOLpsWrQR0b3d4Ykqtygm6iUXjHJDDnSqg/USKxcb5qvNrOhFYPgktayU6dXCtgPqcmmpog=='

stop() {
    echo "fetch-duckdb: $*" >&2
    exit 1
}

stamp="$library_version $header_version"
if [ -e "$target/lib/libduckdb.so" ] && [ -e "$target/include/duckdb.h" ] &&
    [ "$(cat "$target/stamp" 2>/dev/null)" = "$stamp" ]; then
    exit 0
fi

case "$(uname -s)-$(uname -m)" in
Linux-x86_64) platform=linux-x64 ;;
*) stop "no pinned DuckDB for $(uname -s) $(uname -m):" \
    "unpack an official libduckdb archive and set DUCKDB_ROOT to its folder" ;;
esac
command -v npm >/dev/null || stop "npm is needed to fetch DuckDB: install it, or set DUCKDB_ROOT"

mkdir -p "$root/.deps"
work=$(mktemp -d "$root/.deps/fetch.XXXXXX")
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM

# fetch FOLDER NAME VERSION SUM: leaves the package's file in $work/FOLDER and prints its path
fetch() {
    echo "fetch-duckdb: fetching $2 $3" >&2
    mkdir "$work/$1"
    (cd "$work/$1" && npm pack "$2@$3" </dev/null >npm.log 2>&1) || {
        tail -n 15 "$work/$1/npm.log" >&2
        stop "npm could not fetch $2 $3"
    }
    file=$(find "$work/$1" -name '*.tgz' | head -n 1)
    [ -s "$file" ] || stop "npm pack $2@$3 left no file"
    sum=sha512-$(python3 -c 'import base64, hashlib, sys
print(base64.b64encode(hashlib.sha512(open(sys.argv[1], "rb").read()).digest()).decode())' "$file")
    [ "$sum" = "$4" ] || stop "$2@$3: wrong checksum $sum, expected $4: nothing was installed"
    echo "$file"
}

library=$(fetch library "@duckdb/node-bindings-$platform" "$library_version" "$library_sum")
header=$(fetch header duckdb "$header_version" "$header_sum")

mkdir -p "$work/out/lib" "$work/out/include"
tar -xzf "$library" -C "$work" package/libduckdb.so package/LICENSE
mv "$work/package/libduckdb.so" "$work/out/lib/"
mv "$work/package/LICENSE" "$work/out/LICENSE"
tar -xzf "$header" -C "$work" package/src/duckdb/src/include/duckdb.h
mv "$work/package/src/duckdb/src/include/duckdb.h" "$work/out/include/"
echo "$stamp" >"$work/out/stamp"

rm -rf "$target"
mv "$work/out" "$target"
echo "fetch-duckdb: DuckDB $library_version is in $target" >&2
