/*
 * Free text from programs (errors, output, messages) made fit to be stored.
 */
#ifndef QK_QUEUE_TEXT_H
#define QK_QUEUE_TEXT_H

#include <queuack/error.h>
#include <stddef.h>

/* *out is NULL if `text` (may be NULL) is valid UTF-8 of at most `limit` bytes and can be used as
 * it is; else a malloc'd copy with U+FFFD for what is not UTF-8, cut at a character. QK_ENOMEM. */
qk_status qk__text_clean(char **out, const char *text, size_t limit, qk_error *err);
/* The same, but what is too long loses its beginning: for logs, where the end tells. */
qk_status qk__text_clean_tail(char **out, const char *text, size_t limit, qk_error *err);

#endif
