/*
 * Who this is, whether it works, and connections that only wait: for its end, or for changes.
 */
#include <microhttpd.h>
#include <poll.h>
#include <unistd.h>

#include "http/job_json.h"
#include "http/request.h"
#include "util/error.h"

#define CHANGES_MAX_US INT64_C(60000000)
#define STEP_US INT64_C(1000000)

void qk__get_health(qk__request *request)
{
    const qk__http *http = request->http;
    qk__buffer *out = &request->reply;
    qk__buffer_append(out, "{", 1);
    qk__put_text(out, "status", atomic_load(&http->stopping) ? "closing" : "ok");
    qk__put_text(out, "version", QK_VERSION_STRING);
    qk__put_number(out, "protocol", QK__PROTOCOL);
    qk__put_number(out, "pid", getpid());
    qk__put_text(out, "store", http->store->ops->path(http->store));
    qk__put_number(out, "device", (int64_t)http->identity.device);
    qk__put_number(out, "inode", (int64_t)http->identity.inode);
    qk__buffer_text(out, "}\n");
    qk__reply(request, MHD_HTTP_OK);
}

/* Ready: the store takes commands. A flush of nothing is the smallest. */
void qk__get_ready(qk__request *request)
{
    qk_store *store = request->http->store;
    qk_error err = QK_ERROR_INIT;
    qk_status rc = atomic_load(&request->http->stopping)
                       ? qk__error(&err, QK_ECLOSED, "this process is closing the store")
                       : store->ops->flush(store, &err);
    if (rc)
        qk__reply_error(request, rc, &err);
    else
        qk__reply_done(request);
}

/*
 * A follower's connection: it stays open as long as both live, so that each sees the other's end at
 * once. An answer of 204 is the last thing that a server which stops says, and says that nothing
 * was done that has not been answered.
 */
void qk__get_watch(qk__request *request)
{
    qk__http *http = request->http;
    qk_error err = QK_ERROR_INIT;
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(request->connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    struct pollfd look[] = { { .fd = http->bye_fd, .events = POLLIN },
                             { .fd = info ? info->connect_fd : -1, .events = POLLRDHUP } };
    atomic_fetch_add(&http->watchers, 1);
    qk__count_active(http, -1);
    while (poll(look, 2, -1) <= 0) {
    }
    qk__count_active(http, 1); /* first, so that somebody waits for the answer to go out */
    atomic_fetch_sub(&http->watchers, 1);
    if (atomic_load(&http->drained)) {
        qk__reply_empty(request);
        return;
    }
    qk__error(&err, QK_ECLOSED, "this process has closed the store, with requests under way");
    qk__reply_error(request, QK_ECLOSED, &err);
}

void qk__get_changes(qk__request *request)
{
    qk_store *store = request->http->store;
    qk_error err = QK_ERROR_INIT;
    uint64_t seen = 0;
    int64_t left = 0;
    qk_status rc;
    if (!qk__query_number(request, "seen", INT64_MAX, &seen) ||
        !qk__query_seconds(request, "wait", &left))
        return;
    left = left < CHANGES_MAX_US ? left : CHANGES_MAX_US;
    do {
        int64_t step = left < STEP_US ? left : STEP_US;
        rc = store->ops->changes(store, &seen, step, &err);
        left -= step;
    } while (rc == QK_ETIMEDOUT && left > 0 && !qk__peer_gone(request));
    if (rc && rc != QK_ETIMEDOUT) {
        qk__reply_error(request, rc, &err);
        return;
    }
    qk__buffer_append(&request->reply, "{", 1);
    qk__put_number(&request->reply, "seen", (int64_t)seen);
    qk__put_bool(&request->reply, "changed", rc == QK_OK);
    qk__buffer_text(&request->reply, "}\n");
    qk__reply(request, MHD_HTTP_OK);
}
