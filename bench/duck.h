/*
 * DuckDB used directly: the raw limit's rows, and a long history made in one statement.
 *
 * Only for files that no queue has open. Helpers end the row on an error.
 */
#ifndef BENCH_DUCK_H
#define BENCH_DUCK_H

#include <duckdb.h>
#include <stdbool.h>
#include <stdint.h>

typedef struct bench_duck {
    duckdb_database database;
    duckdb_connection connection;
} bench_duck;

/* One thread, no automatic checkpoint. */
void bench_duck_open(bench_duck *duck, const char *path);
void bench_duck_close(bench_duck *duck);
void bench_duck_run(bench_duck *duck, const char *sql);
/* First value of the first row as text; the caller frees with duckdb_free. */
char *bench_duck_text(bench_duck *duck, const char *sql);

/* Appends `count` ended jobs, 1 in 100 failed, to the history of a closed queue's file and
 * checkpoints it. */
void bench_duck_history(const char *path, uint64_t count);

/* The journal's columns; see docs/file-format.md. */
#define BENCH_JOURNAL_COLUMNS 23

/* A table like the journal and a chunk to append to it. */
typedef struct bench_journal {
    bench_duck duck;
    duckdb_logical_type types[BENCH_JOURNAL_COLUMNS];
    duckdb_data_chunk chunk;
    uint64_t next; /* number of the next lifecycle */
} bench_journal;

void bench_journal_open(bench_journal *journal, const char *path);
void bench_journal_close(bench_journal *journal);
/* One commit: the pending and the done image of so many jobs. */
void bench_journal_commit(bench_journal *journal, uint64_t lifecycles);

#endif
