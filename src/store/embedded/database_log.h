/*
 * Looking at DuckDB's write-ahead log before DuckDB does: would it read all of it?
 *
 * Only before: DuckDB must not have the file open.
 */
#ifndef QK_STORE_EMBEDDED_DATABASE_LOG_H
#define QK_STORE_EMBEDDED_DATABASE_LOG_H

#include <stdbool.h>

#include <queuack/error.h>

/* QK_EDAMAGED when there is a log and DuckDB would drop what was committed in it: the file itself is
 * not there (`exists` false), the log's head is broken, or committed entries lie behind a place where
 * the chain of entries ends. A log that was torn at its end is good. QK_EIO. Changes nothing. */
qk_status qk__database_log_check(const char *path, bool exists, qk_error *err);

#endif
