/*
 * The server side of the protocol: HTTP and JSON over a store, for the owner's socket (and, with a
 * listener more, for TCP). It knows the abstract store only.
 *
 * One thread per connection, since a store's calls may block: an idle follower costs a sleeping
 * thread, a bounded number of them. Bodies in flight are bounded together, so that many large
 * requests wait or are refused instead of exhausting memory.
 */
#ifndef QK_HTTP_HTTP_H
#define QK_HTTP_HTTP_H

#include "store/protocol.h"
#include "store/store.h"

typedef struct qk__http qk__http;

/* What a server tells about the file behind it, so that a client can see that it means the same. */
typedef struct qk__http_identity {
    uint64_t device, inode;
} qk__http_identity;

typedef struct qk__http_options {
    int listener; /* a listening socket; taken over, also on failure */
    qk_store *store; /* outlives the server */
    const char *default_queue;
    size_t max_payload;
    qk__http_identity identity;
    qk__log log;
    unsigned max_connections; /* 0: 1024 */
    size_t max_body; /* 0: 64 MiB, or four payloads if that is more */
    size_t body_budget; /* of all bodies in flight; 0: four times max_body */
    unsigned idle_seconds; /* a connection that is silent so long is cut; 0: 60 */
} qk__http_options;

/* Starts the threads (with all signals blocked). Strings are copied. QK_ENOMEM, QK_EIO. */
qk_status qk__http_start(qk__http **out, const qk__http_options *options, qk_error *err);

/* First step of stopping: new requests are told QK_ECLOSED. Does not block. The caller then removes
 * the socket, so that nobody comes any more, ends the store's waits, and stops. */
void qk__http_refuse(qk__http *http);

/* Waits for the requests under way, lets watchers go, closes every connection, frees. NULL-safe. */
void qk__http_stop(qk__http *http);

/* Requests that were carried out and answered, those of /healthz, /readyz and watch aside. */
uint64_t qk__http_answered(const qk__http *http);

/* Connections that watch whether this process lives, that is, followers. */
unsigned qk__http_watchers(const qk__http *http);

#endif
