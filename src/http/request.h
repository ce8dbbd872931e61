/*
 * One request, as handlers see it. Handlers run on the connection's thread; a request belongs to it.
 *
 * A handler reads `segments`, the query and `json`, and either sends a reply with one of the
 * qk__reply functions or reports an error with qk__reply_error. The first one counts.
 */
#ifndef QK_HTTP_REQUEST_H
#define QK_HTTP_REQUEST_H

#include <jansson.h>
#include <pthread.h>
#include <stdatomic.h>

#include "http/http.h"
#include "util/buffer.h"

#define QK__SEGMENTS_MAX 8

struct MHD_Connection;
typedef struct qk__request qk__request;

/* Appends some of the reply (at least a byte) to `out`, which is empty; false: that was all. */
typedef bool (*qk__produce_fn)(void *state, qk__buffer *out);

struct qk__request {
    qk__http *http;
    struct MHD_Connection *connection;
    const struct qk__route *route;
    char *path; /* decoded, cut at its slashes */
    const char *segments[QK__SEGMENTS_MAX];
    size_t segment_count;
    qk__buffer body;
    size_t reserved; /* of the body budget */
    json_t *json; /* NULL: the request has no body */

    bool replied;
    int status;
    qk__buffer reply;
    qk__produce_fn produce; /* NULL: `reply` is all */
    void *state;
    void (*free_state)(void *state);

    /* Called when the reply was handed to the peer's system, or could not be. */
    void (*settled)(qk__request *request, bool delivered);
    void *settle_state;
};

typedef void (*qk__handler_fn)(qk__request *request);

/* What a caller must be allowed to do. On the owner's own socket everything is. */
typedef enum qk__role {
    QK__ROLE_NONE, /* health */
    QK__ROLE_READ,
    QK__ROLE_WORK,
    QK__ROLE_ADMIN,
} qk__role;

typedef struct qk__route {
    const char *method;
    const char *pattern; /* segments; * stands for any one */
    qk__handler_fn handler;
    qk__role role;
    bool while_stopping; /* answered although the server stops */
} qk__route;

/* NULL: none; *other_method tells whether the path exists with another one. */
const qk__route *qk__route_find(const char *method, const char *const *segments, size_t count,
                                bool *other_method);

/* Server state that handlers need. */
struct qk__http {
    struct MHD_Daemon *daemon;
    qk_store *store;
    char *default_queue;
    size_t max_payload, max_body, body_budget;
    unsigned idle_seconds;
    qk__http_identity identity;
    qk__log log;
    int listener; /* the daemon's */
    int bye_fd; /* readable once watchers may go */
    atomic_bool stopping;
    atomic_bool drained; /* every request that was taken has been answered; before bye_fd */
    atomic_size_t bodies; /* bytes of bodies in flight */
    atomic_uint watchers;
    atomic_ullong answered;
    pthread_mutex_t lock; /* guards active */
    pthread_cond_t idle; /* active became 0 */
    size_t active; /* requests under way, watchers aside */
};
void qk__count_active(qk__http *http, int change);

/* Replies. */
void qk__reply_error(qk__request *request, qk_status rc, const qk_error *err);
void qk__reply_invalid(qk__request *request, const char *format, ...) QK_PRINTF(2, 3);
/* Takes what was written to request->reply; `status` is an HTTP one. */
void qk__reply(qk__request *request, int status);
void qk__reply_done(qk__request *request); /* 200 {} */
void qk__reply_empty(qk__request *request); /* 204 */
/* Takes `state`. */
void qk__reply_stream(qk__request *request, qk__produce_fn produce, void *state,
                      void (*free_state)(void *));

/* Query parameters. NULL: not given. Borrowed. */
const char *qk__query(const qk__request *request, const char *name);
/* False after an error reply. */
bool qk__query_id(qk__request *request, const char *name, qk_id *out);
bool qk__query_seconds(qk__request *request, const char *name, int64_t *out_us);
bool qk__query_number(qk__request *request, const char *name, uint64_t most, uint64_t *out);
/* Segment `index` as an id. */
bool qk__segment_id(qk__request *request, size_t index, qk_id *out);
/* Does the client want texts of JSON as strings (query or body: "exact")? */
bool qk__wants_exact(const qk__request *request);

/* True once the peer has gone: what is waited for on its behalf can end. */
bool qk__peer_gone(const qk__request *request);

/* Handlers, by resource. */
void qk__get_health(qk__request *request);
void qk__get_ready(qk__request *request);
void qk__get_watch(qk__request *request);
void qk__post_jobs(qk__request *request);
void qk__get_jobs(qk__request *request);
void qk__delete_jobs(qk__request *request);
void qk__get_job(qk__request *request);
void qk__cancel_job(qk__request *request);
void qk__cancel_jobs(qk__request *request);
void qk__retry_job(qk__request *request);
void qk__retry_jobs(qk__request *request);
void qk__get_upstream(qk__request *request);
void qk__get_result(qk__request *request);
void qk__post_runs(qk__request *request);
void qk__post_expand(qk__request *request);
void qk__post_nodes(qk__request *request);
void qk__get_runs(qk__request *request);
void qk__get_run(qk__request *request);
void qk__get_run_progress(qk__request *request);
void qk__get_run_tree(qk__request *request);
void qk__get_run_jobs(qk__request *request);
void qk__get_run_node(qk__request *request);
void qk__cancel_run(qk__request *request);
void qk__pause_run(qk__request *request);
void qk__resume_run(qk__request *request);
void qk__retry_run(qk__request *request);
void qk__post_claims(qk__request *request);
void qk__post_backlog(qk__request *request);
void qk__post_interrupt(qk__request *request);
void qk__post_release(qk__request *request);
void qk__post_outcome(qk__request *request);
void qk__post_outcomes(qk__request *request);
void qk__post_heartbeats(qk__request *request);
void qk__post_progress(qk__request *request);
void qk__get_queues(qk__request *request);
void qk__post_queue(qk__request *request);
void qk__get_workers(qk__request *request);
void qk__post_worker(qk__request *request);
void qk__get_stats(qk__request *request);
void qk__get_counters(qk__request *request);
void qk__get_histograms(qk__request *request);
void qk__post_backup(qk__request *request);
void qk__get_changes(qk__request *request);
void qk__post_sql(qk__request *request);

#endif
