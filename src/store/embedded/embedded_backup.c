/*
 * A copy of the store at one moment, while it is in use.
 *
 * Everything accepted before is made durable first; then a read-only transaction of a connection of
 * its own sees one commit boundary of the file, however long copying takes. The journal is part of
 * the copy, so opening it is opening the store after an unclean end at that commit.
 */
#include "store/embedded/embedded_internal.h"

#include "store/embedded/copy.h"
#include "store/embedded/database.h"
#include "util/error.h"

static bool is_stopping(void *argument)
{
    struct embedded *store = argument;
    pthread_mutex_lock(&store->lock);
    bool stopping = store->stopping || store->closing;
    pthread_mutex_unlock(&store->lock);
    return stopping;
}

static qk_status copy_rows(struct embedded *store, duckdb_connection from, qk__copy *copy,
                           const qk_backup_options *options, qk_error *err)
{
    qk__row_progress progress = {
        options->progress, options->progress_user, 0, 0, is_stopping, store
    };
    qk__table_rows rows;
    qk_status rc = QK_OK;
    for (size_t i = 0; qk__table_names[i] != NULL; i++) {
        progress.total += qk__table_count(from, qk__table_names[i]);
    }
    for (size_t i = 0; rc == QK_OK && qk__table_names[i] != NULL; i++) {
        rc = qk__table_copy(from, copy->connection, qk__table_names[i], false, &progress, &rows,
                            err);
    }
    if (rc == QK_OK && options->progress != NULL) {
        (void)options->progress(options->progress_user, progress.total, progress.total);
    }
    return rc;
}

/* Without `lock`. */
static qk_status make_copy(struct embedded *store, const char *path,
                           const qk_backup_options *options, qk_error *err)
{
    qk__copy copy;
    duckdb_connection from = NULL;
    qk_status rc =
        qk__copy_begin(&copy, path, options->overwrite, store->path, &store->config, err);
    if (rc != QK_OK) {
        return rc;
    }
    if (duckdb_connect(store->database, &from) != DuckDBSuccess) {
        rc = no_memory(err);
    }
    if (rc == QK_OK) {
        rc = qk__database_run(from, "BEGIN TRANSACTION READ ONLY", err);
    }
    if (rc == QK_OK) {
        rc = copy_rows(store, from, &copy, options, err);
    }
    if (from != NULL) {
        duckdb_disconnect(&from);
    }
    if (rc == QK_OK) {
        rc = qk__copy_publish(&copy, err);
    }
    qk__copy_drop(&copy);
    return rc;
}

qk_status embedded_backup(qk_store *base, const char *path, const qk_backup_options *options,
                          qk_error *err)
{
    struct embedded *store = embedded_of(base);
    qk_status rc = enter(store, err);
    if (rc != QK_OK) {
        return rc;
    }
    if (!store->suspended) { /* a full disk does not keep what is durable from being copied */
        announce(store);
        rc = wait_durable(store, present_gate(store), err);
    }
    pthread_mutex_unlock(&store->lock);
    if (rc == QK_OK) {
        rc = make_copy(store, path, options, err);
    }
    pthread_mutex_lock(&store->lock);
    leave(store);
    return rc;
}
