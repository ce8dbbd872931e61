/*
 * What readers and writers share: their DuckDB, formats, quoting.
 */
#ifndef QK_STREAM_INTERNAL_H
#define QK_STREAM_INTERNAL_H

#include <duckdb.h>

#include <queuack/stream.h>

#include "util/buffer.h"

#define QK__STREAM_MEMORY ((uint64_t)256 << 20)

typedef struct qk__stream_db {
    duckdb_database database;
    duckdb_connection connection;
} qk__stream_db;

/* A DuckDB in memory that spills nowhere. QK_ENOMEM, QK_EIO. */
qk_status qk__stream_open(qk__stream_db *out, const qk_stream_options *options, qk_error *err);
void qk__stream_close(qk__stream_db *db);

/* DuckDB's complaint, with the code that fits its text. */
qk_status qk__stream_error(qk_error *err, const char *path, const char *text);

/* QK_EINVAL. *gzip: the name says so. */
qk_status qk__stream_format(qk_file_format *out, bool *gzip, const char *path,
                            const qk_stream_options *options, qk_error *err);
/* Names and types of fields. QK_EINVAL. */
qk_status qk__stream_check_fields(const qk_field *fields, size_t count, qk_error *err);
const char *qk__stream_type_name(qk_field_type type); /* in SQL */
duckdb_type qk__stream_type_id(qk_field_type type);

bool qk__stream_is_utf8(const char *text, size_t length);
/* 'text' and "name", with quotes inside doubled. */
void qk__stream_quote(qk__buffer *out, const char *text, char quote);

#endif
