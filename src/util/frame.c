/*
 * Frames and descriptors over a socket; see frame.h.
 */
#include "util/frame.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "util/error.h"

typedef struct head {
    uint32_t type, length;
} head;

static qk_status broken(int number, qk_error *err)
{
    if (number == EPIPE || number == ECONNRESET)
        return qk__error(err, QK_ECLOSED, "the other end of the socket is gone");
    if (number == EAGAIN || number == EWOULDBLOCK)
        return qk__error(err, QK_ETIMEDOUT, "the other end of the socket does not answer");
    return qk__error_errno(err, QK_EIO, number, "a socket between processes failed");
}

qk_status qk__frame_pair(int out[2], int seconds, qk_error *err)
{
    const struct timeval limit = { .tv_sec = seconds };

    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, out) != 0)
        return qk__error_errno(err, QK_EIO, errno, "cannot make a pair of sockets");
    for (int i = 0; i < 2 && seconds > 0; i++) {
        if (setsockopt(out[i], SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)) != 0 ||
            setsockopt(out[i], SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit)) != 0) {
            int number = errno;
            close(out[0]);
            close(out[1]);
            return qk__error_errno(err, QK_EIO, number, "cannot set up a pair of sockets");
        }
    }
    return QK_OK;
}

static qk_status send_all(int fd, const void *data, size_t length, qk_error *err)
{
    const char *at = data;

    while (length > 0) {
        ssize_t sent = send(fd, at, length, MSG_NOSIGNAL);
        if (sent < 0 && errno == EINTR)
            continue;
        if (sent < 0)
            return broken(errno, err);
        at += sent;
        length -= (size_t)sent;
    }
    return QK_OK;
}

static qk_status receive_all(int fd, void *out, size_t length, qk_error *err)
{
    char *at = out;

    while (length > 0) {
        ssize_t got = recv(fd, at, length, 0);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return broken(got < 0 ? errno : EPIPE, err);
        at += got;
        length -= (size_t)got;
    }
    return QK_OK;
}

qk_status qk__frame_send(int fd, uint32_t type, const void *data, size_t length, qk_error *err)
{
    const head head = { .type = type, .length = (uint32_t)length };

    if (length >= UINT32_MAX)
        return qk__error(err, QK_ETOOLARGE, "a message of %zu bytes is too large", length);
    qk_status rc = send_all(fd, &head, sizeof(head), err);
    return rc == QK_OK ? send_all(fd, data, length, err) : rc;
}

qk_status qk__frame_receive(qk__frame *out, int fd, size_t max, qk_error *err)
{
    head head;

    *out = (qk__frame){ 0 };
    qk_status rc = receive_all(fd, &head, sizeof(head), err);
    if (rc != QK_OK)
        return rc;
    if (head.length > max)
        return qk__error(err, QK_ETOOLARGE, "a message of %u bytes is larger than %zu",
                         (unsigned)head.length, max);
    char *payload = malloc((size_t)head.length + 1);
    if (!payload)
        return qk__error(err, QK_ENOMEM, "out of memory for a message");
    rc = receive_all(fd, payload, head.length, err);
    if (rc != QK_OK) {
        free(payload);
        return rc;
    }
    payload[head.length] = '\0';
    *out = (qk__frame){ .type = head.type, .length = head.length, .payload = payload };
    return QK_OK;
}

typedef union control {
    char space[CMSG_SPACE(sizeof(int))];
    struct cmsghdr align;
} control;

qk_status qk__frame_send_fd(int over, int fd, qk_error *err)
{
    char byte = 'f';
    control control = { 0 };
    struct iovec part = { .iov_base = &byte, .iov_len = 1 };
    struct msghdr message = { .msg_iov = &part,
                              .msg_iovlen = 1,
                              .msg_control = control.space,
                              .msg_controllen = sizeof(control.space) };
    struct cmsghdr *first = CMSG_FIRSTHDR(&message);
    ssize_t sent;

    first->cmsg_level = SOL_SOCKET;
    first->cmsg_type = SCM_RIGHTS;
    first->cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(first), &fd, sizeof(fd));
    do {
        sent = sendmsg(over, &message, MSG_NOSIGNAL);
    } while (sent < 0 && errno == EINTR);
    return sent == 1 ? QK_OK : broken(errno, err);
}

qk_status qk__frame_receive_fd(int *out, int over, qk_error *err)
{
    char byte;
    control control = { 0 };
    struct iovec part = { .iov_base = &byte, .iov_len = 1 };
    struct msghdr message = { .msg_iov = &part,
                              .msg_iovlen = 1,
                              .msg_control = control.space,
                              .msg_controllen = sizeof(control.space) };
    ssize_t got;

    do {
        got = recvmsg(over, &message, MSG_CMSG_CLOEXEC);
    } while (got < 0 && errno == EINTR);
    if (got <= 0)
        return broken(got < 0 ? errno : EPIPE, err);
    const struct cmsghdr *first = CMSG_FIRSTHDR(&message);
    if (!first || first->cmsg_level != SOL_SOCKET || first->cmsg_type != SCM_RIGHTS ||
        first->cmsg_len != CMSG_LEN(sizeof(int)))
        return qk__error(err, QK_EIO, "a message between processes brought no descriptor");
    memcpy(out, CMSG_DATA(first), sizeof(*out));
    return QK_OK;
}
