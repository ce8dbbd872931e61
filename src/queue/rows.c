/*
 * A person's SQL. The store checks and runs it; this file checks the arguments and keeps rows out
 * of forked children. Rows belong to one thread at a time; they do not hold the handle open, and
 * after its close give QK_ECLOSED.
 */
#include <queuack/queue.h>

#include <string.h>

#include "queue/queue_internal.h"
#include "queue/validate.h"
#include "util/error.h"
#include "util/fork.h"

#define DEFAULT_TIMEOUT_US INT64_C(30000000)
#define MAX_SQL ((size_t)1 << 20)

static qk_status check_sql(const char *sql, qk_error *err)
{
    if (!sql || !*sql)
        return qk__error(err, QK_EINVAL, "sql: must not be empty");
    if (strnlen(sql, MAX_SQL + 1) > MAX_SQL)
        return qk__error(err, QK_ETOOLARGE, "sql: longer than %zu bytes", MAX_SQL);
    return QK_OK;
}

qk_status qk_rows_open(qk_rows **out, qk_queue *queue, const char *sql, qk_duration timeout,
                       qk_error *err)
{
    qk_rows *rows = NULL;

    if (!out)
        return qk__error(err, QK_EINVAL, "out: must not be NULL");
    *out = NULL;
    qk_status rc = qk__queue_enter(queue, err);
    if (rc)
        return rc;
    rc = check_sql(sql, err);
    if (!rc)
        rc = qk__check_duration("timeout", timeout, true, err);
    if (!rc) {
        int64_t limit_us = timeout.us ? timeout.us : DEFAULT_TIMEOUT_US;
        if (limit_us > QK__DURATION_MAX_US)
            limit_us = QK__DURATION_MAX_US;
        qk_store *store = qk__queue_store(queue);
        rc = store->ops->rows_open(store, &rows, sql, limit_us, err);
    }
    if (rc == QK_EREFUSED && err)
        qk__log_event(qk__queue_log(queue), QK_LOG_INFO, "sql.refused",
                      QK__FIELDS(qk__log_text("reason", err->message)), "refused a query: %s",
                      err->message);
    if (!rc) {
        rows->fork_generation = qk__fork_generation();
        *out = rows;
    }
    qk__queue_leave(queue);
    return rc;
}

static bool usable(const qk_rows *rows)
{
    return rows && rows->fork_generation == qk__fork_generation();
}

qk_status qk_rows_next(qk_rows *rows, qk_error *err)
{
    if (!rows)
        return qk__error(err, QK_EINVAL, "rows: must not be NULL");
    if (!usable(rows))
        return qk__error(err, QK_EFORKED, "the rows were opened before a fork");
    return rows->ops->next(rows, err);
}

size_t qk_rows_column_count(const qk_rows *rows)
{
    return usable(rows) ? rows->ops->column_count(rows) : 0;
}

const char *qk_rows_column_name(const qk_rows *rows, size_t column)
{
    return column < qk_rows_column_count(rows) ? rows->ops->column_name(rows, column) : NULL;
}

qk_column_type qk_rows_column_type(const qk_rows *rows, size_t column)
{
    return column < qk_rows_column_count(rows) ? rows->ops->column_type(rows, column)
                                               : QK_COLUMN_TEXT;
}

const char *qk_rows_text(const qk_rows *rows, size_t column)
{
    return column < qk_rows_column_count(rows) ? rows->ops->text(rows, column) : NULL;
}

size_t qk_rows_length(const qk_rows *rows, size_t column)
{
    return column < qk_rows_column_count(rows) ? rows->ops->length(rows, column) : 0;
}

void qk_rows_close(qk_rows *rows)
{
    if (usable(rows))
        rows->ops->close(rows);
}
