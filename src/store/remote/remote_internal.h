/*
 * The remote store from inside; its slots are spread over remote_*.c.
 *
 * Threads: any. `lock` guards the list of claims under way and `stopping`; the client has its own.
 */
#ifndef QK_STORE_REMOTE_INTERNAL_H
#define QK_STORE_REMOTE_INTERNAL_H

#include <pthread.h>
#include <stdatomic.h>

#include "store/remote/client.h"
#include "store/remote/remote.h"
#include "store/remote/wait_pump.h"

#define ROUND_US INT64_C(20000000) /* a long wait is asked for in rounds */
#define PATH_ROOM 1024

/* A claim that may be waiting at the owner's. */
struct claiming {
    const char *worker;
    bool told; /* the owner was asked to let it go */
    struct claiming *next;
};

/* A worker whose claims were ended when the store was stopped. */
struct stopped {
    char worker[QK_NAME_MAX + 1];
    struct stopped *next;
};

struct remote {
    qk_store base;
    qk__client *client;
    char *path, *default_queue;
    size_t max_body;
    uint64_t peer;
    qk_clock clock;
    qk__wait_pump pump;
    pthread_mutex_t lock;
    struct claiming *claiming;
    struct stopped *stopped;
    bool stopping;
};

static inline struct remote *remote_of(qk_store *store)
{
    return (struct remote *)store;
}

/* POST with a body that was written to `body`, which is disposed of. */
qk_status remote_post(struct remote *store, const char *path, qk__buffer *body, json_t **json,
                      qk_error *err);
qk_status remote_get(struct remote *store, const char *path, json_t **json, qk_error *err);
void remote_body(const struct remote *store, qk__buffer *body);
/* The answer made no sense. */
qk_status remote_nonsense(qk_error *err);
/* A list whose items come one per line; each was read as JSON. */
struct remote_lines {
    json_t **items;
    size_t count, capacity;
    bool more;
};
/* GET; disposes of `path`. Dispose of *out in any case. */
qk_status remote_read_lines(struct remote *store, struct remote_lines *out, qk__buffer *path,
                            qk_error *err);
void remote_lines_dispose(struct remote_lines *list);
/* QK_ETOOLARGE; disposes of `body`. */
qk_status remote_too_large(const struct remote *store, qk__buffer *body, size_t count,
                           qk_error *err);
int64_t remote_now(const struct remote *store);

qk_status remote_enqueue(qk_store *base, qk_enqueued *out, const qk__new_job *jobs, size_t count,
                         qk_error *err);
qk_status remote_claim(qk_store *base, qk_claims **out, const qk__claim_request *request,
                       qk_error *err);
void remote_interrupt(qk_store *base, const char *worker_id, bool on);
qk_status remote_release(qk_store *base, uint64_t peer, qk_error *err);
qk_status remote_backlog(qk_store *base, qk__backlog *out, const qk__claim_request *request,
                         qk_error *err);
qk_status remote_complete(qk_store *base, qk_status *statuses, const qk_outcome *outcomes,
                          size_t count, bool wait, qk_error *err);
qk_status remote_extend(qk_store *base, qk_status *statuses, const qk_lease *leases, size_t count,
                        int64_t extend_us, qk_error *err);
qk_status remote_progress(qk_store *base, const qk_lease *lease, double fraction,
                          const char *message, qk_error *err);
qk_status remote_cancel(qk_store *base, qk_status *statuses, const qk_id *jobs, size_t count,
                        qk_error *err);
qk_status remote_retry(qk_store *base, qk_status *statuses, const qk_id *jobs, size_t count,
                       qk_error *err);
qk_status remote_purge(qk_store *base, size_t *out, const qk_job_filter *filter, qk_error *err);
qk_status remote_get_job(qk_store *base, qk_job **out, qk_id job, qk_error *err);
qk_status remote_list(qk_store *base, qk_job_list **out, const qk_job_filter *filter,
                      qk_error *err);
qk_status remote_upstream(qk_store *base, qk__upstream **out, qk_id job, qk_error *err);
qk_status remote_result(qk_store *base, char **out, qk_id job, qk_error *err);
qk_status remote_submit_run(qk_store *base, qk_enqueued *out, const qk__new_run *run,
                            const qk__new_job *jobs, size_t count, qk_error *err);
qk_status remote_expand(qk_store *base, qk_id *child, const qk_lease *lease, const qk__new_run *run,
                        const qk__new_job *jobs, size_t count, qk_error *err);
qk_status remote_add_nodes(qk_store *base, const qk_lease *lease, const qk__new_job *jobs,
                           size_t count, qk_error *err);
qk_status remote_run_get(qk_store *base, qk_run **out, qk_id run, qk_error *err);
qk_status remote_run_list(qk_store *base, qk_run_list **out, const qk_run_filter *filter,
                          qk_error *err);
qk_status remote_run_tree(qk_store *base, qk_run_tree **out, qk_id run, qk_error *err);
qk_status remote_run_node(qk_store *base, qk_id *out, qk_id run, const char *node, qk_error *err);
qk_status remote_run_wait(qk_store *base, qk_run_progress *out, qk_id run,
                          const qk_run_progress *seen, int64_t timeout_us, qk_error *err);
qk_status remote_run_cancel(qk_store *base, qk_id run, qk_error *err);
qk_status remote_run_pause(qk_store *base, qk_id run, bool paused, qk_error *err);
qk_status remote_run_retry(qk_store *base, qk_id run, const qk_id *from, qk_error *err);
void remote_counters(qk_store *base, qk_counters *out);
void remote_metrics(qk_store *base, qk_metrics *out);
qk_status remote_backup(qk_store *base, const char *path, const qk_backup_options *options,
                        qk_error *err);
qk_status remote_rows_open(qk_store *base, qk_rows **out, const char *sql, int64_t timeout_us,
                           qk_error *err);

#endif
