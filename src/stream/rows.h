/*
 * Rows on their way from a writer's thread to DuckDB's, which asks for them as for a table: the writer
 * fills one batch while DuckDB takes the other, and waits when it is ahead. So a file's size never
 * shows in memory.
 *
 * `lock` guards the hand-over; a batch belongs to one side at a time.
 */
#ifndef QK_STREAM_ROWS_H
#define QK_STREAM_ROWS_H

#include <pthread.h>

#include "stream/stream_internal.h"

#define QK__ROWS_FUNCTION "queuack_rows"
#define QK__ROWS_MAX 2048 /* of a batch, or DuckDB's own limit if that is lower */
#define QK__ROWS_BYTES ((size_t)4 << 20) /* of text in a batch before it is handed over */

typedef struct qk__rows_column {
    bool *set; /* per row; the others are NULL */
    union {
        int64_t *number; /* INT, TIME */
        double *real;
        bool *truth;
        size_t *end; /* TEXT, JSON: of the row's text in `text` */
    } as;
    qk__buffer text;
} qk__rows_column;

typedef struct qk__rows_batch {
    size_t rows;
    size_t bytes;
    qk__rows_column *columns;
} qk__rows_batch;

typedef struct qk__rows {
    const qk_field *fields;
    size_t field_count, limit;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    qk__rows_batch batches[2];
    qk__rows_batch *ready; /* DuckDB's; NULL: it waits */
    bool ended, aborted; /* by the writer */
    bool left; /* DuckDB takes no more */
} qk__rows;

qk_status qk__rows_init(qk__rows *rows, const qk_field *fields, size_t count, qk_error *err);
void qk__rows_dispose(qk__rows *rows);
/* As a table function of this connection, of the name above. */
qk_status qk__rows_register(qk__rows *rows, duckdb_connection connection, qk_error *err);
/* Gives a full batch and takes an empty one. NULL: DuckDB takes no more. The writer. */
qk__rows_batch *qk__rows_swap(qk__rows *rows, qk__rows_batch *full);

#endif
