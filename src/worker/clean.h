/*
 * Output and errors from outside made fit to be kept.
 */
#ifndef QK_WORKER_CLEAN_H
#define QK_WORKER_CLEAN_H

#include <queuack/job.h>
#include <stddef.h>

#include "util/error.h"

/* A copy as a string of valid UTF-8: what is not valid, and NUL, becomes U+FFFD. At most `limit`
 * bytes, of the end. free() it; NULL: out of memory. */
char *qk__clean_copy(const char *text, size_t length, size_t limit);

/* The same of a string of any length the store takes; qk__text_no_memory when there is no memory. */
const char *qk__clean_string(const char *text);

/* The attempt failed, and why, in at most 2 KiB. */
void qk__outcome_fail(qk_outcome *outcome, const char *format, ...) QK_PRINTF(2, 3);

#endif
