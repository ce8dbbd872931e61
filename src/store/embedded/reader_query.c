/*
 * Running statements on a slot; see reader_internal.h.
 *
 * The order in qk__slot_begin is what makes a picture consistent: with commits held back (pin), the
 * transaction takes its snapshot of the tables by touching one, then the live rows are copied; what
 * ends later is still live here and not yet in these tables.
 */
#include <stdlib.h>
#include <string.h>

#include "store/embedded/database.h"
#include "store/embedded/reader_internal.h"
#include "store/embedded/row_set.h"
#include "util/error.h"

static void drop_snapshot(qk__slot *slot)
{
    slot->live = NULL;
    qk__row_set_dispose(&slot->snapshot);
}

/* A delayed job whose time has come is shown as pending, as in the stored views. */
static void show_ready(qk__slot *slot)
{
    const qk_clock *clock = &slot->reader->clock;
    int64_t now = clock->wall(clock->user).us;
    for (size_t i = 0; i < slot->snapshot.count; i++) {
        qk__row *row = &slot->snapshot.rows[i];
        if (row->op <= QK__OP_REOPEN && row->status == QK_JOB_DELAYED &&
            row->execute_after_us <= now)
            row->status = QK_JOB_PENDING;
    }
}

static qk_status begin_pinned(qk__slot *slot, qk_error *err)
{
    const qk__reader_host *host = &slot->reader->host;
    qk_status rc = qk__database_run(slot->connection, "BEGIN TRANSACTION READ ONLY", err);
    if (rc)
        return rc;
    slot->in_transaction = true;
    rc = qk__database_run(slot->connection, "SELECT count(*) FROM main.queuack_meta", err);
    return rc ? rc : host->snapshot(host->self, &slot->snapshot, err);
}

qk_status qk__slot_begin(qk__slot *slot, qk_error *err)
{
    const qk__reader_host *host = &slot->reader->host;
    drop_snapshot(slot);
    host->pin(host->self);
    qk_status rc = begin_pinned(slot, err);
    host->unpin(host->self);
    if (rc)
        return rc;
    show_ready(slot);
    slot->live = &slot->snapshot;
    return QK_OK;
}

static duckdb_state bind_one(duckdb_prepared_statement statement, idx_t index,
                             const qk__parameter *parameter)
{
    switch (parameter->kind) {
    case QK__PARAMETER_TEXT:
        return duckdb_bind_varchar(statement, index, parameter->text);
    case QK__PARAMETER_INT:
        return duckdb_bind_int64(statement, index, parameter->number);
    case QK__PARAMETER_TIME:
        return duckdb_bind_timestamp(statement, index, (duckdb_timestamp){ parameter->number });
    case QK__PARAMETER_ID: {
        duckdb_hugeint flipped;
        qk__id_to_duckdb(&flipped, parameter->id);
        duckdb_uhugeint number = { flipped.lower, (uint64_t)flipped.upper ^ (UINT64_C(1) << 63) };
        duckdb_value value = duckdb_create_uuid(number);
        duckdb_state state = value ? duckdb_bind_value(statement, index, value) : DuckDBError;
        duckdb_destroy_value(&value);
        return state;
    }
    }
    return DuckDBError;
}

qk_status qk__slot_error(qk__slot *slot, const char *doing, duckdb_error_type type,
                         const char *text, qk_error *err)
{
    pthread_mutex_lock(&slot->reader->mutex);
    qk__slot_stop stop = slot->stop;
    pthread_mutex_unlock(&slot->reader->mutex);
    switch (stop) {
    case QK__SLOT_LATE:
        return qk__error(err, QK_ETIMEDOUT,
                         "the query took longer than its time limit: ask for less or allow more");
    case QK__SLOT_CLOSING:
        return qk__error(err, QK_ECLOSED, "the store is being closed");
    case QK__SLOT_MEMORY:
        return qk__error(err, QK_ENOMEM,
                         "the query was stopped because it needs too much memory: ask for less");
    case QK__SLOT_RUNS:
        break;
    }
    return qk__database_error(err, doing, type, text);
}

qk_status qk__slot_query(qk__slot *slot, duckdb_result *out, const char *sql,
                         const qk__parameter *parameters, size_t count, qk_error *err)
{
    static const char doing[] = "cannot read the store";
    duckdb_prepared_statement statement = NULL;
    qk_status rc = QK_OK;
    if (duckdb_prepare(slot->connection, sql, &statement) != DuckDBSuccess) {
        rc =
            qk__slot_error(slot, doing, DUCKDB_ERROR_INVALID, duckdb_prepare_error(statement), err);
        goto out;
    }
    for (size_t i = 0; i < count; i++) {
        if (bind_one(statement, i + 1, &parameters[i]) != DuckDBSuccess) {
            rc = qk__error(err, QK_ENOMEM, "out of memory");
            goto out;
        }
    }
    if (duckdb_execute_prepared(statement, out) != DuckDBSuccess) {
        rc = qk__slot_error(slot, doing, duckdb_result_error_type(out), duckdb_result_error(out),
                            err);
        duckdb_destroy_result(out);
    }
out:
    duckdb_destroy_prepare(&statement);
    return rc;
}

qk_status qk__reader_fetch(qk__reader *reader, qk__row_set *out, const char *sql,
                           const qk__parameter *parameters, size_t count, qk_error *err)
{
    qk__slot *slot;
    duckdb_result result;
    memset(out, 0, sizeof(*out));
    qk_status rc = qk__slot_take(&slot, reader, false, 0, err);
    if (rc)
        return rc;
    rc = qk__slot_query(slot, &result, sql, parameters, count, err);
    if (!rc) {
        rc = qk__row_set_read(out, &result, err);
        duckdb_destroy_result(&result);
    }
    qk__slot_release(slot);
    return rc;
}
