/*
 * Rows as people's view of a job, many in one allocation.
 */
#ifndef QK_STORE_EMBEDDED_ROW_JOB_H
#define QK_STORE_EMBEDDED_ROW_JOB_H

#include "store/embedded/row.h"

/* Allocates one block: `head` zero bytes, then an array of `count` jobs (at *items), then their
 * text. free(*block) frees it all. QK_ENOMEM, QK_EDAMAGED. */
qk_status qk__rows_to_jobs(void **block, qk_job **items, size_t head, const qk__row *rows,
                           size_t count, qk_error *err);

#endif
