/*
 * The reader; see queuack/stream.h. A streaming query over the file, of which one chunk of rows is
 * held at a time.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "store/embedded/rows_text.h"
#include "stream/stream_internal.h"
#include "util/error.h"

typedef struct column {
    char *name;
    qk_field_type type;
    duckdb_logical_type logical;
    duckdb_type id;
    const void *data; /* of the present chunk */
    duckdb_vector vector;
    uint64_t *validity;
    qk__buffer text;
} column;

struct qk_reader {
    qk__stream_db db;
    char *path;
    duckdb_result result;
    bool has_result, failed;
    duckdb_data_chunk chunk;
    idx_t row, rows; /* of the chunk */
    column *columns;
    size_t column_count;
};

static qk_status no_memory(qk_error *err)
{
    return qk__error(err, QK_ENOMEM, "out of memory for a file's rows");
}

/* Literally: what DuckDB would take as a pattern stands in brackets. */
static void append_path(qk__buffer *sql, const char *path)
{
    qk__buffer literal;

    qk__buffer_init(&literal, SIZE_MAX);
    for (const char *at = path; *at; at++) {
        if (*at == '*' || *at == '?' || *at == '[')
            qk__buffer_printf(&literal, "[%c]", *at);
        else
            qk__buffer_append(&literal, at, 1);
    }
    if (literal.failed)
        sql->failed = true;
    else
        qk__stream_quote(sql, literal.data, '\'');
    qk__buffer_dispose(&literal);
}

static void write_sql(qk__buffer *sql, const char *path, qk_file_format format, bool gzip,
                      const qk_stream_options *options)
{
    const char *compression = gzip ? ", compression = 'gzip'" : "";

    qk__buffer_text(sql, "SELECT ");
    for (size_t i = 0; i < options->field_count; i++) {
        qk__buffer_text(sql, i ? ", " : "");
        qk__stream_quote(sql, options->fields[i].name, '"');
        qk__buffer_printf(sql, "::%s AS ", qk__stream_type_name(options->fields[i].type));
        qk__stream_quote(sql, options->fields[i].name, '"');
    }
    qk__buffer_text(sql, options->field_count ? " FROM " : "* FROM ");
    if (format == QK_FILE_PARQUET) {
        qk__buffer_text(sql, "read_parquet(");
        append_path(sql, path);
    } else if (format == QK_FILE_CSV) {
        qk__buffer_text(sql, "read_csv(");
        append_path(sql, path);
        qk__buffer_printf(sql, ", header = true, allow_quoted_nulls = false%s%s",
                          options->field_count ? ", all_varchar = true" : "", compression);
    } else {
        qk__buffer_text(sql, "read_json(");
        append_path(sql, path);
        qk__buffer_printf(sql, ", format = 'newline_delimited'%s", compression);
        /* What is asked for need not be guessed, and is the same in every line. */
        for (size_t i = 0; i < options->field_count; i++) {
            qk__buffer_text(sql, i ? ", " : ", columns = {");
            qk__stream_quote(sql, options->fields[i].name, '\'');
            qk__buffer_printf(sql, ": '%s'", qk__stream_type_name(options->fields[i].type));
        }
        qk__buffer_text(sql, options->field_count ? "}" : "");
    }
    qk__buffer_text(sql, ")");
}

static qk_status run_query(qk_reader *reader, const char *sql, qk_error *err)
{
    duckdb_prepared_statement statement = NULL;
    duckdb_pending_result pending = NULL;
    qk_status rc = QK_OK;

    if (duckdb_prepare(reader->db.connection, sql, &statement) != DuckDBSuccess) {
        rc = qk__stream_error(err, reader->path, duckdb_prepare_error(statement));
    } else if (duckdb_pending_prepared_streaming(statement, &pending) != DuckDBSuccess) {
        rc = qk__stream_error(err, reader->path, duckdb_pending_error(pending));
    } else {
        reader->has_result = true;
        if (duckdb_execute_pending(pending, &reader->result) != DuckDBSuccess)
            rc = qk__stream_error(err, reader->path, duckdb_result_error(&reader->result));
    }
    duckdb_destroy_pending(&pending);
    duckdb_destroy_prepare(&statement);
    return rc;
}

