/*
 * The DuckDB journal's life: opening, commits, turning from one table to the other.
 */
#include "store/embedded/journal_duckdb.h"

#include "store/embedded/database.h"
#include "util/buffer.h"
#include "util/error.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The appender flushes by itself beyond this many rows; larger batches need a transaction. */
#define AUTO_FLUSH_ROWS 100000

static const duckdb_type column_types[JOURNAL_COLUMNS] = {
    DUCKDB_TYPE_BIGINT,    DUCKDB_TYPE_UTINYINT,  DUCKDB_TYPE_UUID,      DUCKDB_TYPE_BIGINT,
    DUCKDB_TYPE_UUID,      DUCKDB_TYPE_VARCHAR,   DUCKDB_TYPE_VARCHAR,   DUCKDB_TYPE_VARCHAR,
    DUCKDB_TYPE_UTINYINT,  DUCKDB_TYPE_VARCHAR,   DUCKDB_TYPE_TIMESTAMP, DUCKDB_TYPE_UTINYINT,
    DUCKDB_TYPE_TIMESTAMP, DUCKDB_TYPE_TIMESTAMP, DUCKDB_TYPE_VARCHAR,   DUCKDB_TYPE_TIMESTAMP,
    DUCKDB_TYPE_INTEGER,   DUCKDB_TYPE_INTEGER,   DUCKDB_TYPE_VARCHAR,   DUCKDB_TYPE_VARCHAR,
    DUCKDB_TYPE_INTEGER,   DUCKDB_TYPE_VARCHAR,   DUCKDB_TYPE_VARCHAR,
};

qk_status journal_numbers(duckdb_connection connection, const char *sql, int64_t *values,
                          idx_t count, qk_error *err)
{
    duckdb_result result;
    qk_status rc = QK_OK;
    if (duckdb_query(connection, sql, &result) != DuckDBSuccess) {
        rc = qk__database_error(err, "cannot read the journal", duckdb_result_error_type(&result),
                                duckdb_result_error(&result));
    }
    for (idx_t i = 0; rc == QK_OK && i < count; i++) {
        values[i] = duckdb_value_int64(&result, i, 0);
    }
    duckdb_destroy_result(&result);
    return rc;
}

static qk_status last_batch(qk__journal *base, uint64_t *out, qk_error *err)
{
    struct duckdb_journal *journal = (struct duckdb_journal *)base;
    int64_t batch = 0;
    qk_status rc =
        journal_numbers(journal->writer,
                        "SELECT greatest((SELECT coalesce(max(batch), 0) FROM journal_a), "
                        "(SELECT coalesce(max(batch), 0) FROM journal_b), "
                        "(SELECT coalesce(max(batch), 0) FROM history))",
                        &batch, 1, err);
    *out = (uint64_t)batch;
    return rc;
}

/* One statement for all, with the range in it, so that the scan skips what is far away. */
static qk_status delete_ids(struct duckdb_journal *journal, const char *table, const qk_id *ids,
                            size_t count, qk_error *err)
{
    char id[QK_ID_TEXT_SIZE];
    char other[QK_ID_TEXT_SIZE];
    size_t low = 0;
    size_t high = 0;
    qk__buffer sql;
    qk__buffer_init(&sql, SIZE_MAX / 2);
    for (size_t i = 1; i < count; i++) {
        low = qk_id_compare(ids[i], ids[low]) < 0 ? i : low;
        high = qk_id_compare(ids[i], ids[high]) > 0 ? i : high;
    }
    qk__buffer_printf(&sql, "DELETE FROM %s WHERE id BETWEEN '%s'::UUID AND '%s'::UUID", table,
                      qk_id_format(id, ids[low]), qk_id_format(other, ids[high]));
    for (size_t i = 0; count > 1 && i < count; i++) {
        qk__buffer_printf(&sql, "%s%s", i == 0 ? " AND id IN (SELECT unnest(string_split('" : ",",
                          qk_id_format(id, ids[i]));
    }
    qk__buffer_text(&sql, count > 1 ? "', ','))::UUID)" : "");
    qk_status rc = sql.failed ? qk__error(err, QK_ENOMEM, "out of memory")
                              : qk__database_run(journal->writer, sql.data, err);
    qk__buffer_dispose(&sql);
    return rc;
}

