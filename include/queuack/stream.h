/*
 * Rows in files: a writer that takes rows and makes a Parquet, CSV or JSON Lines file, and a reader
 * that goes through one. Both hold a few thousand rows at a time, however large the file is.
 *
 * Independent of queues. Each writer and reader has a DuckDB of its own (some 20 ms to open) and
 * belongs to one thread at a time; different ones may be used at once.
 */
#ifndef QUEUACK_STREAM_H
#define QUEUACK_STREAM_H

#include <queuack/error.h>
#include <queuack/types.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum qk_file_format {
    QK_FILE_BY_NAME = 0, /* .parquet; .csv; .jsonl, .ndjson; the latter also with .gz */
    QK_FILE_PARQUET = 1,
    QK_FILE_CSV = 2, /* with a header, commas, and quotes where needed; NULL is empty, "" is not */
    QK_FILE_JSONL = 3, /* an object per line */
} qk_file_format;

typedef enum qk_field_type {
    QK_FIELD_BOOL = 0,
    QK_FIELD_INT = 1, /* 64 bits, signed */
    QK_FIELD_DOUBLE = 2,
    QK_FIELD_TEXT = 3, /* UTF-8 */
    QK_FIELD_TIME = 4, /* microseconds, UTC */
    QK_FIELD_JSON = 5, /* text that is JSON */
} qk_field_type;

typedef struct qk_field {
    const char *name;
    qk_field_type type;
} qk_field;

#define QK_FIELDS_MAX 4096
#define QK_FIELD_NAME_MAX 255 /* bytes */
#define QK_FIELD_BYTES_MAX ((size_t)64 << 20) /* of one text */

typedef struct qk_stream_options {
    uint32_t version;
    qk_file_format format;
    bool replace; /* writing: a file of that name is replaced; else that is QK_ECONFLICT */
    uint64_t memory; /* bytes for DuckDB; what is more fails with QK_ENOMEM. 0: 256 MiB */
    /* Reading: the columns to read, of these types, in this order; a value that is not of the type is
     * QK_EINVAL. NULL: all, with the types that the file has or seems to have. */
    const qk_field *fields;
    size_t field_count;
} qk_stream_options;

#define QK_STREAM_OPTIONS_INIT                                                                     \
    {                                                                                              \
        1, QK_FILE_BY_NAME, false, 0, NULL, 0                                                      \
    }

/* Writing. */

typedef struct qk_writer qk_writer;

/*
 * Begins a file with these fields (copied; names distinct, not empty). It is written under another
 * name beside `path`, and has its own once qk_writer_finish has succeeded. `options` may be NULL.
 * QK_EINVAL (fields, options, an ending that says no format), QK_ECONFLICT (the file exists),
 * QK_ENOTFOUND (no such folder), QK_EIO, QK_ENOMEM.
 */
QK_API qk_status qk_writer_open(qk_writer **out, const char *path, const qk_field *fields,
                                size_t field_count, const qk_stream_options *options,
                                qk_error *err);

/*
 * The values of the row that comes next, in any order; what is not set is NULL, and what is set again
 * counts. Texts are copied. QK_EINVAL: no such field, another type, not UTF-8, not JSON, a number that
 * is not finite in JSON Lines. QK_ETOOLARGE, QK_ENOMEM.
 */
QK_API qk_status qk_writer_bool(qk_writer *writer, size_t field, bool value, qk_error *err);
QK_API qk_status qk_writer_int(qk_writer *writer, size_t field, int64_t value, qk_error *err);
QK_API qk_status qk_writer_double(qk_writer *writer, size_t field, double value, qk_error *err);
QK_API qk_status qk_writer_time(qk_writer *writer, size_t field, qk_time value, qk_error *err);
/* TEXT and JSON. NULL: NULL. */
QK_API qk_status qk_writer_text(qk_writer *writer, size_t field, const char *text, qk_error *err);
QK_API qk_status qk_writer_bytes(qk_writer *writer, size_t field, const char *text, size_t length,
                                 qk_error *err);

/* Ends the row. What went wrong with earlier rows (a full disk: QK_EFULL) is told here or by
 * qk_writer_finish; then the writer takes no more: close it. */
QK_API qk_status qk_writer_row(qk_writer *writer, qk_error *err);

/* Completes the file: it is on disk under its name, or as if it had never been begun. Once; a row
 * that was not ended is left out. QK_ECONFLICT: a file of that name has come meanwhile. */
QK_API qk_status qk_writer_finish(qk_writer *writer, qk_error *err);
/* Frees; unless it was finished nothing is left of the file. NULL-safe. */
QK_API void qk_writer_close(qk_writer *writer);

/* Reading. */

typedef struct qk_reader qk_reader;

/* `path` names one file, literally. QK_ENOTFOUND; QK_EINVAL (it is not what its format says, a field
 * it does not have, options), QK_EIO, QK_ENOMEM. */
QK_API qk_status qk_reader_open(qk_reader **out, const char *path, const qk_stream_options *options,
                                qk_error *err);
QK_API size_t qk_reader_field_count(const qk_reader *reader);
/* Lives until the reader is closed; index < count. Types of the file that are none of ours are TEXT,
 * lists and structs JSON. */
QK_API qk_field qk_reader_field(const qk_reader *reader, size_t index);

/* Goes to the next row, at first to the first. QK_EMPTY at the end; QK_EINVAL: the file is damaged, or
 * a value is not of its type. */
QK_API qk_status qk_reader_next(qk_reader *reader, qk_error *err);

/* Of the present row. A value that is NULL, or of another type, is false, 0, none, NULL. */
QK_API bool qk_reader_is_null(const qk_reader *reader, size_t field);
QK_API bool qk_reader_bool(const qk_reader *reader, size_t field);
QK_API int64_t qk_reader_int(const qk_reader *reader, size_t field);
QK_API double qk_reader_double(const qk_reader *reader, size_t field); /* of INT as well */
QK_API qk_time qk_reader_time(const qk_reader *reader, size_t field);
/* Of every type, as text; until the next call for this field, or the next row. `length` may be NULL.
 * NULL: NULL, or out of memory. */
QK_API const char *qk_reader_text(qk_reader *reader, size_t field, size_t *length);

/* NULL-safe. */
QK_API void qk_reader_close(qk_reader *reader);

#ifdef __cplusplus
}
#endif
#endif
