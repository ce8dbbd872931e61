/*
 * What a statement gave: how many rows, and the first of them as JSON objects. The result is read as
 * it is made, so that it may be larger than memory. No state; any thread.
 */
#include <stdlib.h>
#include <string.h>

#include "sql/child.h"
#include "store/embedded/rows_text.h"
#include "util/error.h"

#define FIRST_ROWS 100

typedef struct columns {
    idx_t count;
    duckdb_logical_type *types;
    qk__buffer *keys; /* "name": */
} columns;

static bool taken(const columns *columns, idx_t count, const qk__buffer *key)
{
    for (idx_t i = 0; i < count; i++) {
        if (columns->keys[i].length == key->length &&
            memcmp(columns->keys[i].data, key->data, key->length) == 0)
            return true;
    }
    return false;
}

/* Names that stand twice get a number, or the second would hide the first. */
static void write_key(columns *columns, idx_t index, const char *name)
{
    qk__buffer *key = &columns->keys[index];
    qk__buffer text;

    qk__buffer_init(&text, SIZE_MAX);
    qk__buffer_init(key, SIZE_MAX);
    for (unsigned n = 0; n <= columns->count; n++) {
        qk__buffer_clear(&text);
        qk__buffer_clear(key);
        qk__buffer_text(&text, name);
        if (n > 0)
            qk__buffer_printf(&text, "_%u", n);
        if (!text.failed)
            qk__buffer_json_string(key, text.data ? text.data : "", text.length);
        qk__buffer_text(key, ":");
        if (text.failed || key->failed || !taken(columns, index, key))
            break;
    }
    key->failed = key->failed || text.failed;
    qk__buffer_dispose(&text);
}

static void dispose_columns(columns *columns)
{
    for (idx_t i = 0; i < columns->count; i++) {
        if (columns->types)
            duckdb_destroy_logical_type(&columns->types[i]);
        if (columns->keys)
            qk__buffer_dispose(&columns->keys[i]);
    }
    free(columns->types);
    free(columns->keys);
}

static qk_status read_columns(columns *out, duckdb_result *result, qk_error *err)
{
    bool good;

    out->count = duckdb_column_count(result);
    out->types = calloc(out->count + 1, sizeof(duckdb_logical_type));
    out->keys = calloc(out->count + 1, sizeof(qk__buffer));
    good = out->types && out->keys;
    for (idx_t i = 0; good && i < out->count; i++) {
        const char *name = duckdb_column_name(result, i);
        out->types[i] = duckdb_column_logical_type(result, i);
        write_key(out, i, name ? name : "");
        good = out->types[i] && !out->keys[i].failed;
    }
    return good ? QK_OK : qk__error(err, QK_ENOMEM, "out of memory for a result");
}

/* False: it is not kept, and neither is what follows. */
static bool keep_row(collected *out, const columns *columns, duckdb_data_chunk chunk, idx_t row)
{
    size_t before = out->first.length;

    qk__buffer_text(&out->first, out->kept ? ",{" : "{");
    for (idx_t i = 0; i < columns->count; i++) {
        if (i > 0)
            qk__buffer_text(&out->first, ",");
        qk__buffer_append(&out->first, columns->keys[i].data, columns->keys[i].length);
        qk__rows_json(&out->first, duckdb_data_chunk_get_vector(chunk, i), columns->types[i], row);
    }
    qk__buffer_text(&out->first, "}");
    if (!out->first.failed) {
        out->kept++;
        return true;
    }
    if (out->first.data) {
        out->first.length = before;
        out->first.data[before] = '\0';
    }
    return false;
}

static void keep_rows(collected *out, const columns *columns, duckdb_data_chunk chunk)
{
    idx_t size = duckdb_data_chunk_get_size(chunk);

    for (idx_t row = 0; row < size && out->kept < out->limit; row++) {
        if (!keep_row(out, columns, chunk, row))
            out->limit = out->kept;
    }
    out->rows += size;
}

qk_status collect_result(collected *out, duckdb_result *result, qk_error *err)
{
    columns columns = { 0 };
    duckdb_data_chunk chunk;
    size_t ceiling = out->first.ceiling;

    qk__buffer_dispose(&out->first);
    qk__buffer_init(&out->first, ceiling);
    *out = (collected){ .first = out->first, .limit = FIRST_ROWS };
    if (duckdb_result_return_type(*result) == DUCKDB_RESULT_TYPE_CHANGED_ROWS) {
        out->rows = duckdb_rows_changed(result);
        return QK_OK;
    }
    if (duckdb_result_return_type(*result) != DUCKDB_RESULT_TYPE_QUERY_RESULT)
        return QK_OK;
    qk_status rc = read_columns(&columns, result, err);
    while (rc == QK_OK && (chunk = duckdb_fetch_chunk(*result)) != NULL) {
        keep_rows(out, &columns, chunk);
        duckdb_destroy_data_chunk(&chunk);
    }
    if (rc == QK_OK && duckdb_result_error(result) && *duckdb_result_error(result))
        rc = database_error(err, QK_EIO, duckdb_result_error(result));
    dispose_columns(&columns);
    return rc;
}
