/*
 * Purging ended jobs: first everything that ended is settled, then rows go from the history and
 * what belongs to it, in one transaction on a connection of its own.
 */
#include "store/embedded/embedded_internal.h"

#include "store/embedded/database.h"
#include "util/buffer.h"
#include "util/error.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct condition {
    qk__buffer sql;
    const char *texts[4]; /* bound as $1, $2 … */
    size_t count;
};

static void add_text(struct condition *where, const char *format, const char *text)
{
    if (text != NULL) {
        where->texts[where->count++] = text;
        qk__buffer_printf(&where->sql, format, where->count);
    }
}

/* What may not go: jobs that live ones depend on, and all jobs of trees of runs that live on or that
 * one of those is of. A live job may read their results, and a person may retry them. */
struct kept {
    qk_id *parents, *roots;
    size_t parent_count, root_count;
};

static void add_ids(struct condition *where, const qk_id *ids, size_t count)
{
    char text[QK_ID_TEXT_SIZE];
    qk__buffer_text(&where->sql, "[");
    for (size_t i = 0; i < count; i++) {
        qk__buffer_printf(&where->sql, "%s'%s'", i == 0 ? "" : ", ", qk_id_format(text, ids[i]));
    }
    qk__buffer_text(&where->sql, "]::UUID[]");
}

static void add_kept(struct condition *where, const struct kept *kept)
{
    if (kept->parent_count + kept->root_count == 0) {
        return;
    }
    qk__buffer_text(&where->sql, " AND id NOT IN (SELECT unnest(");
    add_ids(where, kept->parents, kept->parent_count);
    qk__buffer_text(&where->sql,
                    ")) AND (related IS NULL OR related NOT IN (SELECT id FROM queuack_run_rows "
                    "WHERE root_run_id IN (SELECT unnest(");
    add_ids(where, kept->roots, kept->root_count);
    qk__buffer_text(&where->sql,
                    ") UNION ALL SELECT root_run_id FROM queuack_run_rows WHERE id IN (SELECT "
                    "related FROM queuack_ended WHERE id IN (SELECT unnest(");
    add_ids(where, kept->parents, kept->parent_count);
    qk__buffer_text(&where->sql, "))))))");
}

/* Text from outside is bound, never pasted. */
static qk_status build(struct embedded *store, const qk_job_filter *filter, const struct kept *kept,
                       struct condition *where)
{
    char id[QK_ID_TEXT_SIZE];
    const char *separator = "";
    qk__buffer_init(&where->sql, 64u << 20);
    qk__buffer_text(&where->sql, "status IN (");
    for (int s = QK_JOB_DONE; s < QK_JOB_STATUS_COUNT; s++) {
        if (filter->statuses == 0 || (filter->statuses >> s & 1) != 0) {
            qk__buffer_printf(&where->sql, "%s%d", separator, s);
            separator = ", ";
        }
    }
    qk__buffer_text(&where->sql, ")");
    if (filter->older_than.us > 0) {
        qk__buffer_printf(&where->sql, " AND finished_at <= make_timestamp(%lld)",
                          (long long)(embedded_now(store).wall_us - filter->older_than.us));
    }
    if (!qk_id_is_none(filter->run_id)) {
        qk__buffer_printf(&where->sql, " AND related = '%s'::UUID",
                          qk_id_format(id, filter->run_id));
    }
    add_text(where, " AND queue = $%zu", filter->queue);
    add_text(where, " AND kind = $%zu", filter->kind);
    add_text(where, " AND list_contains(json_extract_string(ext, '$.tg[*]'), $%zu)", filter->tag);
    add_text(where, " AND ends_with(replace(id::VARCHAR, '-', ''), lower($%zu))",
             filter->id_suffix);
    add_kept(where, kept);
    return where->sql.failed ? QK_ENOMEM : QK_OK;
}

