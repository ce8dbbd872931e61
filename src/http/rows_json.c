/*
 * Rows as JSON; see rows_json.h. The connection's thread.
 */
#include "http/rows_json.h"

#include <microhttpd.h>
#include <stdlib.h>
#include <string.h>

#include "http/job_json.h"

#define AT_ONCE ((size_t)32 << 10)

typedef struct result {
    qk_rows *rows;
    bool exact, begun, ended;
} result;

static void free_result(void *state)
{
    result *result = state;
    result->rows->ops->close(result->rows);
    free(result);
}

static void put_value(qk__buffer *out, const qk_rows *rows, size_t column, bool exact)
{
    const char *text = rows->ops->text(rows, column);
    qk_column_type type = rows->ops->column_type(rows, column);
    if (!text)
        qk__buffer_text(out, "null");
    else if (exact || type == QK_COLUMN_TEXT || type == QK_COLUMN_TIME)
        qk__buffer_json_string(out, text, rows->ops->length(rows, column));
    else
        qk__buffer_text(out, text);
}

static void put_head(qk__buffer *out, const qk_rows *rows)
{
    static const char *const types[] = { "text", "number", "bool", "json", "time" };
    qk__buffer_text(out, "{\"columns\":[");
    for (size_t i = 0; i < rows->ops->column_count(rows); i++) {
        qk__buffer_text(out, i ? ",{" : "{");
        qk__put_text(out, "name", rows->ops->column_name(rows, i));
        qk__put_text(out, "type", types[rows->ops->column_type(rows, i)]);
        qk__buffer_append(out, "}", 1);
    }
    qk__buffer_text(out, "],\"rows\":[");
}

static void put_row(qk__buffer *out, const result *result)
{
    size_t count = result->rows->ops->column_count(result->rows);
    qk__buffer_append(out, "[", 1);
    for (size_t i = 0; i < count; i++) {
        if (i)
            qk__buffer_append(out, ",", 1);
        put_value(out, result->rows, i, result->exact);
    }
    qk__buffer_append(out, "]", 1);
}

static void put_end(qk__buffer *out, qk_status rc, const qk_error *err)
{
    if (rc == QK_EMPTY) {
        qk__buffer_text(out, "\n]}\n");
        return;
    }
    qk__buffer_printf(out, "\n],\"error\":{\"code\":\"%s\",\"message\":", qk_status_json_code(rc));
    qk__buffer_json_string(out, err->message, strlen(err->message));
    qk__buffer_text(out, "}}\n");
}

static bool produce_rows(void *state, qk__buffer *out)
{
    result *result = state;
    qk_error err = QK_ERROR_INIT;
    if (result->ended)
        return false;
    if (!result->begun)
        put_head(out, result->rows);
    while (!result->ended && out->length < AT_ONCE && !out->failed) {
        qk_status rc = result->rows->ops->next(result->rows, &err);
        result->ended = rc != QK_OK;
        if (result->ended) {
            put_end(out, rc, &err);
            break;
        }
        qk__buffer_text(out, result->begun ? ",\n" : "\n");
        result->begun = true;
        put_row(out, result);
    }
    return true;
}

void qk__reply_rows(qk__request *request, qk_rows *rows, bool exact)
{
    result *state = calloc(1, sizeof(*state));
    if (!state) {
        rows->ops->close(rows);
        qk__reply_error(request, QK_ENOMEM, NULL);
        return;
    }
    state->rows = rows;
    state->exact = exact;
    qk__reply_stream(request, produce_rows, state, free_result);
}

void qk__reply_objects(qk__request *request, qk_rows *rows)
{
    qk_error err = QK_ERROR_INIT;
    qk__buffer *out = &request->reply;
    qk_status rc;
    qk__buffer_append(out, "[", 1);
    for (size_t row = 0; (rc = rows->ops->next(rows, &err)) == QK_OK; row++) {
        qk__buffer_text(out, row ? ",\n{" : "\n{");
        for (size_t i = 0; i < rows->ops->column_count(rows); i++) {
            qk__put_key(out, rows->ops->column_name(rows, i));
            put_value(out, rows, i, false);
        }
        qk__buffer_append(out, "}", 1);
    }
    rows->ops->close(rows);
    if (rc != QK_EMPTY) {
        qk__reply_error(request, rc, &err);
        return;
    }
    qk__buffer_text(out, "\n]\n");
    qk__reply(request, MHD_HTTP_OK);
}