static qk_field_type type_of(duckdb_logical_type logical)
{
    qk_column_type kind = QK_COLUMN_TEXT;

    switch (duckdb_get_type_id(logical)) {
    case DUCKDB_TYPE_TINYINT:
    case DUCKDB_TYPE_SMALLINT:
    case DUCKDB_TYPE_INTEGER:
    case DUCKDB_TYPE_BIGINT:
    case DUCKDB_TYPE_UTINYINT:
    case DUCKDB_TYPE_USMALLINT:
    case DUCKDB_TYPE_UINTEGER:
        return QK_FIELD_INT;
    case DUCKDB_TYPE_FLOAT:
    case DUCKDB_TYPE_DOUBLE:
        return QK_FIELD_DOUBLE;
    case DUCKDB_TYPE_BOOLEAN:
        return QK_FIELD_BOOL;
    case DUCKDB_TYPE_TIMESTAMP:
    case DUCKDB_TYPE_TIMESTAMP_S:
    case DUCKDB_TYPE_TIMESTAMP_MS:
    case DUCKDB_TYPE_TIMESTAMP_NS:
    case DUCKDB_TYPE_TIMESTAMP_TZ:
        return QK_FIELD_TIME;
    default:
        return qk__rows_column_type(&kind, logical) && kind == QK_COLUMN_JSON ? QK_FIELD_JSON
                                                                              : QK_FIELD_TEXT;
    }
}

static qk_status read_columns(qk_reader *reader, qk_error *err)
{
    reader->column_count = (size_t)duckdb_column_count(&reader->result);
    reader->columns = calloc(reader->column_count + 1, sizeof(*reader->columns));
    if (!reader->columns)
        return no_memory(err);
    for (size_t i = 0; i < reader->column_count; i++) {
        column *column = &reader->columns[i];
        const char *name = duckdb_column_name(&reader->result, i);
        qk__buffer_init(&column->text, SIZE_MAX);
        column->name = strdup(name ? name : "");
        column->logical = duckdb_column_logical_type(&reader->result, i);
        if (!column->name || !column->logical)
            return no_memory(err);
        column->id = duckdb_get_type_id(column->logical);
        column->type = type_of(column->logical);
    }
    return QK_OK;
}

static qk_status open_reader(qk_reader *reader, const qk_stream_options *options, qk_error *err)
{
    qk_file_format format;
    bool gzip = false;
    qk__buffer sql;
    qk_status rc = qk__stream_format(&format, &gzip, reader->path, options, err);

    if (rc == QK_OK && options->field_count > 0)
        rc = qk__stream_check_fields(options->fields, options->field_count, err);
    if (rc == QK_OK && access(reader->path, R_OK) != 0)
        rc = qk__error_errno(err, errno == ENOENT ? QK_ENOTFOUND : QK_EIO, errno,
                             "cannot read %.300s", reader->path);
    if (rc == QK_OK)
        rc = qk__stream_open(&reader->db, options, err);
    if (rc != QK_OK)
        return rc;
    qk__buffer_init(&sql, SIZE_MAX);
    write_sql(&sql, reader->path, format, gzip, options);
    rc = sql.failed ? no_memory(err) : run_query(reader, sql.data, err);
    qk__buffer_dispose(&sql);
    return rc == QK_OK ? read_columns(reader, err) : rc;
}

qk_status qk_reader_open(qk_reader **out, const char *path, const qk_stream_options *options,
                         qk_error *err)
{
    const qk_stream_options defaults = QK_STREAM_OPTIONS_INIT;

    if (!out || !path || !*path)
        return qk__error(err, QK_EINVAL, "out and path must not be NULL or empty");
    if (options && options->version != 1)
        return qk__error(err, QK_EINVAL, "stream options must start from QK_STREAM_OPTIONS_INIT");
    qk_reader *reader = calloc(1, sizeof(*reader));
    if (!reader)
        return no_memory(err);
    reader->path = strdup(path);
    qk_status rc =
        reader->path ? open_reader(reader, options ? options : &defaults, err) : no_memory(err);
    if (rc == QK_OK)
        *out = reader;
    else
        qk_reader_close(reader);
    return rc;
}

size_t qk_reader_field_count(const qk_reader *reader)
{
    return reader->column_count;
}

qk_field qk_reader_field(const qk_reader *reader, size_t index)
{
    return (qk_field){ reader->columns[index].name, reader->columns[index].type };
}

static qk_status next_chunk(qk_reader *reader, qk_error *err)
{
    do {
        duckdb_destroy_data_chunk(&reader->chunk);
        reader->rows = reader->row = 0;
        reader->chunk = reader->failed ? NULL : duckdb_fetch_chunk(reader->result);
        if (!reader->chunk) {
            const char *text = duckdb_result_error(&reader->result);
            reader->failed = true;
            return text && *text ? qk__stream_error(err, reader->path, text) : QK_EMPTY;
        }
        reader->rows = duckdb_data_chunk_get_size(reader->chunk);
    } while (reader->rows == 0);
    for (size_t i = 0; i < reader->column_count; i++) {
        column *column = &reader->columns[i];
        column->vector = duckdb_data_chunk_get_vector(reader->chunk, i);
        column->data = duckdb_vector_get_data(column->vector);
        column->validity = duckdb_vector_get_validity(column->vector);
    }
    return QK_OK;
}

