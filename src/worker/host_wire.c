/*
 * Messages between a worker and a plugin's process; see host_wire.h.
 */
#include "worker/host_wire.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define NOTHING UINT32_MAX /* length of a text that is NULL */
#define LENGTH_SIZE sizeof(uint32_t)

size_t qk__message_begin(qk__buffer *out, qk__host_op op)
{
    static const uint32_t later = 0;
    size_t began = out->length;
    unsigned char byte = (unsigned char)op;

    qk__buffer_append(out, &later, sizeof(later));
    qk__buffer_append(out, &byte, 1);
    return began;
}

void qk__message_text(qk__buffer *out, const char *text)
{
    size_t length = text ? strlen(text) : NOTHING;
    uint32_t size = (uint32_t)length;

    if (text && length >= NOTHING)
        out->failed = true;
    qk__buffer_append(out, &size, sizeof(size));
    if (text)
        qk__buffer_append(out, text, length + 1);
}

void qk__message_number(qk__buffer *out, int64_t number)
{
    qk__buffer_append(out, &number, sizeof(number));
}

void qk__message_id(qk__buffer *out, qk_id id)
{
    qk__buffer_append(out, &id, sizeof(id));
}

void qk__message_end(qk__buffer *out, size_t began)
{
    if (out->failed)
        return;
    size_t length = out->length - began - LENGTH_SIZE;
    uint32_t size = (uint32_t)length;
    if (length > UINT32_MAX)
        out->failed = true;
    memcpy(out->data + began, &size, sizeof(size));
}

qk__message_rest qk__message_read(const qk__buffer *message, qk__host_op *op)
{
    if (message->length <= LENGTH_SIZE) {
        *op = (qk__host_op)0;
        return (qk__message_rest){ .bad = true };
    }
    *op = (qk__host_op)(unsigned char)message->data[LENGTH_SIZE];
    return (qk__message_rest){ .at = message->data + LENGTH_SIZE + 1,
                               .left = message->length - LENGTH_SIZE - 1 };
}

static bool take(qk__message_rest *reading, void *out, size_t size)
{
    if (reading->bad || reading->left < size) {
        reading->bad = true;
        memset(out, 0, size);
        return false;
    }
    memcpy(out, reading->at, size);
    reading->at += size;
    reading->left -= size;
    return true;
}

const char *qk__take_text(qk__message_rest *reading)
{
    uint32_t size;

    if (!take(reading, &size, sizeof(size)) || size == NOTHING)
        return NULL;
    const char *text = reading->at;
    if (reading->left <= size || memchr(text, '\0', (size_t)size + 1) != text + size) {
        reading->bad = true;
        return NULL;
    }
    reading->at += (size_t)size + 1;
    reading->left -= (size_t)size + 1;
    return text;
}

int64_t qk__take_number(qk__message_rest *reading)
{
    int64_t number;

    take(reading, &number, sizeof(number));
    return number;
}

qk_id qk__take_id(qk__message_rest *reading)
{
    qk_id id;

    take(reading, &id, sizeof(id));
    return id;
}

void qk__link_init(qk__link *link, int fd, size_t longest)
{
    link->fd = fd;
    link->whole = false;
    qk__buffer_init(&link->in, longest);
}

/* How many bytes the message has, as far as that is known. */
static size_t wanted(const qk__buffer *in)
{
    uint32_t size;

    if (in->length < LENGTH_SIZE)
        return LENGTH_SIZE;
    memcpy(&size, in->data, sizeof(size));
    return LENGTH_SIZE + size;
}

int qk__link_receive(qk__link *link)
{
    char chunk[65536];

    if (link->whole)
        qk__buffer_clear(&link->in);
    link->whole = false;
    for (;;) {
        size_t want = wanted(&link->in) - link->in.length;
        if (want == 0)
            break;
        ssize_t got = read(link->fd, chunk, want < sizeof(chunk) ? want : sizeof(chunk));
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
            return 0;
        if (got <= 0 || !qk__buffer_append(&link->in, chunk, (size_t)got))
            return -1;
    }
    link->whole = true;
    return 1;
}

int qk__link_send(const qk__link *link, const qk__buffer *out, size_t *sent)
{
    while (*sent < out->length) {
        ssize_t some = send(link->fd, out->data + *sent, out->length - *sent, MSG_NOSIGNAL);
        if (some < 0 && errno == EINTR)
            continue;
        if (some < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
            return 0;
        if (some <= 0)
            return -1;
        *sent += (size_t)some;
    }
    return 1;
}

void qk__link_dispose(qk__link *link)
{
    if (link->fd >= 0)
        close(link->fd);
    link->fd = -1;
    qk__buffer_dispose(&link->in);
}
