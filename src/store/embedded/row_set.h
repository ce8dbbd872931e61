/*
 * Rows of a DuckDB result as qk__row, and ids in DuckDB's form.
 */
#ifndef QK_STORE_EMBEDDED_ROW_SET_H
#define QK_STORE_EMBEDDED_ROW_SET_H

#include <duckdb.h>

#include "store/embedded/reader.h"

/* Reads all of `result`, by column names (those of the journal; others are ignored; missing ones
 * stay zero). Any thread. QK_ENOMEM. */
qk_status qk__row_set_read(qk__row_set *out, duckdb_result *result, qk_error *err);

/* DuckDB keeps a UUID as a 128-bit integer with the top bit flipped. False for the id "none". */
bool qk__id_to_duckdb(duckdb_hugeint *out, qk_id id);
qk_id qk__id_from_duckdb(duckdb_hugeint value);

#endif
