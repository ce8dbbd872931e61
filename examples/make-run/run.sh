#!/bin/sh
# What `make run` shows: a folder of real files is compressed, one durable job per file, the
# largest first; one job fails at first and is retried. Then SQL tells what happened.
#
# usage: run.sh PROGRAM [FOLDER]     The folder (build/make-run) is emptied first, and kept after.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
program=$(cd "$(dirname "$1")" && pwd)/$(basename "$1")
folder=${2:-$root/build/make-run}

rm -rf "$folder"
mkdir -p "$folder/files"
cd "$folder"
export QUEUACK_DB="$folder/queue.duckdb"

queuack() { "$program" "$@"; }
say() { printf '\n%s\n' "$*"; }

# Real files of different sizes: Queuack's own documents and sources, and DuckDB's header.
for file in "$root"/*.md "$root"/docs/*.md "$root"/src/*/*.c "$root"/src/store/embedded/*.c \
    "$root"/include/queuack/*.h "$root"/.deps/duckdb/include/duckdb.h; do
    [ ! -s "$file" ] || cp "$file" "files/$(basename "$(dirname "$file")")-$(basename "$file")"
done
find files -type f -exec ls -S {} + >sorted
{
    head -n 6 sorted | sed 's/^/90 /'
    sed -n '7,12p' sorted | sed 's/^/50 /'
    tail -n +13 sorted | tail -n 6 | sed 's/^/10 /'
} | sort -k 2 >plan
cut -d ' ' -f 2 plan >chosen
find files -type f | sort | grep -vxFf chosen | while read -r file; do rm "$file"; done
count=$(wc -l <chosen | tr -d ' ')
[ "$count" -ge 12 ] || {
    echo "make run: only $count files to compress were found" >&2
    exit 1
}

say "Enqueueing $count files by name, with priorities by size, into $QUEUACK_DB"
flaky=$(sed -n 's/^50 //p' plan | head -n 1)
while read -r priority file; do
    if [ "$file" = "$flaky" ]; then
        # Fails on its first attempt, succeeds on the second.
        queuack --quiet enqueue -p "$priority" --max-attempts 2 --backoff 200ms --tag flaky \
            --name "${file#files/}" -- "$here/flaky-gzip.sh" "$file"
    else
        queuack --quiet enqueue -p "$priority" --name "${file#files/}" -- gzip -k "$file"
    fi
done <plan >ids
queuack stats

say "Running them: queuack worker --drain -j 2"
queuack worker --drain -j 2

say "What happened, in the order of the starts: queuack sql \"SELECT … FROM jobs\""
queuack sql "
    SELECT name, priority, status, attempts, exit_code,
           CAST(epoch_ms(completed_at) - epoch_ms(claimed_at) AS INTEGER) AS ms
    FROM jobs ORDER BY claimed_at, id"

say "Attempts that failed: queuack sql \"SELECT … FROM job_attempts\""
queuack sql "
    SELECT jobs.name, a.attempt, a.outcome, a.exit_code, a.error
    FROM job_attempts a JOIN jobs ON jobs.id = a.job_id WHERE a.outcome = 'failed'"

# Believe the disk, not the queue.
while read -r file; do
    gzip -t "$file.gz" || {
        echo "make run: $file.gz is missing or damaged" >&2
        exit 1
    }
done <chosen
say "$count files compressed: $(cat files/*.gz | wc -c | tr -d ' ') bytes in $folder/files." \
    "Look around with: $program --db $QUEUACK_DB jobs list"
