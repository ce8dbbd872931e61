/*
 * The growable buffer; see buffer.h. Belongs to one thread at a time.
 *
 * Invariants: length < capacity whenever data is set (room for the NUL), data[length] == 0,
 * length ≤ ceiling. A failed append changes nothing but `failed`.
 */
#include "util/buffer.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "util/utf8.h"

#define FIRST_CAPACITY 64

void qk__buffer_init(qk__buffer *buffer, size_t ceiling)
{
    memset(buffer, 0, sizeof(*buffer));
    /* One byte is kept for the NUL, so that length + 1 never overflows. */
    buffer->ceiling = ceiling < SIZE_MAX ? ceiling : SIZE_MAX - 1;
}

void qk__buffer_dispose(qk__buffer *buffer)
{
    free(buffer->data);
    qk__buffer_init(buffer, buffer->ceiling);
}

void qk__buffer_clear(qk__buffer *buffer)
{
    buffer->length = 0;
    buffer->failed = false;
    if (buffer->data)
        buffer->data[0] = '\0';
}

/* Makes room for `more` bytes and a NUL. */
static bool reserve(qk__buffer *buffer, size_t more)
{
    if (more > buffer->ceiling - buffer->length) {
        buffer->failed = true;
        return false;
    }
    size_t want = buffer->length + more + 1;
    if (want <= buffer->capacity)
        return true;
    size_t capacity = buffer->capacity ? buffer->capacity : FIRST_CAPACITY;
    while (capacity < want && capacity <= SIZE_MAX / 2)
        capacity *= 2;
    if (capacity < want || capacity > buffer->ceiling + 1)
        capacity = want > buffer->ceiling ? want : buffer->ceiling + 1;
    char *data = realloc(buffer->data, capacity);
    if (!data) {
        buffer->failed = true;
        return false;
    }
    buffer->data = data;
    buffer->capacity = capacity;
    return true;
}

bool qk__buffer_append(qk__buffer *buffer, const void *data, size_t length)
{
    if (!reserve(buffer, length))
        return false;
    if (length)
        memcpy(buffer->data + buffer->length, data, length);
    buffer->length += length;
    buffer->data[buffer->length] = '\0';
    return true;
}

bool qk__buffer_text(qk__buffer *buffer, const char *text)
{
    return qk__buffer_append(buffer, text, strlen(text));
}

bool qk__buffer_printf(qk__buffer *buffer, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int length = vsnprintf(NULL, 0, format, args);
    va_end(args);
    if (length < 0 || !reserve(buffer, (size_t)length)) {
        buffer->failed = true;
        return false;
    }
    va_start(args, format);
    vsnprintf(buffer->data + buffer->length, (size_t)length + 1, format, args);
    va_end(args);
    buffer->length += (size_t)length;
    return true;
}

char *qk__buffer_take(qk__buffer *buffer)
{
    char *data = NULL;
    if (!buffer->failed && (buffer->data || reserve(buffer, 0))) {
        data = buffer->data;
        data[buffer->length] = '\0';
        buffer->data = NULL;
    }
    qk__buffer_dispose(buffer);
    return data;
}

static bool append_escaped(qk__buffer *buffer, unsigned char c)
{
    static const char short_forms[32] = {
        ['\b'] = 'b', ['\t'] = 't', ['\n'] = 'n', ['\f'] = 'f', ['\r'] = 'r',
    };
    char text[2] = { '\\', (char)c };
    if (c < 0x20 && !short_forms[c])
        return qk__buffer_printf(buffer, "\\u%04x", (unsigned)c);
    if (c < 0x20)
        text[1] = short_forms[c];
    return qk__buffer_append(buffer, text, sizeof(text));
}

bool qk__buffer_json_string(qk__buffer *buffer, const char *text, size_t length)
{
    size_t before = buffer->length;
    bool good = qk__buffer_append(buffer, "\"", 1);
    size_t at = 0;

    while (good && at < length) {
        size_t run = at;
        size_t step = 0;
        while (run < length && (unsigned char)text[run] >= 0x20 && text[run] != '"' &&
               text[run] != '\\' && (step = qk__utf8_sequence(text + run, length - run)) > 0)
            run += step;
        good = qk__buffer_append(buffer, text + at, run - at);
        at = run;
        if (!good || at == length)
            break;
        unsigned char c = (unsigned char)text[at++];
        good = c >= 0x80 ? qk__buffer_append(buffer, "\xEF\xBF\xBD", 3) : append_escaped(buffer, c);
    }
    good = good && qk__buffer_append(buffer, "\"", 1);
    if (!good && buffer->data) { /* all or nothing, as every append */
        buffer->length = before;
        buffer->data[before] = '\0';
    }
    return good;
}

char *qk__dup_text(const char *text, size_t length)
{
    char *copy = malloc(length + 1);

    if (copy) {
        memcpy(copy, text, length);
        copy[length] = '\0';
    }
    return copy;
}
