/*
 * Rows of a person's SQL from the owner: read as they arrive, one line per row.
 *
 * A qk_rows belongs to one thread at a time. It outlives neither its store nor its close.
 */
#include "store/remote/remote_internal.h"

#include <stdlib.h>
#include <string.h>

#include "store/remote/wire.h"

struct rows {
    qk_rows base;
    qk__exchange *exchange;
    json_t *head; /* the columns */
    json_t *row;
    size_t columns;
    qk_column_type *types;
    bool ended;
    qk_error trouble;
};

static struct rows *rows_of(qk_rows *rows)
{
    return (struct rows *)rows;
}

static void rows_close(qk_rows *base)
{
    struct rows *rows = rows_of(base);
    if (rows->exchange)
        qk__exchange_close(rows->exchange);
    json_decref(rows->head);
    json_decref(rows->row);
    free(rows->types);
    free(rows);
}

static qk_status theirs(const char *line, size_t length, qk_error *err)
{
    /* ],"error":{"code":…,"message":…}} */
    json_t *json = NULL;
    if (length > 3 && line[1] == ',') {
        qk__buffer text;
        qk__buffer_init(&text, length + 8);
        qk__buffer_append(&text, "{", 1);
        qk__buffer_append(&text, line + 2, length - 2);
        json = text.failed ? NULL : json_loadb(text.data, text.length, 0, NULL);
        qk__buffer_dispose(&text);
    }
    const json_t *error = json_object_get(json, "error");
    const char *message = json_string_value(json_object_get(error, "message"));
    qk_status rc = qk__client_code(json_string_value(json_object_get(error, "code")));
    rc = message ? qk__error(err, rc, "%s", message) : remote_nonsense(err);
    json_decref(json);
    return rc;
}

static qk_status read_row(struct rows *rows, qk_error *err)
{
    const char *line;
    size_t length;
    qk_status rc = qk__exchange_line(rows->exchange, &line, &length, err);
    if (rc)
        return rc;
    if (!line)
        return remote_nonsense(err);
    if (length >= 2 && line[0] == ']')
        return line[1] == '}' ? QK_EMPTY : theirs(line, length, err);
    json_decref(rows->row);
    rows->row =
        json_loadb(line, length - (length > 0 && line[length - 1] == ','), JSON_ALLOW_NUL, NULL);
    return json_array_size(rows->row) == rows->columns ? QK_OK : remote_nonsense(err);
}

static qk_status rows_next(qk_rows *base, qk_error *err)
{
    struct rows *rows = rows_of(base);
    if (rows->ended) {
        if (rows->trouble.code && err)
            *err = rows->trouble;
        return rows->trouble.code ? rows->trouble.code : QK_EMPTY;
    }
    qk_error problem = QK_ERROR_INIT;
    qk_status rc = read_row(rows, &problem);
    rows->ended = rc != QK_OK;
    if (rc && rc != QK_EMPTY) {
        rows->trouble = problem;
        if (err)
            *err = problem;
    }
    return rc;
}

static size_t rows_column_count(const qk_rows *base)
{
    return ((const struct rows *)base)->columns;
}

static const char *rows_column_name(const qk_rows *base, size_t column)
{
    const json_t *columns = json_object_get(((const struct rows *)base)->head, "columns");
    return json_string_value(json_object_get(json_array_get(columns, column), "name"));
}

static qk_column_type rows_column_type(const qk_rows *base, size_t column)
{
    return ((const struct rows *)base)->types[column];
}

static const char *rows_text(const qk_rows *base, size_t column)
{
    const struct rows *rows = (const struct rows *)base;
    return json_string_value(json_array_get(rows->row, column));
}

static size_t rows_length(const qk_rows *base, size_t column)
{
    const struct rows *rows = (const struct rows *)base;
    return json_string_length(json_array_get(rows->row, column));
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

static bool type_of(qk_column_type *out, const char *name)
{
    static const char *const names[] = { "text", "number", "bool", "json", "time" };
    for (int i = 0; name && i < 5; i++) {
        if (strcmp(names[i], name) == 0) {
            *out = (qk_column_type)i;
            return true;
        }
    }
    return false;
}

/* The first line ends where the rows begin; closed here it is a document of its own. */
static qk_status read_head(struct rows *rows, qk_error *err)
{
    const char *line;
    size_t length;
    qk__buffer text;
    qk_status rc = qk__exchange_line(rows->exchange, &line, &length, err);
    if (rc || !line)
        return rc ? rc : remote_nonsense(err);
    qk__buffer_init(&text, length + 8);
    qk__buffer_append(&text, line, length);
    qk__buffer_append(&text, "]}", 2);
    rows->head = text.failed ? NULL : json_loadb(text.data, text.length, 0, NULL);
    qk__buffer_dispose(&text);
    const json_t *columns = json_object_get(rows->head, "columns");
    rows->columns = json_array_size(columns);
    rows->types = calloc(rows->columns + 1, sizeof(*rows->types));
    if (!rows->types)
        return qk__error(err, QK_ENOMEM, "out of memory");
    for (size_t i = 0; i < rows->columns; i++) {
        const json_t *column = json_array_get(columns, i);
        if (!json_is_string(json_object_get(column, "name")) ||
            !type_of(&rows->types[i], json_string_value(json_object_get(column, "type"))))
            return remote_nonsense(err);
    }
    return rows->columns > 0 ? QK_OK : remote_nonsense(err);
}

qk_status remote_rows_open(qk_store *base, qk_rows **out, const char *sql, int64_t timeout_us,
                           qk_error *err)
{
    struct remote *store = remote_of(base);
    qk__buffer body;
    struct rows *rows = calloc(1, sizeof(*rows));
    if (!rows)
        return qk__error(err, QK_ENOMEM, "out of memory");
    rows->base.ops = &operations;
    remote_body(store, &body);
    qk__buffer_append(&body, "{", 1);
    wire_text(&body, "query", sql);
    wire_seconds(&body, "timeout_seconds", timeout_us);
    wire_true(&body, "exact", true);
    qk__buffer_append(&body, "}", 1);
    const qk__call call = { .method = "POST",
                            .path = "/api/v1/sql",
                            .body = &body,
                            .late_us = timeout_us < ROUND_US ? timeout_us : ROUND_US,
                            .waits = true };
    qk_status rc = body.failed ? qk__error(err, QK_ENOMEM, "out of memory")
                               : qk__exchange_open(&rows->exchange, store->client, &call, err);
    qk__buffer_dispose(&body);
    if (!rc)
        rc = read_head(rows, err);
    if (rc) {
        rows_close(&rows->base);
        return rc;
    }
    *out = &rows->base;
    return QK_OK;
}
