/*
 * One DuckDB value as text, for people's rows.
 */
#ifndef QK_STORE_EMBEDDED_ROWS_TEXT_H
#define QK_STORE_EMBEDDED_ROWS_TEXT_H

#include <duckdb.h>

#include "store/store.h"
#include "util/buffer.h"

/* How values of this type are shown; false: they cannot be (the message of the caller says to cast
 * them). Lists, structs and maps become JSON. */
bool qk__rows_column_type(qk_column_type *out, duckdb_logical_type type);

/* Appends the value in `row`, which is not NULL. Non-finite numbers are written as NULL would be:
 * nothing, and *null is set. Times: RFC 3339 UTC. Check buffer->failed afterwards. */
void qk__rows_text(qk__buffer *buffer, bool *null, duckdb_vector vector, duckdb_logical_type type,
                   idx_t row);

/* Appends the value in `row` as JSON: null for NULL, and for what JSON cannot say. */
void qk__rows_json(qk__buffer *buffer, duckdb_vector vector, duckdb_logical_type type, idx_t row);

#endif
