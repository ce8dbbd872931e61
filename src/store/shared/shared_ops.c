/*
 * The slots of a shared store that need nothing but to be asked again.
 */
#include "store/shared/shared_internal.h"

#include <string.h>

struct complete_args {
    qk_status *statuses;
    const qk_outcome *outcomes;
    size_t count;
    bool wait;
};
FORWARD(complete, a->statuses, a->outcomes, a->count, a->wait)

static qk_status shared_complete(qk_store *base, qk_status *statuses, const qk_outcome *outcomes,
                                 size_t count, bool wait, qk_error *err)
{
    struct complete_args args = { statuses, outcomes, count, wait };
    return shared_change(shared_of(base), do_complete, &args, REPEAT, err);
}

static qk_status do_flush(struct inner *inner, void *args, unsigned lost, qk_error *err)
{
    (void)args;
    (void)lost;
    return inner->store->ops->flush(inner->store, err);
}

static qk_status shared_flush(qk_store *base, qk_error *err)
{
    return shared_change(shared_of(base), do_flush, NULL, REPEAT, err);
}

struct extend_args {
    qk_status *statuses;
    const qk_lease *leases;
    size_t count;
    int64_t extend_us;
};
FORWARD(extend, a->statuses, a->leases, a->count, a->extend_us)

static qk_status shared_extend(qk_store *base, qk_status *statuses, const qk_lease *leases,
                               size_t count, int64_t extend_us, qk_error *err)
{
    struct extend_args args = { statuses, leases, count, extend_us };
    return shared_run(shared_of(base), do_extend, &args, REPEAT, err);
}

struct progress_args {
    const qk_lease *lease;
    double fraction;
    const char *message;
};
FORWARD(progress, a->lease, a->fraction, a->message)

static qk_status shared_progress(qk_store *base, const qk_lease *lease, double fraction,
                                 const char *message, qk_error *err)
{
    struct progress_args args = { lease, fraction, message };
    return shared_run(shared_of(base), do_progress, &args, REPEAT, err);
}

struct purge_args {
    size_t *out;
    const qk_job_filter *filter;
};
FORWARD(purge, a->out, a->filter)

static qk_status shared_purge(qk_store *base, size_t *out, const qk_job_filter *filter,
                              qk_error *err)
{
    struct purge_args args = { out, filter };
    return shared_change(shared_of(base), do_purge, &args, ASK, err);
}

struct pause_args {
    const char *queue;
    bool paused;
};
FORWARD(pause, a->queue, a->paused)

static qk_status shared_pause(qk_store *base, const char *queue, bool paused, qk_error *err)
{
    struct pause_args args = { queue, paused };
    return shared_change(shared_of(base), do_pause, &args, REPEAT, err);
}

struct limit_args {
    const char *queue;
    uint32_t limit;
};
FORWARD(limit, a->queue, a->limit)

static qk_status shared_limit(qk_store *base, const char *queue, uint32_t limit, qk_error *err)
{
    struct limit_args args = { queue, limit };
    return shared_change(shared_of(base), do_limit, &args, REPEAT, err);
}

struct backup_args {
    const char *path;
    const qk_backup_options *options;
};
FORWARD(backup, a->path, a->options)

static qk_status shared_backup(qk_store *base, const char *path, const qk_backup_options *options,
                               qk_error *err)
{
    struct backup_args args = { path, options };
    return shared_run(shared_of(base), do_backup, &args, ASK, err);
}

static qk_status do_metrics(struct inner *inner, void *args, unsigned lost, qk_error *err)
{
    (void)lost;
    (void)err;
    inner->store->ops->metrics(inner->store, args);
    return QK_OK;
}

static void shared_metrics(qk_store *base, qk_metrics *out)
{
    memset(out, 0, sizeof(*out));
    (void)shared_run(shared_of(base), do_metrics, out, REPEAT, NULL);
}

struct get_args {
    qk_job **out;
    qk_id job;
};
FORWARD(get, a->out, a->job)

static qk_status shared_get(qk_store *base, qk_job **out, qk_id job, qk_error *err)
{
    struct get_args args = { out, job };
    return shared_run(shared_of(base), do_get, &args, REPEAT, err);
}

struct list_args {
    qk_job_list **out;
    const qk_job_filter *filter;
};
FORWARD(list, a->out, a->filter)

static qk_status shared_list(qk_store *base, qk_job_list **out, const qk_job_filter *filter,
                             qk_error *err)
{
    struct list_args args = { out, filter };
    return shared_run(shared_of(base), do_list, &args, REPEAT, err);
}

struct stats_args {
    qk_stats **out;
};
FORWARD(stats, a->out)

