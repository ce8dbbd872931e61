/*
 * What readers and writers share; see stream_internal.h. No state.
 */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "stream/stream_internal.h"
#include "util/error.h"
#include "util/utf8.h"

static const struct {
    const char *sql;
    duckdb_type id;
} types[] = {
    [QK_FIELD_BOOL] = { "BOOLEAN", DUCKDB_TYPE_BOOLEAN },
    [QK_FIELD_INT] = { "BIGINT", DUCKDB_TYPE_BIGINT },
    [QK_FIELD_DOUBLE] = { "DOUBLE", DUCKDB_TYPE_DOUBLE },
    [QK_FIELD_TEXT] = { "VARCHAR", DUCKDB_TYPE_VARCHAR },
    [QK_FIELD_TIME] = { "TIMESTAMP WITH TIME ZONE", DUCKDB_TYPE_TIMESTAMP_TZ },
    [QK_FIELD_JSON] = { "JSON", DUCKDB_TYPE_VARCHAR },
};
#define TYPE_COUNT ((int)(sizeof(types) / sizeof(types[0])))

const char *qk__stream_type_name(qk_field_type type)
{
    return types[type].sql;
}

duckdb_type qk__stream_type_id(qk_field_type type)
{
    return types[type].id;
}

void qk__stream_quote(qk__buffer *out, const char *text, char quote)
{
    qk__buffer_append(out, &quote, 1);
    for (; *text; text++) {
        if (*text == quote)
            qk__buffer_append(out, &quote, 1);
        qk__buffer_append(out, text, 1);
    }
    qk__buffer_append(out, &quote, 1);
}

qk_status qk__stream_error(qk_error *err, const char *path, const char *text)
{
    static const struct {
        const char *text;
        qk_status code;
    } known[] = {
        { "No space left", QK_EFULL },       { "Disk quota", QK_EFULL },
        { "File too large", QK_EFULL },      { "out of memory", QK_ENOMEM },
        { "Out of Memory", QK_ENOMEM },      { "could not allocate", QK_ENOMEM },
        { "No such file", QK_ENOTFOUND },    { "No files found", QK_ENOTFOUND },
        { "Permission denied", QK_EIO },     { "Could not read", QK_EIO },
        { "Read-only file system", QK_EIO }, { "Could not write", QK_EIO },
        { "Input/output error", QK_EIO },
    };
    qk_status code = QK_EINVAL;

    if (!text)
        text = "DuckDB gives no reason";
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        if (strstr(text, known[i].text)) {
            code = known[i].code;
            break;
        }
    }
    return qk__error(err, code, "%.150s: %.*s", path, (int)strcspn(text, "\n"), text);
}

bool qk__stream_is_utf8(const char *text, size_t length)
{
    for (size_t at = 0; at < length;) {
        size_t step = qk__utf8_sequence(text + at, length - at);
        if (step == 0)
            return false;
        at += step;
    }
    return true;
}

static bool ends_with(const char *text, size_t length, const char *ending)
{
    size_t size = strlen(ending);

    return length > size && strncasecmp(text + length - size, ending, size) == 0;
}

qk_status qk__stream_format(qk_file_format *out, bool *gzip, const char *path,
                            const qk_stream_options *options, qk_error *err)
{
    size_t length = strlen(path);

    *gzip = ends_with(path, length, ".gz");
    if (*gzip)
        length -= 3;
    *out = options->format;
    if (options->format == QK_FILE_BY_NAME) {
        if (ends_with(path, length, ".parquet"))
            *out = QK_FILE_PARQUET;
        else if (ends_with(path, length, ".csv"))
            *out = QK_FILE_CSV;
        else if (ends_with(path, length, ".jsonl") || ends_with(path, length, ".ndjson"))
            *out = QK_FILE_JSONL;
    }
    if (*out < QK_FILE_PARQUET || *out > QK_FILE_JSONL || (*gzip && *out == QK_FILE_PARQUET))
        return qk__error(err, QK_EINVAL,
                         "%.200s: its ending says no format: use .parquet, .csv, .jsonl, or name "
                         "the format",
                         path);
    return QK_OK;
}

