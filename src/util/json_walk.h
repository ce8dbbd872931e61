/*
 * Walking over JSON text in place, without a tree: values are spans of the text, so that payloads
 * pass through as they were written, with numbers of any size intact.
 *
 * The text must have passed qk__json_check; nothing is checked again. Nothing here allocates but
 * what is appended to a buffer; any thread.
 */
#ifndef QK_UTIL_JSON_WALK_H
#define QK_UTIL_JSON_WALK_H

#include "util/buffer.h"

/* One value, without white space around it. Its first byte tells the type: { [ " t f n, else a
 * number. */
typedef struct qk__json_span {
    const char *at;
    size_t length;
} qk__json_span;

/* Inside an object or array. */
typedef struct qk__json_walk {
    const char *at, *end;
} qk__json_walk;

/* The value that the text is. */
qk__json_span qk__json_whole(const char *text, size_t length);
/* Steps into an object or array. */
qk__json_walk qk__json_enter(qk__json_span container);
/* The next member or element; false: there is none. A key is a span with its quotes. */
bool qk__json_member(qk__json_walk *walk, qk__json_span *key, qk__json_span *value);
bool qk__json_element(qk__json_walk *walk, qk__json_span *value);

/* Decodes a string into `out`, which has room for span.length bytes; returns how many there are. They
 * are followed by a NUL and may contain one. */
size_t qk__json_decode(char *out, qk__json_span string);
/* True if the string (a key, say) decodes to these bytes. */
bool qk__json_equals(qk__json_span string, const char *text, size_t length);
/* The member of that name, the last if there are several; false: none, or not an object. */
bool qk__json_find(qk__json_span *out, qk__json_span object, const char *key, size_t length);

/* The value of a number; huge ones become infinite. Independent of the locale. */
double qk__json_number(qk__json_span number);
/* Appends the value without white space around its parts. */
bool qk__json_compact(qk__buffer *buffer, qk__json_span value);
/* Appends the shortest text that reads back as the same number; 0 for what is none. */
bool qk__json_put_number(qk__buffer *buffer, double value);

#endif