qk_status qk_reader_next(qk_reader *reader, qk_error *err)
{
    if (reader->row + 1 < reader->rows) {
        reader->row++;
        return QK_OK;
    }
    return next_chunk(reader, err);
}

/* --- values ------------------------------------------------------------------------------------ */

/* NULL: the value is NULL, or there is none. */
static const column *value_of(const qk_reader *reader, size_t field)
{
    if (field >= reader->column_count || reader->row >= reader->rows)
        return NULL;
    const column *column = &reader->columns[field];
    if (column->validity && !duckdb_validity_row_is_valid(column->validity, reader->row))
        return NULL;
    return column;
}

bool qk_reader_is_null(const qk_reader *reader, size_t field)
{
    return value_of(reader, field) == NULL;
}

bool qk_reader_bool(const qk_reader *reader, size_t field)
{
    const column *column = value_of(reader, field);

    return column && column->type == QK_FIELD_BOOL && ((const bool *)column->data)[reader->row];
}

int64_t qk_reader_int(const qk_reader *reader, size_t field)
{
    const column *column = value_of(reader, field);

    if (!column || column->type != QK_FIELD_INT)
        return 0;
    switch (column->id) {
    case DUCKDB_TYPE_TINYINT:
        return ((const int8_t *)column->data)[reader->row];
    case DUCKDB_TYPE_SMALLINT:
        return ((const int16_t *)column->data)[reader->row];
    case DUCKDB_TYPE_INTEGER:
        return ((const int32_t *)column->data)[reader->row];
    case DUCKDB_TYPE_UTINYINT:
        return ((const uint8_t *)column->data)[reader->row];
    case DUCKDB_TYPE_USMALLINT:
        return ((const uint16_t *)column->data)[reader->row];
    case DUCKDB_TYPE_UINTEGER:
        return ((const uint32_t *)column->data)[reader->row];
    default:
        return ((const int64_t *)column->data)[reader->row];
    }
}

double qk_reader_double(const qk_reader *reader, size_t field)
{
    const column *column = value_of(reader, field);

    if (column && column->type == QK_FIELD_INT)
        return (double)qk_reader_int(reader, field);
    if (!column || column->type != QK_FIELD_DOUBLE)
        return 0;
    return column->id == DUCKDB_TYPE_FLOAT ? (double)((const float *)column->data)[reader->row]
                                           : ((const double *)column->data)[reader->row];
}

qk_time qk_reader_time(const qk_reader *reader, size_t field)
{
    const column *column = value_of(reader, field);

    if (!column || column->type != QK_FIELD_TIME)
        return (qk_time){ 0 };
    int64_t value = ((const int64_t *)column->data)[reader->row];
    if (column->id == DUCKDB_TYPE_TIMESTAMP_S)
        value = value > INT64_MAX / 1000000 ? INT64_MAX : value * 1000000;
    else if (column->id == DUCKDB_TYPE_TIMESTAMP_MS)
        value = value > INT64_MAX / 1000 ? INT64_MAX : value * 1000;
    else if (column->id == DUCKDB_TYPE_TIMESTAMP_NS)
        value /= 1000;
    return (qk_time){ value };
}

const char *qk_reader_text(qk_reader *reader, size_t field, size_t *length)
{
    const column *column = value_of(reader, field);
    bool null = false;

    if (length)
        *length = 0;
    if (!column)
        return NULL;
    qk__buffer *text = &reader->columns[field].text;
    qk__buffer_clear(text);
    text->failed = false;
    qk__rows_text(text, &null, column->vector, column->logical, reader->row);
    qk__buffer_append(text, "", 0);
    if (null || text->failed)
        return NULL;
    if (length)
        *length = text->length;
    return text->data ? text->data : "";
}

void qk_reader_close(qk_reader *reader)
{
    if (!reader)
        return;
    duckdb_destroy_data_chunk(&reader->chunk);
    for (size_t i = 0; reader->columns && i < reader->column_count; i++) {
        free(reader->columns[i].name);
        duckdb_destroy_logical_type(&reader->columns[i].logical);
        qk__buffer_dispose(&reader->columns[i].text);
    }
    free(reader->columns);
    if (reader->has_result)
        duckdb_destroy_result(&reader->result);
    qk__stream_close(&reader->db);
    free(reader->path);
    free(reader);
}
