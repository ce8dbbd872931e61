/*
 * Rows on their way to DuckDB; see rows.h.
 */
#include "stream/rows.h"

#include <stdlib.h>
#include <string.h>

#include "util/error.h"

static size_t value_size(qk_field_type type)
{
    switch (type) {
    case QK_FIELD_BOOL:
        return sizeof(bool);
    case QK_FIELD_DOUBLE:
        return sizeof(double);
    case QK_FIELD_TEXT:
    case QK_FIELD_JSON:
        return sizeof(size_t);
    default:
        return sizeof(int64_t);
    }
}

static bool make_batch(qk__rows_batch *batch, const qk__rows *rows)
{
    batch->columns = calloc(rows->field_count, sizeof(*batch->columns));
    for (size_t i = 0; batch->columns && i < rows->field_count; i++) {
        qk__rows_column *column = &batch->columns[i];
        qk__buffer_init(&column->text, SIZE_MAX);
        column->set = calloc(rows->limit, sizeof(bool));
        column->as.number = calloc(rows->limit, value_size(rows->fields[i].type));
        if (!column->set || !column->as.number)
            return false;
    }
    return batch->columns != NULL;
}

qk_status qk__rows_init(qk__rows *rows, const qk_field *fields, size_t count, qk_error *err)
{
    size_t most = (size_t)duckdb_vector_size();

    *rows = (qk__rows){ .fields = fields, .field_count = count };
    rows->limit = most < QK__ROWS_MAX ? most : QK__ROWS_MAX;
    pthread_mutex_init(&rows->lock, NULL);
    pthread_cond_init(&rows->changed, NULL);
    if (make_batch(&rows->batches[0], rows) && make_batch(&rows->batches[1], rows))
        return QK_OK;
    qk__rows_dispose(rows);
    return qk__error(err, QK_ENOMEM, "out of memory for rows");
}

void qk__rows_dispose(qk__rows *rows)
{
    if (!rows->fields)
        return;
    for (size_t b = 0; b < 2; b++) {
        qk__rows_column *columns = rows->batches[b].columns;
        for (size_t i = 0; columns && i < rows->field_count; i++) {
            free(columns[i].set);
            free(columns[i].as.number);
            qk__buffer_dispose(&columns[i].text);
        }
        free(columns);
    }
    pthread_cond_destroy(&rows->changed);
    pthread_mutex_destroy(&rows->lock);
    *rows = (qk__rows){ 0 };
}

static void empty(qk__rows_batch *batch, const qk__rows *rows)
{
    for (size_t i = 0; i < rows->field_count; i++) {
        memset(batch->columns[i].set, 0, rows->limit * sizeof(bool));
        qk__buffer_clear(&batch->columns[i].text);
    }
    batch->rows = batch->bytes = 0;
}

qk__rows_batch *qk__rows_swap(qk__rows *rows, qk__rows_batch *full)
{
    qk__rows_batch *other = full == &rows->batches[0] ? &rows->batches[1] : &rows->batches[0];

    pthread_mutex_lock(&rows->lock);
    while (rows->ready && !rows->left)
        pthread_cond_wait(&rows->changed, &rows->lock);
    bool left = rows->left;
    if (!left) {
        rows->ready = full;
        pthread_cond_broadcast(&rows->changed);
    }
    pthread_mutex_unlock(&rows->lock);
    if (left)
        return NULL;
    empty(other, rows);
    return other;
}

/* --- DuckDB's side ----------------------------------------------------------------------------- */

static void bind(duckdb_bind_info info)
{
    const qk__rows *rows = duckdb_bind_get_extra_info(info);

    for (size_t i = 0; i < rows->field_count; i++) {
        duckdb_logical_type type =
            duckdb_create_logical_type(qk__stream_type_id(rows->fields[i].type));
        duckdb_bind_add_result_column(info, rows->fields[i].name, type);
        duckdb_destroy_logical_type(&type);
    }
}

static void init(duckdb_init_info info)
{
    duckdb_init_set_max_threads(info, 1);
}

static void fill_text(duckdb_vector vector, const qk__rows_column *column, size_t count)
{
    size_t start = 0;

    for (size_t row = 0; row < count; row++) {
        size_t end = column->set[row] ? column->as.end[row] : start;
        if (column->set[row])
            duckdb_vector_assign_string_element_len(
                vector, row, column->text.data ? column->text.data + start : "", end - start);
        start = end;
    }
}

static void fill(duckdb_vector vector, const qk__rows_column *column, qk_field_type type,
                 size_t count)
{
    uint64_t *validity = NULL;

    for (size_t row = 0; row < count; row++) {
        if (column->set[row])
            continue;
        if (!validity) {
            duckdb_vector_ensure_validity_writable(vector);
            validity = duckdb_vector_get_validity(vector);
        }
        duckdb_validity_set_row_invalid(validity, row);
    }
    if (type == QK_FIELD_TEXT || type == QK_FIELD_JSON)
        fill_text(vector, column, count);
    else
        memcpy(duckdb_vector_get_data(vector), column->as.number, count * value_size(type));
}

static void scan(duckdb_function_info info, duckdb_data_chunk output)
{
    qk__rows *rows = duckdb_function_get_extra_info(info);

    pthread_mutex_lock(&rows->lock);
    while (!rows->ready && !rows->ended && !rows->aborted)
        pthread_cond_wait(&rows->changed, &rows->lock);
    const qk__rows_batch *batch = rows->ready;
    bool aborted = rows->aborted;
    pthread_mutex_unlock(&rows->lock);
    if (aborted) {
        duckdb_function_set_error(info, "the file was given up");
        return;
    }
    size_t count = batch ? batch->rows : 0;
    for (size_t i = 0; i < rows->field_count && count > 0; i++)
        fill(duckdb_data_chunk_get_vector(output, i), &batch->columns[i], rows->fields[i].type,
             count);
    duckdb_data_chunk_set_size(output, count);
    pthread_mutex_lock(&rows->lock);
    rows->ready = NULL;
    pthread_cond_broadcast(&rows->changed);
    pthread_mutex_unlock(&rows->lock);
}

qk_status qk__rows_register(qk__rows *rows, duckdb_connection connection, qk_error *err)
{
    duckdb_table_function function = duckdb_create_table_function();

    if (!function)
        return qk__error(err, QK_ENOMEM, "out of memory for rows");
    duckdb_table_function_set_name(function, QK__ROWS_FUNCTION);
    duckdb_table_function_set_extra_info(function, rows, NULL);
    duckdb_table_function_set_bind(function, bind);
    duckdb_table_function_set_init(function, init);
    duckdb_table_function_set_function(function, scan);
    duckdb_state state = duckdb_register_table_function(connection, function);
    duckdb_destroy_table_function(&function);
    return state == DuckDBSuccess
               ? QK_OK
               : qk__error(err, QK_EINTERNAL, "cannot register rows with DuckDB");
}