/* Ids of ended jobs and runs that live again: their history rows go in the same commit. */
static qk_status delete_reopened(struct duckdb_journal *journal, const qk__cut *cut, qk_error *err)
{
    static const char *const tables[] = { "history", "runs" };
    qk_status rc = QK_OK;
    for (size_t t = 0; rc == QK_OK && cut->reopened_count > 0 && t < 2; t++) {
        rc = delete_ids(journal, tables[t], cut->reopened, cut->reopened_count, err);
    }
    return rc;
}

static qk_status copy_payloads(struct duckdb_journal *journal, const qk__cut *cut, qk_error *err)
{
    qk_status rc = QK_OK;
    for (size_t i = 0; rc == QK_OK && i < cut->carried_count; i++) {
        char id[QK_ID_TEXT_SIZE];
        char sql[320];
        snprintf(
            sql, sizeof sql,
            "INSERT INTO %s (batch, op, id, seq, priority, status, attempts, attempt, payload) "
            "SELECT %llu, 3, id, 0, 0, 0, 0, 0, payload FROM %s WHERE op = 3 AND id = "
            "'%s'::UUID LIMIT 1",
            journal_table(journal->active), (unsigned long long)cut->batch,
            journal_table(!journal->active), qk_id_format(id, cut->carried_payloads[i]));
        rc = qk__database_run(journal->writer, sql, err);
    }
    return rc;
}

static qk_status commit_in_transaction(struct duckdb_journal *journal, const qk__cut *cut,
                                       qk_error *err)
{
    qk_status rc = qk__database_run(journal->writer, "BEGIN TRANSACTION", err);
    if (rc != QK_OK) {
        return rc;
    }
    rc = delete_reopened(journal, cut, err);
    rc = rc == QK_OK ? copy_payloads(journal, cut, err) : rc;
    rc = rc == QK_OK ? journal_append(journal, cut->rows, cut->count, cut->batch, err) : rc;
    rc = rc == QK_OK ? qk__database_run(journal->writer, "COMMIT", err) : rc;
    if (rc != QK_OK) {
        journal_appender_drop(journal);
        (void)qk__database_run(journal->writer, "ROLLBACK", NULL);
    }
    return rc;
}

static qk_status commit_here(struct duckdb_journal *journal, const qk__cut *cut, qk_error *err)
{
    bool plain =
        cut->reopened_count == 0 && cut->carried_count == 0 && cut->count <= AUTO_FLUSH_ROWS;
    qk_status rc = QK_OK;
    if (cut->reopened_count > 0) {
        pthread_mutex_lock(&journal->settling);
    }
    pthread_mutex_lock(journal->gate);
    if (plain) {
        rc = journal_append(journal, cut->rows, cut->count, cut->batch, err);
    } else {
        rc = commit_in_transaction(journal, cut, err);
    }
    pthread_mutex_unlock(journal->gate);
    if (cut->reopened_count > 0) {
        pthread_mutex_unlock(&journal->settling);
    }
    if (rc != QK_OK) {
        journal_appender_drop(journal);
    }
    return rc;
}

struct commit_call {
    struct duckdb_journal *journal;
    const qk__cut *cut;
    qk_error *err;
    qk_status rc;
};

static void call_commit(void *argument)
{
    struct commit_call *call = argument;
    call->rc = commit_here(call->journal, call->cut, call->err);
}

/* The commit may create the log. Mostly the writer's thread is here, which is private already. */
static qk_status commit(qk__journal *base, const qk__cut *cut, qk_error *err)
{
    struct duckdb_journal *journal = (struct duckdb_journal *)base;
    struct commit_call call = { journal, cut, err, QK_OK };
    if (!qk__database_privately(call_commit, &call)) {
        return qk__error(err, QK_ENOMEM, "cannot start a thread");
    }
    if (journal->path != NULL) {
        qk__database_seal_log(journal->path);
    }
    if (call.rc == QK_OK) {
        journal->rows[journal->active] += cut->count + cut->carried_count;
        journal->commits[journal->active]++;
    }
    return call.rc;
}

