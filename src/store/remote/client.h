/*
 * Requests over a pool of connections to one socket. Any thread; each call has a connection of its
 * own while it lasts.
 */
#ifndef QK_STORE_REMOTE_CLIENT_H
#define QK_STORE_REMOTE_CLIENT_H

#include <jansson.h>

#include "util/buffer.h"
#include "util/error.h"

typedef struct qk__client qk__client;
typedef struct qk__exchange qk__exchange; /* a request under way, and its connection */

typedef struct qk__call {
    const char *method;
    const char *path; /* with its query */
    const qk__buffer *body; /* NULL: none. Must live as long as the call */
    int64_t late_us; /* the answer is meant to take so long */
    bool waits; /* qk__client_stop ends it, with QK_ECLOSED */
    bool hasty; /* fails after `patience` without asking whether the other lives */
} qk__call;

/* Of the process that listens at the socket now: one that takes its place there is not spoken to. */
qk_status qk__client_new(qk__client **out, const char *socket, int64_t patience_us, qk_error *err);
/* O_PATH descriptor of the socket; the client's. */
int qk__client_target(const qk__client *client);
/* No call may be under way. NULL-safe. */
void qk__client_free(qk__client *client);
/* Ends the calls that wait, now and later. Does not block. */
void qk__client_stop(qk__client *client);

/* Sends and waits. *json (may be NULL) is the answer, to be freed with json_decref; NULL for an
 * answer without body. *http (may be NULL): its status. The other side's errors become ours. */
qk_status qk__client_call(qk__client *client, const qk__call *call, json_t **json, int *http,
                          qk_error *err);

/* The status behind an error's JSON code; QK_EINTERNAL for NULL and unknown ones. */
qk_status qk__client_code(const char *name);

/* The same in pieces, for answers that are read as they come. After open the status is known and
 * good. `next` gives one line without its end, NULL and QK_OK after the last one; it lives until the
 * next call. Close ends the request, wherever it stands. */
qk_status qk__exchange_open(qk__exchange **out, qk__client *client, const qk__call *call,
                            qk_error *err);
qk_status qk__exchange_line(qk__exchange *exchange, const char **line, size_t *length,
                            qk_error *err);
void qk__exchange_close(qk__exchange *exchange);

#endif
