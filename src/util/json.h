/*
 * JSON from outside: checks without building a tree, and a few helpers on jansson.
 */
#ifndef QK_UTIL_JSON_H
#define QK_UTIL_JSON_H

#include <queuack/types.h>

/* Checks that text[0..length) is one JSON value of valid UTF-8, nested at most 256 deep, without a
 * NUL. On failure QK_EINVAL with "… at byte <offset>". Any thread, allocates nothing. */
qk_status qk__json_check(const char *text, size_t length, qk_error *err);

#endif
