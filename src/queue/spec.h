/*
 * Job specs from callers turned into the store's qk__new_job: checked, every default filled in.
 */
#ifndef QK_QUEUE_SPEC_H
#define QK_QUEUE_SPEC_H

#include "store/store.h"

typedef struct qk__spec_limits {
    const char *default_queue;
    size_t max_payload;
} qk__spec_limits;

/* Memory that prepared jobs borrow from. Zero-initialise; dispose once the store has taken them. */
typedef struct qk__spec_block qk__spec_block;
typedef struct qk__spec_memory {
    qk__spec_block *blocks;
} qk__spec_memory;

void qk__spec_memory_dispose(qk__spec_memory *memory);

/* Checks what can be checked of options by themselves; the message names the field. */
qk_status qk__spec_check_options(const qk_job_options *options, qk_error *err);

/*
 * Fills `jobs[0..count)`. On failure *bad is the index of the spec at fault, and the message, which
 * names the field, does not mention it. Strings are borrowed from the specs, the limits and from
 * `memory`.
 * QK_EINVAL, QK_ETOOLARGE, QK_ENOMEM.
 */
qk_status qk__spec_prepare(qk__new_job *jobs, size_t *bad, qk__spec_memory *memory,
                           const qk__spec_limits *limits, const qk_job_spec *specs, size_t count,
                           qk_error *err);

#endif
