/*
 * Keeping output of a command: bounded, whatever it writes. One thread at a time.
 */
#ifndef QK_WORKER_CAPTURE_H
#define QK_WORKER_CAPTURE_H

#include "util/buffer.h"

#define QK__STREAM_HALF ((size_t)512 << 10) /* head and tail of a stream: 1 MiB in all */
#define QK__LOG_TAIL ((size_t)64 << 10) /* of both streams, as read; kept with the attempt */

/* The last `limit` bytes of what was appended. Uses up to twice that. */
typedef struct qk__tail {
    char *data;
    size_t length, capacity, limit;
} qk__tail;

/* One stream of output. */
typedef struct qk__stream {
    qk__buffer head;
    qk__tail tail; /* what came after the head was full */
    uint64_t total; /* bytes written by the command */
    bool failed; /* no memory: some is missing */
} qk__stream;

void qk__tail_init(qk__tail *tail, size_t limit);
void qk__tail_dispose(qk__tail *tail);
bool qk__tail_append(qk__tail *tail, const char *data, size_t length);
/* Borrowed until the next append. */
const char *qk__tail_view(const qk__tail *tail, size_t *length);

void qk__stream_init(qk__stream *stream);
void qk__stream_dispose(qk__stream *stream);
void qk__stream_append(qk__stream *stream, const char *data, size_t length);
/* A copy of the last line that is not blank, without line end, NUL-terminated: free() it. NULL:
 * there is none, it is longer than what was kept, or no memory. */
char *qk__stream_last_line(const qk__stream *stream, size_t *length);

#endif
