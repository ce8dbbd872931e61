/*
 * What a worker and the process that hosts its plugin say to each other, over a stream socket.
 *
 * A message is its length, what it is, and fields in an order that both know. Both sides are of one
 * machine, and speak only if they are of one version; still, what a plugin may have overwritten is not
 * trusted: lengths are checked. No state but the caller's; any thread.
 */
#ifndef QK_WORKER_HOST_WIRE_H
#define QK_WORKER_HOST_WIRE_H

#include <queuack/types.h>

#include "util/buffer.h"

typedef enum qk__host_op {
    QK__HOST_INIT =
        1, /* version, store, plugin, most bytes of a payload, whether commands run elsewhere */
    QK__HOST_HELLO = 2, /* code, error; number of kinds, kinds; number of factories, factories */
    QK__HOST_RUN = 3, /* number, kind, and the claim (hosted.c) */
    QK__HOST_BUILD = 4, /* number, factory, parent job, run, node, params, depth */
    QK__HOST_CANCEL = 5, /* number */
    QK__HOST_END = 6, /* code, error, result, permanent */
    QK__HOST_QUIT = 7,
} qk__host_op;

/* Appended to `out`: returns where it began, for the end. `out->failed` tells of lacking memory. */
size_t qk__message_begin(qk__buffer *out, qk__host_op op);
void qk__message_text(qk__buffer *out, const char *text); /* NULL is kept apart from "" */
void qk__message_number(qk__buffer *out, int64_t number);
void qk__message_id(qk__buffer *out, qk_id id);
void qk__message_end(qk__buffer *out, size_t began);

/* A received message, field by field. What is wrong sets `bad` and reads as nothing. */
typedef struct qk__message_rest {
    const char *at;
    size_t left;
    bool bad;
} qk__message_rest;

/* Of a whole message; *op is what it is, 0 if it makes no sense. */
qk__message_rest qk__message_read(const qk__buffer *message, qk__host_op *op);
const char *qk__take_text(qk__message_rest *reading); /* borrowed from the message */
int64_t qk__take_number(qk__message_rest *reading);
qk_id qk__take_id(qk__message_rest *reading);

/* One side of the socket. */
typedef struct qk__link {
    int fd;
    qk__buffer in; /* the message that is being received */
    bool whole; /* it is complete: the next call begins a new one */
} qk__link;

void qk__link_init(qk__link *link, int fd, size_t longest);
/* Takes in what is there, but nothing of the message after. 1: one is complete; 0: more must come;
 * -1: the other side is gone, or sends nonsense. Blocks if the descriptor does. */
int qk__link_receive(qk__link *link);
/* Sends on from *sent. 1: all; 0: the socket is full; -1: the other side is gone. */
int qk__link_send(const qk__link *link, const qk__buffer *out, size_t *sent);
void qk__link_dispose(qk__link *link); /* closes */

#endif
