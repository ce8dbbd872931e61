/*
 * Is this text one SELECT that reads the published views with listed functions only?
 *
 * DuckDB's own switches do not suffice: with external access off, a read-only transaction can still
 * read the database's own file, which drops its lock.
 */
#ifndef QK_STORE_EMBEDDED_CHECKED_SQL_H
#define QK_STORE_EMBEDDED_CHECKED_SQL_H

#include <duckdb.h>

#include <queuack/error.h>

/* Uses the connection to parse; nothing of the text is run. QK_EREFUSED (names what is not allowed
 * and what to use), QK_EINVAL (does not parse), QK_ENOMEM. */
qk_status qk__checked_sql(duckdb_connection connection, const char *sql, qk_error *err);

#endif
