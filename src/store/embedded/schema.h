/*
 * Tables of the file: creation, recognition, upgrade. Used by database.c alone.
 *
 * A schema version is written only after its tables and views are there and checkpointed, and every
 * step can run twice, so that a crash in the middle of creating or upgrading is repaired by the
 * next open.
 */
#ifndef QK_STORE_EMBEDDED_SCHEMA_H
#define QK_STORE_EMBEDDED_SCHEMA_H

#include <stdbool.h>
#include <stdint.h>

#include <duckdb.h>

#include <queuack/error.h>

/* What an opened file turned out to be. */
typedef struct qk__schema_state {
    bool empty; /* no tables at all: to be created */
    int64_t version; /* -1: creation did not finish */
    int64_t views; /* version of the stored views, -1: none */
} qk__schema_state;

/* Reads only. QK_EREFUSED for the original's files and for those of others, QK_EVERSION for a
 * newer schema, QK_EDAMAGED when tables that the version must have are missing. */
qk_status qk__schema_inspect(qk__schema_state *out, duckdb_connection connection, const char *path,
                             qk_error *err);

/* Brings tables, views and version up to date; does nothing when they are. */
qk_status qk__schema_prepare(duckdb_connection connection, const qk__schema_state *state,
                             qk_error *err);

#endif
