/*
 * UTF-8, strictly: no overlong forms, no surrogates, nothing above U+10FFFF.
 */
#ifndef QK_UTIL_UTF8_H
#define QK_UTIL_UTF8_H

#include <stddef.h>

/* Bytes of the valid sequence that text[0..left) starts with; 0 if it starts with none. */
size_t qk__utf8_sequence(const char *text, size_t left);

#endif
