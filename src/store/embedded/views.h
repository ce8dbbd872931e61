/*
 * The views people read, and their building blocks.
 *
 * One list of definitions serves twice: stored in the file, from tables alone (right on a closed or
 * killed file for plain DuckDB), and as TEMP views of a reader's connection, which shadow them and
 * take what is live from a table function. Only the three views named in `live` below differ.
 */
#ifndef QK_STORE_EMBEDDED_VIEWS_H
#define QK_STORE_EMBEDDED_VIEWS_H

#include <stdbool.h>

#include <duckdb.h>

#include <queuack/error.h>

/* Rises whenever a definition changes; an older file's stored views are then made anew. */
#define QK__VIEWS_VERSION 2

/* Columns of qk_live_<n> (after op) and of the building blocks (which end with `state`, the status
 * as text), in order; without batch. */
#define QK__ROW_COLUMNS                                                                            \
    "id, seq, related, node, kind, queue, priority, payload, created_at, status, execute_after, "  \
    "claimed_at, claimed_by, finished_at, attempts, attempt, result, error, exit_code, log_tail, " \
    "ext"

/* Makes the stored views (live_function NULL), or the TEMP ones reading from `live_function`. */
qk_status qk__views_create(duckdb_connection connection, const char *live_function, qk_error *err);

/* Is this one of the published views? Case does not matter. */
bool qk__views_published(const char *name);

/* "jobs, job_attempts, …" for messages. Static. */
const char *qk__views_list(void);

#endif
