/*
 * The connection that tells of the owner's end; see remote.h. Any thread.
 */
#include "store/remote/remote_internal.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "util/error.h"
#include "util/unix_socket.h"

#define WATCH_WAIT_US INT64_C(2000000)

qk_status qk__remote_watch(int *out, qk_store *store, qk_error *err)
{
    static const char request[] = "GET /api/v1/watch HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n";
    qk_status rc =
        qk__unix_connect_to(out, qk__client_target(remote_of(store)->client), WATCH_WAIT_US, err);
    if (!rc &&
        send(*out, request, sizeof(request) - 1, MSG_NOSIGNAL) != (ssize_t)sizeof(request) - 1) {
        close(*out);
        *out = -1;
        rc = qk__error(err, QK_ESTORE, "the process that owns the store cut the connection");
        if (err)
            err->system_errno = ECONNREFUSED;
    }
    return rc;
}

bool qk__remote_said_goodbye(int watch)
{
    static const char goodbye[] = "HTTP/1.1 204 ";
    char line[sizeof(goodbye) - 1];
    ssize_t got = recv(watch, line, sizeof(line), MSG_PEEK | MSG_DONTWAIT);
    return got == (ssize_t)sizeof(line) && memcmp(line, goodbye, sizeof(line)) == 0;
}
