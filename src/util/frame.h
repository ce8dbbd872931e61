/*
 * Frames over a connected stream socket between two processes of one machine and one build: a type,
 * a length, so many bytes. And descriptors handed over with it.
 *
 * Both ends bound what they take in. Sending and receiving wait; a socket with a timeout (SO_RCVTIMEO,
 * SO_SNDTIMEO) gives up with QK_ETIMEDOUT. No state; one reader and one writer per socket.
 */
#ifndef QK_UTIL_FRAME_H
#define QK_UTIL_FRAME_H

#include <queuack/types.h>

typedef struct qk__frame {
    uint32_t type;
    size_t length;
    char *payload; /* NUL-terminated; the caller frees */
} qk__frame;

/* A pair of close-on-exec sockets. `seconds`: how long either may wait in one call; 0: for ever.
 * QK_EIO. */
qk_status qk__frame_pair(int out[2], int seconds, qk_error *err);

/* QK_ECLOSED (the other end is gone), QK_ETIMEDOUT, QK_EIO, QK_ETOOLARGE (over 4 GiB). */
qk_status qk__frame_send(int fd, uint32_t type, const void *data, size_t length, qk_error *err);
/* QK_ECLOSED, QK_ETIMEDOUT, QK_EIO, QK_ENOMEM, QK_ETOOLARGE (over `max`). On an error there is nothing
 * to free. */
qk_status qk__frame_receive(qk__frame *out, int fd, size_t max, qk_error *err);

/* Hands a descriptor over; the caller keeps his. Errors as qk__frame_send. */
qk_status qk__frame_send_fd(int over, int fd, qk_error *err);
/* *out: the descriptor, close-on-exec. Errors as qk__frame_receive. */
qk_status qk__frame_receive_fd(int *out, int over, qk_error *err);

#endif
