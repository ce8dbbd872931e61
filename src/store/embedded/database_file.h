/*
 * Looking at a file before DuckDB opens it: is it there, ours to write, and a DuckDB file at all?
 *
 * Only before: closing any descriptor of the file later would drop DuckDB's lock on it.
 */
#ifndef QK_STORE_EMBEDDED_DATABASE_FILE_H
#define QK_STORE_EMBEDDED_DATABASE_FILE_H

#include <stdbool.h>

#include <queuack/error.h>

/* *exists: whether DuckDB will find it. An empty regular file counts as absent and is removed.
 * QK_ENOTFOUND (only with must_exist), QK_EREFUSED, QK_EDAMAGED, QK_EIO. Changes nothing else. */
qk_status qk__database_file_check(bool *exists, const char *path, bool must_exist, qk_error *err);

#endif
