/*
 * Filters of listings and purges, checked and completed.
 */
#ifndef QK_QUEUE_FILTER_H
#define QK_QUEUE_FILTER_H

#include <queuack/job.h>

#define QK__LIST_MAX 1000000 /* jobs of one list; more are read in pages */

#define QK__TERMINAL_STATUSES                                                                      \
    (1u << QK_JOB_DONE | 1u << QK_JOB_FAILED | 1u << QK_JOB_SKIPPED | 1u << QK_JOB_CANCELLED)

/* Text that a prepared filter borrows; lives as long as it. */
typedef struct qk__filter_text {
    char id_suffix[QK_ID_TEXT_SIZE];
} qk__filter_text;

/* NULL filter: the defaults. The suffix comes out as lower-case
 * digits without dashes, the limit is never 0. QK_EINVAL. */
qk_status qk__filter_prepare(qk_job_filter *out, qk__filter_text *text, const qk_job_filter *filter,
                             qk_error *err);

#endif
