/*
 * Bounded output; see capture.h.
 *
 * A tail lets its data grow to twice the limit and then drops the older part at once, so that each
 * byte is moved at most once more.
 */
#include "worker/capture.h"

#include <stdlib.h>
#include <string.h>

void qk__tail_init(qk__tail *tail, size_t limit)
{
    memset(tail, 0, sizeof(*tail));
    tail->limit = limit;
}

void qk__tail_dispose(qk__tail *tail)
{
    free(tail->data);
    qk__tail_init(tail, tail->limit);
}

static bool tail_reserve(qk__tail *tail, size_t want)
{
    size_t capacity = tail->capacity ? tail->capacity : 1024;

    if (want <= tail->capacity)
        return true;
    while (capacity < want)
        capacity *= 2;
    char *data = realloc(tail->data, capacity);
    if (!data)
        return false;
    tail->data = data;
    tail->capacity = capacity;
    return true;
}

bool qk__tail_append(qk__tail *tail, const char *data, size_t length)
{
    if (length > tail->limit) {
        data += length - tail->limit;
        length = tail->limit;
    }
    if (tail->length + length > 2 * tail->limit) {
        size_t keep = tail->limit - length;
        memmove(tail->data, tail->data + tail->length - keep, keep);
        tail->length = keep;
    }
    if (!tail_reserve(tail, tail->length + length))
        return false;
    memcpy(tail->data + tail->length, data, length);
    tail->length += length;
    return true;
}

const char *qk__tail_view(const qk__tail *tail, size_t *length)
{
    *length = tail->length < tail->limit ? tail->length : tail->limit;
    return *length ? tail->data + tail->length - *length : "";
}

void qk__stream_init(qk__stream *stream)
{
    qk__buffer_init(&stream->head, QK__STREAM_HALF);
    qk__tail_init(&stream->tail, QK__STREAM_HALF);
    stream->total = 0;
    stream->failed = false;
}

void qk__stream_dispose(qk__stream *stream)
{
    qk__buffer_dispose(&stream->head);
    qk__tail_dispose(&stream->tail);
}

void qk__stream_append(qk__stream *stream, const char *data, size_t length)
{
    size_t room = QK__STREAM_HALF - stream->head.length;
    size_t first = stream->tail.length > 0 ? 0 : length < room ? length : room;

    stream->total += length;
    if (first > 0 && !qk__buffer_append(&stream->head, data, first))
        stream->failed = true;
    if (length > first && !qk__tail_append(&stream->tail, data + first, length - first))
        stream->failed = true;
}

/* End and start of the last line that is not blank in data[0..length). False: there is none. */
static bool find_last_line(const char *data, size_t length, size_t *start, size_t *end)
{
    *end = length;
    while (*end > 0 && strchr(" \t\r\n", data[*end - 1]) && data[*end - 1] != '\0')
        (*end)--;
    *start = *end;
    while (*start > 0 && data[*start - 1] != '\n')
        (*start)--;
    return *end > 0;
}

static char *copy_line(const char *a, size_t a_length, const char *b, size_t b_length,
                       size_t *length)
{
    char *line = malloc(a_length + b_length + 1);

    if (!line)
        return NULL;
    if (a_length)
        memcpy(line, a, a_length);
    if (b_length)
        memcpy(line + a_length, b, b_length);
    line[a_length + b_length] = '\0';
    *length = a_length + b_length;
    return line;
}

char *qk__stream_last_line(const qk__stream *stream, size_t *length)
{
    const char *head = stream->head.data ? stream->head.data : "";
    size_t head_start, head_end, start, end, size;
    const char *tail = qk__tail_view(&stream->tail, &size);
    bool whole = stream->total == stream->head.length + size; /* nothing was dropped between */

    if (stream->failed)
        return NULL;
    bool in_tail = find_last_line(tail, size, &start, &end);
    if (in_tail && start > 0)
        return copy_line(tail + start, end - start, NULL, 0, length);
    if (!whole || (!in_tail && stream->head.length == 0))
        return NULL;
    bool in_head = find_last_line(head, stream->head.length, &head_start, &head_end);
    if (!in_tail)
        return in_head ? copy_line(head + head_start, head_end - head_start, NULL, 0, length)
                       : NULL;
    /* The line goes across: what is blank at the end of the head belongs to it. */
    head_start = stream->head.length;
    while (head_start > 0 && head[head_start - 1] != '\n')
        head_start--;
    return copy_line(head + head_start, stream->head.length - head_start, tail, end, length);
}
