/*
 * qk_live_<n>(): a table function that shows a row set to the SQL of one reader's connection.
 *
 * Columns: op and QK__ROW_COLUMNS. The caller points *source at the rows before each statement that
 * reads the function and keeps them until that statement has ended; NULL shows none.
 */
#ifndef QK_STORE_EMBEDDED_LIVE_TABLE_H
#define QK_STORE_EMBEDDED_LIVE_TABLE_H

#include <duckdb.h>

#include "store/embedded/reader.h"

/* Registers it under a name unique in the process, written to `name`. `source` must live as long as
 * the database. */
qk_status qk__live_table_register(char *name, size_t size, duckdb_connection connection,
                                  const qk__row_set *const *source, qk_error *err);

#endif
