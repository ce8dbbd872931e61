/*
 * Replies and query parameters; see request.h.
 */
#include <errno.h>
#include <microhttpd.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "http/request.h"
#include "util/error.h"

void qk__reply(qk__request *request, int status)
{
    if (request->replied)
        return;
    request->replied = true;
    request->status = status;
}

void qk__reply_error(qk__request *request, qk_status rc, const qk_error *err)
{
    const char *message = err && err->code && err->message[0] ? err->message : qk_status_text(rc);
    if (request->replied)
        return;
    qk__buffer_clear(&request->reply);
    qk__buffer_printf(&request->reply,
                      "{\"error\":{\"code\":\"%s\",\"message\":", qk_status_json_code(rc));
    qk__buffer_json_string(&request->reply, message, strlen(message));
    qk__buffer_text(&request->reply, "}}\n");
    qk__reply(request, qk_status_http(rc));
}

void qk__reply_invalid(qk__request *request, const char *format, ...)
{
    char message[256];
    qk_error err = QK_ERROR_INIT;
    va_list args;
    va_start(args, format);
    vsnprintf(message, sizeof(message), format, args);
    va_end(args);
    qk__error(&err, QK_EINVAL, "%s", message);
    qk__reply_error(request, QK_EINVAL, &err);
}

void qk__reply_done(qk__request *request)
{
    qk__buffer_text(&request->reply, "{}\n");
    qk__reply(request, MHD_HTTP_OK);
}

void qk__reply_empty(qk__request *request)
{
    qk__reply(request, MHD_HTTP_NO_CONTENT);
}

void qk__reply_stream(qk__request *request, qk__produce_fn produce, void *state,
                      void (*free_state)(void *))
{
    request->produce = produce;
    request->state = state;
    request->free_state = free_state;
    qk__reply(request, MHD_HTTP_OK);
}

const char *qk__query(const qk__request *request, const char *name)
{
    return MHD_lookup_connection_value(request->connection, MHD_GET_ARGUMENT_KIND, name);
}

bool qk__query_id(qk__request *request, const char *name, qk_id *out)
{
    const char *text = qk__query(request, name);
    if (text && qk_id_parse(out, text) != QK_OK) {
        qk__reply_invalid(request, "%s: not an id", name);
        return false;
    }
    return true;
}

bool qk__query_seconds(qk__request *request, const char *name, int64_t *out_us)
{
    const char *text = qk__query(request, name);
    char *end;
    if (!text)
        return true;
    double value = strtod(text, &end);
    if (end == text || *end || !(value >= 0 && value <= 3.2e9)) {
        qk__reply_invalid(request, "%s: must be seconds, from 0", name);
        return false;
    }
    *out_us = (int64_t)(value * 1e6 + 0.5);
    return true;
}

bool qk__query_number(qk__request *request, const char *name, uint64_t most, uint64_t *out)
{
    const char *text = qk__query(request, name);
    char *end;
    if (!text)
        return true;
    errno = 0;
    unsigned long long value = strtoull(text, &end, 10);
    if (*text < '0' || *text > '9' || *end || errno || value > most) {
        qk__reply_invalid(request, "%s: must be a number up to %llu", name,
                          (unsigned long long)most);
        return false;
    }
    *out = value;
    return true;
}

bool qk__segment_id(qk__request *request, size_t index, qk_id *out)
{
    if (qk_id_parse(out, request->segments[index]) == QK_OK)
        return true;
    qk__reply_invalid(request, "the path holds no id where one is expected");
    return false;
}

bool qk__wants_exact(const qk__request *request)
{
    const char *text = qk__query(request, "exact");
    return json_is_true(json_object_get(request->json, "exact")) ||
           (text && strcmp(text, "1") == 0);
}

bool qk__peer_gone(const qk__request *request)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(request->connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    struct pollfd look = { .fd = info ? info->connect_fd : -1, .events = POLLRDHUP };
    return look.fd >= 0 && poll(&look, 1, 0) > 0 &&
           (look.revents & (POLLRDHUP | POLLHUP | POLLERR)) != 0;
}