static qk_status shared_stats(qk_store *base, qk_stats **out, qk_error *err)
{
    struct stats_args args = { out };
    return shared_run(shared_of(base), do_stats, &args, REPEAT, err);
}

static qk_status do_counters(struct inner *inner, void *args, unsigned lost, qk_error *err)
{
    (void)lost;
    (void)err;
    inner->store->ops->counters(inner->store, args);
    return QK_OK;
}

static void shared_counters(qk_store *base, qk_counters *out)
{
    memset(out, 0, sizeof(*out));
    (void)shared_run(shared_of(base), do_counters, out, REPEAT, NULL);
}

struct wait_args {
    const struct shared *s;
    qk_id job;
    int64_t end_us; /* INT64_MAX: none */
};

static int64_t clock_us(const struct shared *s)
{
    return s->config.clock.monotonic_us(s->config.clock.user);
}

static qk_status do_wait(struct inner *inner, void *args, unsigned lost, qk_error *err)
{
    const struct wait_args *a = args;
    int64_t left = INT64_MAX;
    (void)lost;
    if (a->end_us != INT64_MAX) {
        left = a->end_us - clock_us(a->s);
        left = left > 0 ? left : 0;
    }
    return inner->store->ops->wait(inner->store, a->job, left, err);
}

static qk_status shared_wait(qk_store *base, qk_id job, int64_t timeout_us, qk_error *err)
{
    struct shared *s = shared_of(base);
    int64_t now = clock_us(s);
    struct wait_args args = { s, job, timeout_us > INT64_MAX - now ? INT64_MAX : now + timeout_us };
    return shared_run(s, do_wait, &args, REPEAT, err);
}

struct backlog_args {
    qk__backlog *out;
    const qk__claim_request *request;
};
FORWARD(backlog, a->out, a->request)

static qk_status shared_backlog(qk_store *base, qk__backlog *out, const qk__claim_request *request,
                                qk_error *err)
{
    struct backlog_args args = { out, request };
    return shared_run(shared_of(base), do_backlog, &args, REPEAT, err);
}

struct worker_beat_args {
    const qk__worker_info *worker;
    bool gone;
};
FORWARD(worker_beat, a->worker, a->gone)

static qk_status shared_worker_beat(qk_store *base, const qk__worker_info *worker, bool gone,
                                    qk_error *err)
{
    struct worker_beat_args args = { worker, gone };
    return shared_run(shared_of(base), do_worker_beat, &args, REPEAT, err);
}

struct release_args {
    uint64_t peer;
};
FORWARD(release, a->peer)

static qk_status shared_release(qk_store *base, uint64_t peer, qk_error *err)
{
    struct release_args args = { peer };
    return shared_change(shared_of(base), do_release, &args, REPEAT, err);
}

struct changes_args {
    uint64_t *seen;
    int64_t wait_us;
};
FORWARD(changes, a->seen, a->wait_us)

static qk_status shared_changes(qk_store *base, uint64_t *seen, int64_t wait_us, qk_error *err)
{
    struct changes_args args = { seen, wait_us };
    return shared_run(shared_of(base), do_changes, &args, REPEAT, err);
}

static const char *shared_path(const qk_store *base)
{
    return ((const struct shared *)base)->path;
}

static int shared_wait_fd(qk_store *base)
{
    return qk__wait_pump_fd(&shared_of(base)->pump);
}

const struct qk_store_ops shared_ops = {
    .close = shared_close,
    .path = shared_path,
    .enqueue = shared_enqueue,
    .claim = shared_claim,
    .interrupt = shared_interrupt,
    .complete = shared_complete,
    .flush = shared_flush,
    .extend = shared_extend,
    .progress = shared_progress,
    .cancel = shared_cancel,
    .retry = shared_retry,
    .purge = shared_purge,
    .pause = shared_pause,
    .limit = shared_limit,
    .backup = shared_backup,
    .metrics = shared_metrics,
    .get = shared_get,
    .submit_run = shared_submit_run,
    .expand = shared_expand,
    .upstream = shared_upstream,
    .result = shared_result,
    .add_nodes = shared_add_nodes,
    .run_get = shared_run_get,
    .run_list = shared_run_list,
    .run_tree = shared_run_tree,
    .run_node = shared_run_node,
    .run_wait = shared_run_wait,
    .run_cancel = shared_run_cancel,
    .run_pause = shared_run_pause,
    .run_retry = shared_run_retry,
    .list = shared_list,
    .stats = shared_stats,
    .counters = shared_counters,
    .wait = shared_wait,
    .backlog = shared_backlog,
    .worker_beat = shared_worker_beat,
    .rows_open = shared_rows_open,
    .release = shared_release,
    .changes = shared_changes,
    .wait_fd = shared_wait_fd,
    .owns = shared_owns,
    .stop = shared_stop,
};
