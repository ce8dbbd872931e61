/*
 * Points in time as RFC 3339 text. Pure; any thread.
 */
#ifndef QK_UTIL_TIME_TEXT_H
#define QK_UTIL_TIME_TEXT_H

#include <queuack/types.h>

#define QK__TIME_TEXT_SIZE 80

/* "2026-11-01T02:00:00Z", with a fraction only if there is one. Years 1970 to 9999. */
char *qk__time_format(char out[QK__TIME_TEXT_SIZE], qk_time time);
/* The same, and offsets ("+02:00"); up to six digits of a fraction count. False: not a time, or
 * outside these years. */
bool qk__time_parse(qk_time *out, const char *text, size_t length);

#endif