qk_status qk__stream_check_fields(const qk_field *fields, size_t count, qk_error *err)
{
    if (!fields || count == 0 || count > QK_FIELDS_MAX)
        return qk__error(err, QK_EINVAL, "a file needs from 1 to %d fields", QK_FIELDS_MAX);
    for (size_t i = 0; i < count; i++) {
        const char *name = fields[i].name;
        if (!name || !*name || strlen(name) > QK_FIELD_NAME_MAX ||
            !qk__stream_is_utf8(name, strlen(name)))
            return qk__error(err, QK_EINVAL, "field %zu: its name must be 1 to %d bytes of UTF-8",
                             i, QK_FIELD_NAME_MAX);
        if ((int)fields[i].type < 0 || (int)fields[i].type >= TYPE_COUNT)
            return qk__error(err, QK_EINVAL, "field %s: there is no such type", name);
        for (size_t other = 0; other < i; other++) {
            if (strcasecmp(fields[other].name, name) == 0)
                return qk__error(err, QK_EINVAL, "two fields are called %s: rename one", name);
        }
    }
    return QK_OK;
}

static qk_status set_up(const qk__stream_db *db, const qk_stream_options *options, qk_error *err)
{
    duckdb_result result;
    qk__buffer sql;
    qk_status rc = QK_OK;

    qk__buffer_init(&sql, SIZE_MAX);
    qk__buffer_printf(&sql,
                      "SET memory_limit = '%llu B'; SET temp_directory = '';"
                      "SET autoinstall_known_extensions = false;"
                      "SET autoload_known_extensions = false; SET TimeZone = 'UTC';"
                      "SET enable_external_file_cache = false; SET enable_progress_bar = false",
                      (unsigned long long)(options->memory ? options->memory : QK__STREAM_MEMORY));
    if (sql.failed)
        rc = qk__error(err, QK_ENOMEM, "out of memory");
    else if (duckdb_query(db->connection, sql.data, &result) != DuckDBSuccess)
        rc = qk__stream_error(err, "setting up DuckDB", duckdb_result_error(&result));
    if (!sql.failed)
        duckdb_destroy_result(&result);
    qk__buffer_dispose(&sql);
    return rc;
}

/* One thread: rows come and go in order, and more made no file faster (measured: 2.1 s with one or
 * two for the files of the unit test). */
static qk_status start(qk__stream_db *out, qk_error *err)
{
    duckdb_config config = NULL;
    char *text = NULL;
    qk_status rc = QK_OK;

    if (duckdb_create_config(&config) != DuckDBSuccess ||
        duckdb_set_config(config, "threads", "1") != DuckDBSuccess)
        rc = qk__error(err, QK_ENOMEM, "out of memory");
    else if (duckdb_open_ext(":memory:", &out->database, config, &text) != DuckDBSuccess)
        rc = qk__stream_error(err, "starting DuckDB", text);
    duckdb_free(text);
    duckdb_destroy_config(&config);
    return rc;
}

qk_status qk__stream_open(qk__stream_db *out, const qk_stream_options *options, qk_error *err)
{
    *out = (qk__stream_db){ 0 };
    qk_status rc = start(out, err);
    if (rc != QK_OK)
        return rc;
    rc = duckdb_connect(out->database, &out->connection) == DuckDBSuccess
             ? set_up(out, options, err)
             : qk__error(err, QK_ENOMEM, "out of memory");
    if (rc != QK_OK)
        qk__stream_close(out);
    return rc;
}

void qk__stream_close(qk__stream_db *db)
{
    if (db->connection)
        duckdb_disconnect(&db->connection);
    if (db->database)
        duckdb_close(&db->database);
}
