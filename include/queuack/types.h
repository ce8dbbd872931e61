/*
 * Values that every part shares: ids, times, durations.
 *
 * They are distinct struct types so that the compiler refuses a time where a duration belongs.
 */
#ifndef QUEUACK_TYPES_H
#define QUEUACK_TYPES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <queuack/error.h>

#ifdef __cplusplus
extern "C" {
#endif

/* A UUID, most significant byte first. All zero bytes mean "none". */
typedef struct qk_id {
    uint8_t bytes[16];
} qk_id;

/* A point in time: microseconds since 1970-01-01T00:00:00 UTC. 0 means "none". */
typedef struct qk_time {
    int64_t us;
} qk_time;

/* A length of time in microseconds. 0 means "the default" in option structs. */
typedef struct qk_duration {
    int64_t us;
} qk_duration;

/* No limit, where a duration is a limit. */
#define QK_FOREVER_US INT64_MAX

static inline qk_duration qk_us(int64_t us)
{
    qk_duration duration = { us };
    return duration;
}

static inline qk_duration qk_ms(int64_t ms)
{
    return qk_us(ms * 1000);
}

static inline qk_duration qk_seconds(int64_t seconds)
{
    return qk_us(seconds * 1000000);
}

static inline qk_duration qk_forever(void)
{
    return qk_us(QK_FOREVER_US);
}

#define QK_ID_TEXT_SIZE 37 /* 36 characters and the terminating NUL */

/* A new UUIDv7. Ids made by one process rise. Any thread; never fails. */
QK_API qk_id qk_id_new(void);

/* Parses 8-4-4-4-12 hex digits, either case. QK_EINVAL if it is anything else. */
QK_API qk_status qk_id_parse(qk_id *out, const char *text);

/* Writes lower-case text and a NUL; returns `out`. */
QK_API char *qk_id_format(char out[QK_ID_TEXT_SIZE], qk_id id);

QK_API bool qk_id_is_none(qk_id id);
QK_API int qk_id_compare(qk_id a, qk_id b);

#ifdef __cplusplus
}
#endif
#endif
