/*
 * Log records to the handle's function; nothing by default. Any thread; no locks, no allocation.
 */
#ifndef QK_UTIL_LOG_H
#define QK_UTIL_LOG_H

#include <queuack/queue.h>

typedef struct qk__log {
    qk_log_fn fn; /* NULL: silence */
    void *user;
    qk_log_level level; /* what is below is not said */
    qk_clock clock; /* all zero: the machine's */
} qk__log;

/* Whether a record of this level would be seen: ask before gathering what it says. */
static inline bool qk__log_wants(const qk__log *log, qk_log_level level)
{
    return log && log->fn && level >= log->level;
}

static inline qk_log_field qk__log_text(const char *key, const char *text)
{
    qk_log_field field = { key, text ? text : "", 0 };
    return field;
}

static inline qk_log_field qk__log_number(const char *key, int64_t number)
{
    qk_log_field field = { key, NULL, number };
    return field;
}

/* Fields and their count, as two arguments. */
#define QK__FIELDS(...)                                                                            \
    (const qk_log_field[]){ __VA_ARGS__ },                                                         \
        sizeof((const qk_log_field[]){ __VA_ARGS__ }) / sizeof(qk_log_field)
#define QK__NO_FIELDS NULL, 0

/* A record of an event; the format makes its message. */
void qk__log_event(const qk__log *log, qk_log_level level, const char *event,
                   const qk_log_field *fields, size_t field_count, const char *format, ...)
    QK_PRINTF(6, 7);

/* The same for what has no name and no fields. */
void qk__log_write(const qk__log *log, qk_log_level level, const char *format, ...) QK_PRINTF(3, 4);

#endif
