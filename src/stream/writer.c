/*
 * The writer; see queuack/stream.h.
 *
 * A thread of its own runs `COPY (FROM rows) TO 'path.part-<id>'` and is fed by the caller (rows.h).
 * Finishing ends the rows, waits for the copy, syncs, gives the file its name and syncs the folder;
 * anything else ends with the part removed.
 *
 * long file: a setter per type of value, between the life of a writer and its end.
 */
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "stream/rows.h"
#include "util/error.h"
#include "util/id.h"
#include "util/json.h"

struct qk_writer {
    qk__stream_db db;
    qk_field *fields;
    size_t field_count;
    qk_file_format format;
    bool replace;
    char *path, *part;
    qk__buffer sql;
    qk__rows rows;
    qk__rows_batch *batch; /* being filled; NULL: DuckDB takes no more */
    pthread_t thread;
    bool copying, finished;
    qk_status copied; /* by the thread, read after its end */
    qk_error copy_error;
};

static qk_status no_memory(qk_error *err)
{
    return qk__error(err, QK_ENOMEM, "out of memory for a file's rows");
}

/* --- the copy ---------------------------------------------------------------------------------- */

static void *copy_main(void *argument)
{
    qk_writer *writer = argument;
    duckdb_result result;

    if (duckdb_query(writer->db.connection, writer->sql.data, &result) != DuckDBSuccess)
        writer->copied =
            qk__stream_error(&writer->copy_error, writer->path, duckdb_result_error(&result));
    duckdb_destroy_result(&result);
    pthread_mutex_lock(&writer->rows.lock);
    writer->rows.left = true;
    pthread_cond_broadcast(&writer->rows.changed);
    pthread_mutex_unlock(&writer->rows.lock);
    return NULL;
}

static void write_sql(qk_writer *writer, bool gzip)
{
    static const char *const formats[] = {
        [QK_FILE_PARQUET] = "FORMAT parquet",
        [QK_FILE_CSV] = "FORMAT csv, HEADER true",
        [QK_FILE_JSONL] = "FORMAT json, ARRAY false",
    };
    qk__buffer *sql = &writer->sql;

    qk__buffer_text(sql, "COPY (SELECT ");
    for (size_t i = 0; i < writer->field_count; i++) {
        qk__buffer_text(sql, i ? ", " : "");
        qk__stream_quote(sql, writer->fields[i].name, '"');
        if (writer->fields[i].type == QK_FIELD_JSON) {
            qk__buffer_text(sql, "::JSON AS ");
            qk__stream_quote(sql, writer->fields[i].name, '"');
        }
    }
    qk__buffer_text(sql, " FROM " QK__ROWS_FUNCTION "()) TO ");
    qk__stream_quote(sql, writer->part, '\'');
    qk__buffer_printf(sql, " (%s, USE_TMP_FILE false%s)", formats[writer->format],
                      gzip ? ", COMPRESSION gzip" : "");
}

static qk_status start_copy(qk_writer *writer, qk_error *err)
{
    sigset_t all, before;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int number = pthread_create(&writer->thread, NULL, copy_main, writer);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    writer->copying = number == 0;
    return number == 0
               ? QK_OK
               : qk__error_errno(err, QK_ENOMEM, number, "cannot start a thread for a file");
}

/* Waits for the copy, which was told to end or ends by itself. */
static qk_status join_copy(qk_writer *writer, bool abort, qk_error *err)
{
    if (writer->copying) {
        pthread_mutex_lock(&writer->rows.lock);
        writer->rows.ended = true;
        writer->rows.aborted = abort;
        pthread_cond_broadcast(&writer->rows.changed);
        pthread_mutex_unlock(&writer->rows.lock);
        pthread_join(writer->thread, NULL);
        writer->copying = false;
    }
    if (writer->copied != QK_OK)
        return qk__error(err, writer->copied, "%s", writer->copy_error.message);
    return QK_OK;
}

