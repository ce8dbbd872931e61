/*
 * The journal: where cuts become durable. A port; the engine's owner drives it.
 *
 * Two implementations: DuckDB (journal_duckdb.c), and a model disk for simulations, whose commits
 * are present, absent, or reported failed yet present.
 *
 * One thread (the writer) calls commit and turn; settle and checkpoint may run on another thread
 * meanwhile.
 * Invariants:
 *  1. Batches become durable in order, each whole or not at all.
 *  2. After a commit that failed, last_batch tells whether it is there (errors may be ambiguous).
 *  3. Rows go to the active table; turn() makes the other one active, which must be empty.
 *  4. settle() runs only when nothing live has its last image in the inactive table.
 */
#ifndef QK_STORE_EMBEDDED_JOURNAL_H
#define QK_STORE_EMBEDDED_JOURNAL_H

#include "store/embedded/engine.h"

typedef struct qk__journal qk__journal;
typedef qk_status (*qk__journal_visit_fn)(void *user, const qk__row *row, uint64_t batch);

struct qk__journal_ops {
    /* All rows of the cut, in one commit. QK_EFULL, QK_EIO, QK_ENOMEM, QK_EDAMAGED (gone for good:
     * reopen). */
    qk_status (*commit)(qk__journal *journal, const qk__cut *cut, qk_error *err);
    /* Highest durable batch; 0: none. */
    qk_status (*last_batch)(qk__journal *journal, uint64_t *out, qk_error *err);
    /* Every row of both tables in batch order. */
    qk_status (*replay)(qk__journal *journal, qk__journal_visit_fn visit, void *user,
                        qk_error *err);
    /* True if the inactive table holds rows: live jobs must be carried, then it is settled. */
    bool (*unsettled)(const qk__journal *journal);
    /* Rows and commits in the active table. */
    void (*size)(const qk__journal *journal, uint64_t *rows, uint64_t *commits, uint64_t *bytes);
    void (*turn)(qk__journal *journal);
    /* Moves ended rows of the inactive table to the history and empties it. */
    qk_status (*settle)(qk__journal *journal, qk_error *err);
    /* Moves the log into the tables' own blocks. quiet: nobody is writing, so that the thorough
     * kind may be used, which makes commits wait. */
    qk_status (*checkpoint)(qk__journal *journal, bool quiet, qk_error *err);
    void (*close)(qk__journal *journal);
};

struct qk__journal {
    const struct qk__journal_ops *ops;
};

#endif
