/*
 * Rows across a takeover. Those of an owner's own store are handed out as they are. Those from
 * another process keep its store alive until they are closed, also beyond the handle's close.
 */
#include "store/shared/shared_internal.h"

#include <stdlib.h>

#include "util/error.h"

struct rows {
    qk_rows base;
    qk_rows *rows;
    struct inner *inner;
};

static const struct rows *rows_of(const qk_rows *rows)
{
    return (const struct rows *)rows;
}

static qk_status rows_next(qk_rows *base, qk_error *err)
{
    qk_rows *rows = rows_of(base)->rows;
    return rows->ops->next(rows, err);
}

static size_t rows_column_count(const qk_rows *base)
{
    const qk_rows *rows = rows_of(base)->rows;
    return rows->ops->column_count(rows);
}

static const char *rows_column_name(const qk_rows *base, size_t column)
{
    const qk_rows *rows = rows_of(base)->rows;
    return rows->ops->column_name(rows, column);
}

static qk_column_type rows_column_type(const qk_rows *base, size_t column)
{
    const qk_rows *rows = rows_of(base)->rows;
    return rows->ops->column_type(rows, column);
}

static const char *rows_text(const qk_rows *base, size_t column)
{
    const qk_rows *rows = rows_of(base)->rows;
    return rows->ops->text(rows, column);
}

static size_t rows_length(const qk_rows *base, size_t column)
{
    const qk_rows *rows = rows_of(base)->rows;
    return rows->ops->length(rows, column);
}

static void rows_close(qk_rows *base)
{
    struct rows *rows = (struct rows *)base;
    rows->rows->ops->close(rows->rows);
    shared_unuse(rows->inner);
    free(rows);
}

static const struct qk__rows_ops operations = {
    .next = rows_next,
    .column_count = rows_column_count,
    .column_name = rows_column_name,
    .column_type = rows_column_type,
    .text = rows_text,
    .length = rows_length,
    .close = rows_close,
};

struct query {
    qk_rows **out;
    const char *sql;
    int64_t timeout_us;
};

static qk_status query(struct inner *inner, void *args, unsigned lost, qk_error *err)
{
    const struct query *call = args;
    qk_store *store = inner->store;
    (void)lost;
    if (inner->owner)
        return store->ops->rows_open(store, call->out, call->sql, call->timeout_us, err);
    struct rows *rows = calloc(1, sizeof(*rows));
    if (!rows)
        return qk__error(err, QK_ENOMEM, "out of memory");
    rows->base.ops = &operations;
    qk_status rc = store->ops->rows_open(store, &rows->rows, call->sql, call->timeout_us, err);
    if (rc) {
        free(rows);
        return rc;
    }
    atomic_fetch_add(&inner->references, 1);
    rows->inner = inner;
    *call->out = &rows->base;
    return QK_OK;
}

qk_status shared_rows_open(qk_store *base, qk_rows **out, const char *sql, int64_t timeout_us,
                           qk_error *err)
{
    struct query call = { out, sql, timeout_us };
    return shared_run(shared_of(base), query, &call, REPEAT, err);
}
