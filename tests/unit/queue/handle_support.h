/*
 * What tests of the handle share: a handle that opens or fails the test, and a log that is kept.
 */
#ifndef QK_TESTS_HANDLE_SUPPORT_H
#define QK_TESTS_HANDLE_SUPPORT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <queuack/queuack.h>

#define MAX_LINES 32

typedef struct kept_log {
    int count;
    qk_log_level levels[MAX_LINES];
    char lines[MAX_LINES][1024];
} kept_log;

/* For lines of the opening thread only: takes no lock. */
static inline void keep_line(void *user, const qk_log_record *record)
{
    kept_log *log = user;
    if (log->count == MAX_LINES)
        return;
    log->levels[log->count] = record->level;
    strncpy(log->lines[log->count], record->message, sizeof(log->lines[0]) - 1);
    log->count++;
}

/* How many lines of this level there are; *line is the last of them. */
static inline int lines_of(const kept_log *log, qk_log_level level, const char **line)
{
    int count = 0;
    for (int i = 0; i < log->count; i++) {
        if (log->levels[i] != level)
            continue;
        count++;
        *line = log->lines[i];
    }
    return count;
}

static inline qk_queue *open_or_fail(const char *url, const qk_queue_options *options)
{
    qk_queue *queue = NULL;
    qk_error err = QK_ERROR_INIT;
    if (qk_queue_open(&queue, url, options, &err) != QK_OK)
        fail_msg("%s: %s", url, err.message);
    return queue;
}

/* Fails unless `rc` is `expected` and the message (when one is given) is exactly this. */
#define assert_refused(call, expected, text)                                                       \
    do {                                                                                           \
        qk_status refused_rc = (call);                                                             \
        if (refused_rc != (expected) || strcmp(err.message, (text)) != 0)                          \
            fail_msg("%s: code %d, message \"%s\"", #call, (int)refused_rc, err.message);          \
        assert_int_equal(err.code, (expected));                                                    \
    } while (0)

#define assert_good(call)                                                                          \
    do {                                                                                           \
        if ((call) != QK_OK)                                                                       \
            fail_msg("%s: %s", #call, err.message);                                                \
    } while (0)

#endif
