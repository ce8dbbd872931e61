/*
 * The journal in DuckDB: two alternating tables, one appender, group commit.
 *
 * Threads: commit and turn by the writer; settle by the maintenance thread on its own connection;
 * everything else while neither runs. `gate` is held while a commit becomes visible, so that who
 * holds it sees a fixed picture. `settling` is held by settle, and by commits that reopen ended
 * jobs, because those two touch the same history rows.
 */
#ifndef QK_STORE_EMBEDDED_JOURNAL_DUCKDB_H
#define QK_STORE_EMBEDDED_JOURNAL_DUCKDB_H

#include <duckdb.h>
#include <pthread.h>

#include "store/embedded/journal.h"

#define JOURNAL_COLUMNS 23

struct duckdb_journal {
    qk__journal base;
    duckdb_connection writer, maintenance, bystander; /* bystander: see journal_checkpoint */
    duckdb_appender appender; /* of the active table, kept between commits; NULL: none */
    duckdb_logical_type types[JOURNAL_COLUMNS];
    duckdb_data_chunk chunk;
    const char *path;
    pthread_mutex_t *gate;
    pthread_mutex_t settling;
    int active; /* 0: journal_a, 1: journal_b */
    uint64_t rows[2], commits[2], bytes[2];
};

/* `gate` and `path` (NULL: in memory) are the caller's and outlive the journal. */
qk_status qk__journal_duckdb_open(qk__journal **out, duckdb_database database, const char *path,
                                  pthread_mutex_t *gate, qk_error *err);

/* journal_append.c */
const char *journal_table(int which);
qk_status journal_append(struct duckdb_journal *journal, const qk__row *rows, size_t count,
                         uint64_t batch, qk_error *err);
qk_status journal_appender_open(struct duckdb_journal *journal, qk_error *err);
void journal_appender_drop(struct duckdb_journal *journal);

/* journal_replay.c */
qk_status journal_replay(qk__journal *journal, qk__journal_visit_fn visit, void *user,
                         qk_error *err);

/* journal_settle.c */
qk_status journal_settle(qk__journal *journal, qk_error *err);

/* journal_checkpoint.c */
qk_status journal_checkpoint(qk__journal *journal, bool quiet, qk_error *err);

/* journal_duckdb.c: one row of integers. */
qk_status journal_numbers(duckdb_connection connection, const char *sql, int64_t *values,
                          idx_t count, qk_error *err);

/* In 1.5 but not in the header of 1.4. */
duckdb_state duckdb_appender_clear(duckdb_appender appender);

#endif