static bool unsettled(const qk__journal *base)
{
    const struct duckdb_journal *journal = (const struct duckdb_journal *)base;
    return journal->rows[!journal->active] > 0;
}

static void size(const qk__journal *base, uint64_t *rows, uint64_t *commits, uint64_t *bytes)
{
    const struct duckdb_journal *journal = (const struct duckdb_journal *)base;
    *rows = journal->rows[journal->active];
    *commits = journal->commits[journal->active];
    *bytes = journal->bytes[journal->active];
}

static void turn(qk__journal *base)
{
    struct duckdb_journal *journal = (struct duckdb_journal *)base;
    journal_appender_drop(journal);
    journal->active = !journal->active;
}

static void close_journal(qk__journal *base)
{
    struct duckdb_journal *journal = (struct duckdb_journal *)base;
    if (journal == NULL) {
        return;
    }
    journal_appender_drop(journal);
    if (journal->chunk != NULL) {
        duckdb_destroy_data_chunk(&journal->chunk);
    }
    for (int i = 0; i < JOURNAL_COLUMNS; i++) {
        duckdb_destroy_logical_type(&journal->types[i]);
    }
    duckdb_disconnect(&journal->writer);
    duckdb_disconnect(&journal->maintenance);
    duckdb_disconnect(&journal->bystander);
    pthread_mutex_destroy(&journal->settling);
    free(journal);
}

static const struct qk__journal_ops duckdb_ops = {
    .commit = commit,
    .last_batch = last_batch,
    .replay = journal_replay,
    .unsettled = unsettled,
    .size = size,
    .turn = turn,
    .settle = journal_settle,
    .checkpoint = journal_checkpoint,
    .close = close_journal,
};

static qk_status find_active(struct duckdb_journal *journal, qk_error *err)
{
    int64_t v[6] = { 0 };
    qk_status rc = journal_numbers(
        journal->writer,
        "SELECT (SELECT count(*) FROM journal_a), (SELECT count(*) FROM journal_b), "
        "(SELECT coalesce(max(batch), 0) FROM journal_a), "
        "(SELECT coalesce(max(batch), 0) FROM journal_b), "
        "(SELECT count(DISTINCT batch) FROM journal_a), "
        "(SELECT count(DISTINCT batch) FROM journal_b)",
        v, 6, err);
    for (int i = 0; i < 2; i++) {
        journal->rows[i] = (uint64_t)v[i];
        journal->commits[i] = (uint64_t)v[4 + i];
        journal->bytes[i] = (uint64_t)v[i] * 150;
    }
    journal->active = v[3] > v[2];
    return rc;
}

qk_status qk__journal_duckdb_open(qk__journal **out, duckdb_database database, const char *path,
                                  pthread_mutex_t *gate, qk_error *err)
{
    struct duckdb_journal *journal = calloc(1, sizeof *journal);
    *out = NULL;
    if (journal == NULL) {
        return qk__error(err, QK_ENOMEM, "out of memory");
    }
    journal->base.ops = &duckdb_ops;
    journal->gate = gate;
    journal->path = path;
    pthread_mutex_init(&journal->settling, NULL);
    for (int i = 0; i < JOURNAL_COLUMNS; i++) {
        journal->types[i] = duckdb_create_logical_type(column_types[i]);
    }
    journal->chunk = duckdb_create_data_chunk(journal->types, JOURNAL_COLUMNS);
    qk_status rc = QK_OK;
    if (journal->chunk == NULL || duckdb_connect(database, &journal->writer) != DuckDBSuccess ||
        duckdb_connect(database, &journal->maintenance) != DuckDBSuccess ||
        duckdb_connect(database, &journal->bystander) != DuckDBSuccess) {
        rc = qk__error(err, QK_ENOMEM, "cannot connect to the store");
    }
    rc = rc == QK_OK ? find_active(journal, err) : rc;
    if (rc != QK_OK) {
        close_journal(&journal->base);
        return rc;
    }
    *out = &journal->base;
    return QK_OK;
}