/* --- open -------------------------------------------------------------------------------------- */

static qk_status copy_fields(qk_writer *writer, const qk_field *fields, size_t count, qk_error *err)
{
    writer->fields = calloc(count, sizeof(*writer->fields));
    if (!writer->fields)
        return no_memory(err);
    for (size_t i = 0; i < count; i++) {
        writer->fields[i] = (qk_field){ strdup(fields[i].name), fields[i].type };
        if (!writer->fields[i].name)
            return no_memory(err);
        writer->field_count++;
    }
    return QK_OK;
}

static qk_status name_part(qk_writer *writer, const char *path, qk_error *err)
{
    char id[QK_ID_TEXT_SIZE];

    writer->path = strdup(path);
    if (asprintf(&writer->part, "%s.part-%s", path, qk_id_format(id, qk_id_new())) < 0)
        writer->part = NULL;
    if (!writer->path || !writer->part)
        return no_memory(err);
    if (!writer->replace && access(path, F_OK) == 0)
        return qk__error(err, QK_ECONFLICT, "%.300s exists: remove it, or set replace", path);
    /* So that a folder that is not there or not ours is known at once. */
    int fd = open(writer->part, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (fd < 0) {
        free(writer->part);
        writer->part = NULL;
        return qk__error_errno(err, errno == ENOENT ? QK_ENOTFOUND : QK_EIO, errno,
                               "cannot create %.300s", path);
    }
    close(fd);
    return QK_OK;
}

static qk_status open_writer(qk_writer *writer, const char *path, const qk_field *fields,
                             size_t count, const qk_stream_options *options, qk_error *err)
{
    bool gzip = false;
    qk_status rc = qk__stream_format(&writer->format, &gzip, path, options, err);

    writer->replace = options->replace;
    if (rc == QK_OK)
        rc = qk__stream_check_fields(fields, count, err);
    if (rc == QK_OK)
        rc = copy_fields(writer, fields, count, err);
    if (rc == QK_OK)
        rc = name_part(writer, path, err);
    if (rc == QK_OK)
        rc = qk__stream_open(&writer->db, options, err);
    if (rc == QK_OK)
        rc = qk__rows_init(&writer->rows, writer->fields, count, err);
    if (rc == QK_OK)
        rc = qk__rows_register(&writer->rows, writer->db.connection, err);
    if (rc == QK_OK) {
        writer->batch = &writer->rows.batches[0];
        write_sql(writer, gzip);
        rc = writer->sql.failed ? no_memory(err) : start_copy(writer, err);
    }
    return rc;
}

qk_status qk_writer_open(qk_writer **out, const char *path, const qk_field *fields,
                         size_t field_count, const qk_stream_options *options, qk_error *err)
{
    const qk_stream_options defaults = QK_STREAM_OPTIONS_INIT;

    if (!out || !path || !*path)
        return qk__error(err, QK_EINVAL, "out and path must not be NULL or empty");
    if (options && options->version != 1)
        return qk__error(err, QK_EINVAL, "stream options must start from QK_STREAM_OPTIONS_INIT");
    qk_writer *writer = calloc(1, sizeof(*writer));
    if (!writer)
        return no_memory(err);
    qk__buffer_init(&writer->sql, SIZE_MAX);
    qk_status rc =
        open_writer(writer, path, fields, field_count, options ? options : &defaults, err);
    if (rc == QK_OK)
        *out = writer;
    else
        qk_writer_close(writer);
    return rc;
}

/* --- values ------------------------------------------------------------------------------------ */

/* The column of the row that comes next; NULL with err. */
static qk__rows_column *column_of(qk_writer *writer, size_t field, qk_field_type type,
                                  qk_error *err)
{
    if (!writer || field >= writer->field_count) {
        qk__error(err, QK_EINVAL, "there is no field %zu", field);
        return NULL;
    }
    if (writer->fields[field].type != type) {
        qk__error(err, QK_EINVAL, "field %s is not of that type", writer->fields[field].name);
        return NULL;
    }
    if (writer->finished || !writer->batch) {
        qk__error(err, QK_ESTATE, "the file takes no more rows: close it");
        return NULL;
    }
    return &writer->batch->columns[field];
}

qk_status qk_writer_bool(qk_writer *writer, size_t field, bool value, qk_error *err)
{
    qk_error own = QK_ERROR_INIT;
    qk__rows_column *column = column_of(writer, field, QK_FIELD_BOOL, &own);

    if (!column)
        return qk__error(err, own.code, "%s", own.message);
    column->as.truth[writer->batch->rows] = value;
    column->set[writer->batch->rows] = true;
    return QK_OK;
}

static qk_status put_number(qk_writer *writer, size_t field, qk_field_type type, int64_t value,
                            qk_error *err)
{
    qk_error own = QK_ERROR_INIT;
    qk__rows_column *column = column_of(writer, field, type, &own);

    if (!column)
        return qk__error(err, own.code, "%s", own.message);
    column->as.number[writer->batch->rows] = value;
    column->set[writer->batch->rows] = true;
    return QK_OK;
}

qk_status qk_writer_int(qk_writer *writer, size_t field, int64_t value, qk_error *err)
{
    return put_number(writer, field, QK_FIELD_INT, value, err);
}

qk_status qk_writer_time(qk_writer *writer, size_t field, qk_time value, qk_error *err)
{
    return put_number(writer, field, QK_FIELD_TIME, value.us, err);
}

qk_status qk_writer_double(qk_writer *writer, size_t field, double value, qk_error *err)
{
    qk_error own = QK_ERROR_INIT;
    qk__rows_column *column = column_of(writer, field, QK_FIELD_DOUBLE, &own);

    if (!column)
        return qk__error(err, own.code, "%s", own.message);
    if (!isfinite(value) && writer->format == QK_FILE_JSONL)
        return qk__error(err, QK_EINVAL, "field %s: JSON has no number that is not finite",
                         writer->fields[field].name);
    column->as.real[writer->batch->rows] = value;
    column->set[writer->batch->rows] = true;
    return QK_OK;
}

static qk_status check_text(const qk_writer *writer, size_t field, const char *text, size_t length,
                            qk_error *err)
{
    const char *name = writer->fields[field].name;

    if (length > QK_FIELD_BYTES_MAX)
        return qk__error(err, QK_ETOOLARGE, "field %s: %zu bytes are more than the limit of %zu",
                         name, length, QK_FIELD_BYTES_MAX);
    if (writer->fields[field].type == QK_FIELD_JSON)
        return qk__json_check(text, length, err);
    return qk__stream_is_utf8(text, length)
               ? QK_OK
               : qk__error(err, QK_EINVAL, "field %s: the text is not UTF-8", name);
}

qk_status qk_writer_bytes(qk_writer *writer, size_t field, const char *text, size_t length,
                          qk_error *err)
{
    qk_error own = QK_ERROR_INIT;
    bool json =
        writer && field < writer->field_count && writer->fields[field].type == QK_FIELD_JSON;
    qk__rows_column *column = column_of(writer, field, json ? QK_FIELD_JSON : QK_FIELD_TEXT, &own);

    if (!column)
        return qk__error(err, own.code, "%s", own.message);
    size_t row = writer->batch->rows;
    if (column->set[row]) { /* set again: what it was goes */
        size_t start = 0;
        for (size_t before = row; before > 0 && start == 0; before--)
            start = column->set[before - 1] ? column->as.end[before - 1] : 0;
        writer->batch->bytes -= column->text.length - start;
        column->text.length = start;
    }
    column->set[row] = false;
    if (!text)
        return QK_OK;
    qk_status rc = check_text(writer, field, text, length, err);
    if (rc != QK_OK)
        return rc;
    if (!qk__buffer_append(&column->text, text, length)) {
        column->text.failed = false;
        return no_memory(err);
    }
    column->as.end[row] = column->text.length;
    column->set[row] = true;
    writer->batch->bytes += length;
    return QK_OK;
}

qk_status qk_writer_text(qk_writer *writer, size_t field, const char *text, qk_error *err)
{
    return qk_writer_bytes(writer, field, text, text ? strlen(text) : 0, err);
}

/* --- rows and the end -------------------------------------------------------------------------- */

static qk_status hand_over(qk_writer *writer, qk_error *err)
{
    writer->batch = qk__rows_swap(&writer->rows, writer->batch);
    if (writer->batch)
        return QK_OK;
    qk_status rc = join_copy(writer, true, err);
    return rc != QK_OK ? rc : qk__error(err, QK_EIO, "%.300s: the copy ended early", writer->path);
}

qk_status qk_writer_row(qk_writer *writer, qk_error *err)
{
    if (!writer || writer->finished || !writer->batch)
        return qk__error(err, QK_ESTATE, "the file takes no more rows: close it");
    writer->batch->rows++;
    if (writer->batch->rows < writer->rows.limit && writer->batch->bytes < QK__ROWS_BYTES)
        return QK_OK;
    return hand_over(writer, err);
}

static qk_status sync_path(const char *path, int flags, qk_error *err)
{
    int fd = open(path, flags | O_CLOEXEC);
    int number = fd < 0 || fsync(fd) != 0 ? errno : 0;

    if (fd >= 0)
        close(fd);
    return number == 0 ? QK_OK : qk__error_errno(err, QK_EIO, number, "cannot sync %.300s", path);
}

static qk_status sync_folder(const char *path, qk_error *err)
{
    char *folder = strdup(path);
    char *slash = folder ? strrchr(folder, '/') : NULL;

    if (!folder)
        return no_memory(err);
    if (slash)
        slash[slash == folder] = '\0';
    qk_status rc = sync_path(slash ? folder : ".", O_RDONLY | O_DIRECTORY, err);
    free(folder);
    return rc;
}

/* Gives the part its name. */
static qk_status publish(qk_writer *writer, qk_error *err)
{
    int number = 0;

    if (writer->replace)
        number = rename(writer->part, writer->path) == 0 ? 0 : errno;
    else if (link(writer->part, writer->path) != 0)
        number = errno;
    if (number == EEXIST)
        return qk__error(err, QK_ECONFLICT, "%.300s has come into being meanwhile: remove it",
                         writer->path);
    if (number != 0)
        return qk__error_errno(err, QK_EIO, number, "cannot name the file %.300s", writer->path);
    if (!writer->replace)
        unlink(writer->part);
    free(writer->part);
    writer->part = NULL;
    return sync_folder(writer->path, err);
}

qk_status qk_writer_finish(qk_writer *writer, qk_error *err)
{
    if (!writer || writer->finished)
        return qk__error(err, QK_ESTATE, "the file was finished before");
    qk_status rc = QK_OK;
    if (writer->batch && writer->batch->rows > 0)
        rc = hand_over(writer, err);
    writer->finished = true;
    if (rc == QK_OK)
        rc = join_copy(writer, false, err);
    if (rc == QK_OK && !writer->batch)
        rc = qk__error(err, QK_ESTATE, "rows of the file were lost: close it");
    if (rc == QK_OK)
        rc = sync_path(writer->part, O_RDONLY, err);
    return rc == QK_OK ? publish(writer, err) : rc;
}

void qk_writer_close(qk_writer *writer)
{
    if (!writer)
        return;
    (void)join_copy(writer, true, NULL);
    qk__stream_close(&writer->db);
    qk__rows_dispose(&writer->rows);
    if (writer->part)
        unlink(writer->part);
    for (size_t i = 0; i < writer->field_count; i++)
        free((char *)(uintptr_t)writer->fields[i].name);
    free(writer->fields);
    free(writer->path);
    free(writer->part);
    qk__buffer_dispose(&writer->sql);
    free(writer);
}