static qk_status run(duckdb_connection connection, const char *before,
                     const struct condition *where, const char *after, size_t *changed,
                     qk_error *err)
{
    qk__buffer sql;
    duckdb_prepared_statement statement = NULL;
    duckdb_result result = { 0 };
    qk__buffer_init(&sql, 80u << 20);
    qk__buffer_printf(&sql, "%s%s%s", before, where->sql.data, after);
    qk_status rc = sql.failed ? no_memory(err) : QK_OK;
    if (rc == QK_OK && duckdb_prepare(connection, sql.data, &statement) != DuckDBSuccess) {
        rc = qk__database_error(err, "cannot purge", DUCKDB_ERROR_INVALID,
                                duckdb_prepare_error(statement));
    }
    for (size_t i = 0; rc == QK_OK && i < where->count; i++) {
        duckdb_bind_varchar(statement, i + 1, where->texts[i]);
    }
    if (rc == QK_OK && duckdb_execute_prepared(statement, &result) != DuckDBSuccess) {
        rc = qk__database_error(err, "cannot purge", duckdb_result_error_type(&result),
                                duckdb_result_error(&result));
    }
    if (rc == QK_OK && changed != NULL) {
        *changed = (size_t)duckdb_rows_changed(&result);
    }
    duckdb_destroy_result(&result);
    duckdb_destroy_prepare(&statement);
    qk__buffer_dispose(&sql);
    return rc;
}

static qk_status delete_rows(struct embedded *store, duckdb_connection connection,
                             const struct condition *where, size_t *changed, qk_error *err)
{
    qk_status rc = qk__database_run(connection, "BEGIN TRANSACTION", err);
    if (rc != QK_OK) {
        return rc;
    }
    rc = run(connection, "DELETE FROM attempts WHERE id IN (SELECT id FROM history WHERE ", where,
             ")", NULL, err);
    rc = rc != QK_OK ? rc
                     : run(connection,
                           "DELETE FROM edges WHERE child IN (SELECT id FROM history "
                           "WHERE ",
                           where, ")", NULL, err);
    rc = rc != QK_OK ? rc : run(connection, "DELETE FROM history WHERE ", where, "", changed, err);
    pthread_mutex_lock(&store->gate);
    if (rc == QK_OK) {
        rc = qk__database_run(connection, "COMMIT", err);
    }
    if (rc != QK_OK) {
        (void)qk__database_run(connection, "ROLLBACK", NULL);
    }
    pthread_mutex_unlock(&store->gate);
    return rc;
}

static qk_status find_kept(struct embedded *store, struct kept *kept, qk_error *err)
{
    qk_status rc = enter(store, err);
    if (rc == QK_OK) {
        rc = qk__engine_pinned(store->engine, &kept->parents, &kept->parent_count);
        if (rc == QK_OK) {
            rc = qk__engine_live_roots(store->engine, &kept->roots, &kept->root_count);
        }
        leave(store);
    }
    return rc == QK_ENOMEM ? no_memory(err) : rc;
}

/* While `facts` is held for writing: what becomes live meanwhile waits, and then finds it gone. */
static qk_status purge(struct embedded *store, size_t *changed, const qk_job_filter *filter,
                       qk_error *err)
{
    struct condition where = { 0 };
    struct kept kept = { 0 };
    duckdb_connection connection = NULL;
    qk_status rc = find_kept(store, &kept, err);
    if (rc == QK_OK && build(store, filter, &kept, &where) != QK_OK) {
        rc = no_memory(err);
    }
    if (rc == QK_OK && (rc = borrow_database(store, err)) == QK_OK) {
        rc = duckdb_connect(store->database, &connection) == DuckDBSuccess ? QK_OK : no_memory(err);
        rc = rc == QK_OK ? delete_rows(store, connection, &where, changed, err) : rc;
        duckdb_disconnect(&connection);
        return_database(store);
    }
    qk__buffer_dispose(&where.sql);
    free(kept.parents);
    free(kept.roots);
    return rc;
}

qk_status embedded_purge(qk_store *base, size_t *out, const qk_job_filter *filter, qk_error *err)
{
    struct embedded *store = embedded_of(base);
    size_t changed = 0;
    pthread_mutex_lock(&store->cold); /* a retry must not bring back what goes */
    qk_status rc = settle_all(store, err);
    if (rc == QK_OK) {
        pthread_rwlock_wrlock(&store->facts);
        rc = purge(store, &changed, filter, err);
        pthread_rwlock_unlock(&store->facts);
    }
    pthread_mutex_lock(&store->lock);
    store->bases_known = false;
    pthread_mutex_unlock(&store->lock);
    pthread_mutex_unlock(&store->cold);
    if (rc == QK_OK) {
        *out = changed;
    }
    return rc;
}
