/*
 * A growable byte buffer with a ceiling. Appending past the ceiling or without memory fails and
 * leaves the buffer as it was; after a failure `failed` stays set, so that a series of appends can
 * be checked once at the end. The content is always NUL-terminated.
 */
#ifndef QK_UTIL_BUFFER_H
#define QK_UTIL_BUFFER_H

#include <queuack/types.h>

typedef struct qk__buffer {
    char *data; /* NULL until something was appended */
    size_t length;
    size_t capacity;
    size_t ceiling; /* most bytes it may hold */
    bool failed;
} qk__buffer;

void qk__buffer_init(qk__buffer *buffer, size_t ceiling);
void qk__buffer_dispose(qk__buffer *buffer);
void qk__buffer_clear(qk__buffer *buffer);
bool qk__buffer_append(qk__buffer *buffer, const void *data, size_t length);
bool qk__buffer_text(qk__buffer *buffer, const char *text);
bool qk__buffer_printf(qk__buffer *buffer, const char *format, ...) QK_PRINTF(2, 3);
/* Appends `text` as a JSON string with its quotes; invalid UTF-8 becomes U+FFFD. */
bool qk__buffer_json_string(qk__buffer *buffer, const char *text, size_t length);
/* Hands the content to the caller, who frees it; NULL if something failed. Leaves it empty. */
char *qk__buffer_take(qk__buffer *buffer);

/* A NUL-terminated copy of text that need not be terminated; the caller frees. NULL: out of memory. */
char *qk__dup_text(const char *text, size_t length);

#endif
