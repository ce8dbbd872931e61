/*
 * Where a store is: URLs and paths. Any thread.
 */
#ifndef QK_QUEUE_URL_H
#define QK_QUEUE_URL_H

#include <queuack/error.h>
#include <stdbool.h>

#define QK__MEMORY_URL ":memory:"

/* Turns a URL into the path to open: ":memory:" as it is, a file as an absolute path in which the
 * links are resolved, so that every name of a file leads to the same lock beside it. *out is
 * malloc'd. QK_EINVAL, QK_ENOTFOUND (the folder), QK_EUNSUPPORTED (another kind of store),
 * QK_EIO. */
qk_status qk__url_resolve(char **out, const char *url, qk_error *err);

/* The folder for temporary files, absolute and existing: `given`, else $TMPDIR, else /tmp.
 * *out is malloc'd. */
qk_status qk__temp_dir_resolve(char **out, const char *given, qk_error *err);

#endif
