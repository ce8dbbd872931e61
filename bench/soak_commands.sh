#!/bin/bash
# Soak: many short commands through one worker, watching its descriptors, memory and zombies.
#
# usage: bench/soak_commands.sh PROGRAM [COMMANDS] [SLOTS]
#
# Prints a line per look (commands ended, descriptors, resident KiB, zombies, threads) and fails if
# descriptors or zombies are more at the end than after the first third, or memory is more than a
# third above it: by then DuckDB has filled what it keeps of the file, and checkpoints make it move
# up and down. Every tenth command prints, every hundredth fails, so that all paths are trodden.
set -eu

queuack=$(readlink -f "$1")
total=${2:-100000}
slots=${3:-2}
dir=$(mktemp -d "${TMPDIR:-/tmp}/queuack-soak-XXXXXX")
trap 'rm -rf "$dir"' EXIT
export QUEUACK_DB=$dir/q.duckdb TMPDIR=$dir

awk -v n="$total" 'BEGIN {
    for (i = 1; i <= n; i++)
        print i % 100 == 0 ? "{\"command\":[\"false\"]}" : \
              i % 10 == 0 ? "{\"command\":[\"echo\",\"{\\\"n\\\":1}\"]}" : "{\"command\":[\"true\"]}"
}' >"$dir/jobs.jsonl"
"$queuack" enqueue --quiet --batch "$dir/jobs.jsonl" >/dev/null
rm "$dir/jobs.jsonl"

began=$(date +%s)
"$queuack" worker --quiet --drain -j "$slots" &
worker=$!

# Through the worker's socket, as anybody asks.
ended() {
    "$queuack" --json stats | sed 's/.*"done":\([0-9]*\).*"failed":\([0-9]*\).*/\1 \2/' |
        awk '{print $1 + $2}'
}

look() {
    local fds memory threads zombies
    fds=$(find "/proc/$worker/fd" -mindepth 1 2>/dev/null | wc -l)
    memory=$(awk '/^VmRSS/ {print $2}' "/proc/$worker/status")
    threads=$(awk '/^Threads/ {print $2}' "/proc/$worker/status")
    zombies=$(ps -o stat= --ppid "$worker" | grep -c '^Z' || :)
    printf '%8d ended  %4d descriptors  %8d KiB  %3d zombies  %3d threads\n' \
        "$1" "$fds" "$memory" "$zombies" "$threads"
    last_fds=$fds last_memory=$memory last_zombies=$zombies
}

every=$((total / 20))
first_fds=
until [ -e "$QUEUACK_DB.sock" ]; do sleep 0.1; done
while kill -0 "$worker" 2>/dev/null; do
    count=$(ended)
    if [ "$count" -ge "${next:-$every}" ] && [ "$count" -lt $((total - slots * 50)) ]; then
        look "$count"
        next=$((count + every))
        [ -n "$first_fds" ] || [ "$count" -lt $((total / 3)) ] || {
            first_fds=$last_fds first_memory=$last_memory
        }
    fi
    sleep 1
done
code=0
wait "$worker" || code=$?
seconds=$(($(date +%s) - began))
echo "$total commands in $seconds s; the worker ended with $code"
[ "$code" = 1 ] # some failed, as they should
[ -n "$first_fds" ] || { echo "it was over before anything was seen: give it more"; exit 1; }
# Descriptors move by what the slots have open at the moment of the look.
[ "$last_fds" -le $((first_fds + slots * 8)) ] || { echo "descriptors grew: $first_fds to $last_fds"; exit 1; }
[ "$last_zombies" -le "$slots" ] || { echo "$last_zombies zombies"; exit 1; }
[ "$last_memory" -le $((first_memory + first_memory / 3)) ] ||
    { echo "memory grew: $first_memory to $last_memory KiB"; exit 1; }
"$queuack" stats --json
[ "$(ls "$QUEUACK_DB.logs" | wc -l)" = 0 ] || { echo "files were left beside the store"; exit 1; }
