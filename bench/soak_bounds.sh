#!/bin/bash
# What commands may not do to the machine, in numbers:
#   - 200 commands whose grandchildren ignore SIGTERM, half of them outside session and group, run
#     into a timeout: none is left;
#   - a command prints 1 GB: how much memory and disk the worker takes for it.
#
# usage: bench/soak_bounds.sh PROGRAM
set -eu

queuack=$(readlink -f "$1")
dir=$(mktemp -d "${TMPDIR:-/tmp}/queuack-bounds-XXXXXX")
trap 'rm -rf "$dir"' EXIT
export QUEUACK_DB=$dir/q.duckdb TMPDIR=$dir
cd "$dir"

marked() { { grep -lsz "^BOUNDS=$dir\$" /proc/[0-9]*/environ 2>/dev/null || :; } | wc -l; }

cat >family.sh <<'SH'
trap '' TERM
sh -c 'trap "" TERM; sleep 900' &
setsid sh -c 'trap "" TERM; sleep 900' &
echo >>up
wait
SH
for _ in $(seq 200); do
    echo "{\"command\":[\"sh\",\"family.sh\"],\"env\":{\"BOUNDS\":\"$dir\"},\"timeout\":\"5s\"}"
done >jobs.jsonl
"$queuack" enqueue --quiet --batch jobs.jsonl >/dev/null
"$queuack" worker --drain -j 200 --quiet 2>/dev/null &
worker=$!
most=0
while kill -0 "$worker" 2>/dev/null; do
    now=$(marked)
    [ "$now" -le "$most" ] || most=$now
    sleep 0.2
done
wait "$worker" || :
echo "200 families: $(wc -l <up) started, at most $most processes seen at once, $(marked) left"
[ "$(wc -l <up)" = 200 ] && [ "$(marked)" = 0 ]
"$queuack" stats --json

# A gigabyte of lines.
"$queuack" enqueue --quiet -- sh -c 'yes 0123456789012345678901234567890 | head -c 1000000000' >/dev/null
"$queuack" worker --drain -j 1 --quiet &
worker=$!
peak=0 disk=0
while kill -0 "$worker" 2>/dev/null; do
    now=$(awk '/^VmHWM/ {print $2}' "/proc/$worker/status" 2>/dev/null || :)
    [ "${now:-0}" -le "$peak" ] || peak=$now
    now=$(du -sk "$dir" | cut -f1)
    [ "$now" -le "$disk" ] || disk=$now
    sleep 0.1
done
wait "$worker"
echo "1 GB printed: peak memory $peak KiB, folder of the store at most $disk KiB, kept $(du -k "$QUEUACK_DB.logs"/*.log | cut -f1) KiB"
[ "$peak" -lt 120000 ] && [ "$disk" -lt 40000 ]
