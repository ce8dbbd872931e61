/*
 * Log lines to the handle's callback; nothing by default. Any thread.
 */
#ifndef QK_UTIL_LOG_H
#define QK_UTIL_LOG_H

#include <queuack/queue.h>

typedef struct qk__log {
    qk_log_fn fn; /* NULL: silence */
    void *user;
} qk__log;

void qk__log_write(const qk__log *log, qk_log_level level, const char *format, ...) QK_PRINTF(3, 4);

#endif
