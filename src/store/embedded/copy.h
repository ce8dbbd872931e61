/*
 * Copying the rows of a store into a new file, which appears under its name only when it is complete.
 *
 * Any thread. The new file has a DuckDB of its own. Invariant: nothing that stands at the path is
 * touched before the copy is whole and on disk.
 */
#ifndef QK_STORE_EMBEDDED_COPY_H
#define QK_STORE_EMBEDDED_COPY_H

#include <duckdb.h>
#include <limits.h>

#include <queuack/upkeep.h>

#include "store/store.h"

/* A file being made. */
typedef struct qk__copy {
    char path[PATH_MAX]; /* its name to be */
    char part[PATH_MAX]; /* its name now */
    bool overwrite;
    duckdb_database database;
    duckdb_connection connection;
} qk__copy;

/* Whether a copy may take this name; the errors of qk__copy_begin without beginning. */
qk_status qk__copy_allowed(const char *path, bool overwrite, const char *not_over, qk_error *err);
/* `not_over` (may be NULL): the file that must not be replaced. QK_ECONFLICT, QK_EREFUSED, QK_EBUSY,
 * QK_EIO, QK_EFULL. After a failure nothing is left. */
qk_status qk__copy_begin(qk__copy *copy, const char *path, bool overwrite, const char *not_over,
                         const qk__store_config *config, qk_error *err);
/* Makes it durable and gives it its name. After a failure nothing is left. */
qk_status qk__copy_publish(qk__copy *copy, qk_error *err);
/* Removes it. Harmless after either of the others. */
void qk__copy_drop(qk__copy *copy);

/* How the rows of a table went. */
typedef struct qk__table_rows {
    uint64_t read, lost; /* lost: could not be read; at least so many */
    char error[256]; /* the first reason, or "" */
} qk__table_rows;

typedef struct qk__row_progress {
    qk_progress_fn fn; /* NULL: nobody is told */
    void *user;
    uint64_t done, total;
    bool (*stopped)(void *store); /* NULL: never. True: QK_ECLOSED */
    void *store;
} qk__row_progress;

extern const char *const qk__table_names[]; /* every table with rows of ours; ends with NULL */

/* Rows it holds, by its metadata; 0 if even that cannot be read. */
uint64_t qk__table_count(duckdb_connection from, const char *table);
/* Reads a table in slices and appends them to the same table of `to` (NULL: reads only). With
 * `salvage` slices that cannot be read are left out and counted, otherwise they are the error. */
qk_status qk__table_copy(duckdb_connection from, duckdb_connection to, const char *table,
                         bool salvage, qk__row_progress *progress, qk__table_rows *out,
                         qk_error *err);

#endif
