/*
 * Runs through whatever store is there. Where an answer got lost, what was asked may have happened:
 * then the store is as it was wanted, and that is the answer.
 */
#include "store/shared/shared_internal.h"

static int64_t clock_us(const struct shared *s)
{
    return s->config.clock.monotonic_us(s->config.clock.user);
}

struct submit_run_args {
    qk_enqueued *out;
    const qk__new_run *run;
    const qk__new_job *jobs;
    size_t count;
};

/* Again: the run may be known now, also if its id was just made. Finding one's own is no news. */
static qk_status do_submit_run(struct inner *inner, void *args, unsigned lost, qk_error *err)
{
    const struct submit_run_args *a = args;
    qk__new_run run = *a->run;
    run.id_given = run.id_given || lost > 0;
    qk_status rc =
        inner->store->ops->submit_run(inner->store, a->out, &run, a->jobs, a->count, err);
    if (!rc && !a->run->id_given)
        a->out->duplicate = false;
    return rc;
}

qk_status shared_submit_run(qk_store *base, qk_enqueued *out, const qk__new_run *run,
                            const qk__new_job *jobs, size_t count, qk_error *err)
{
    struct submit_run_args args = { out, run, jobs, count };
    return shared_change(shared_of(base), do_submit_run, &args, REPEAT, err);
}

struct expand_args {
    qk_id *child;
    const qk_lease *lease;
    const qk__new_run *run;
    const qk__new_job *jobs;
    size_t count;
};

/* The run of a node that has one. */
static bool find_child(qk_store *store, qk_id *child, qk_id node)
{
    qk_run_list *list = NULL;
    qk_run_filter filter = QK_RUN_FILTER_INIT;
    filter.parent_job = node;
    filter.limit = 1;
    bool found = store->ops->run_list(store, &list, &filter, NULL) == QK_OK && list->count > 0;
    if (found)
        *child = list->items[0].id;
    qk_run_list_free(list);
    return found;
}

/* Again: the node may have been expanded, and may even have ended since; then its lease is over. */
static qk_status do_expand(struct inner *inner, void *args, unsigned lost, qk_error *err)
{
    const struct expand_args *a = args;
    qk_store *store = inner->store;
    qk_status rc = store->ops->expand(store, a->child, a->lease, a->run, a->jobs, a->count, err);
    if (rc == QK_ELEASE && lost && find_child(store, a->child, a->lease->job))
        rc = QK_OK;
    return rc;
}

qk_status shared_expand(qk_store *base, qk_id *child, const qk_lease *lease, const qk__new_run *run,
                        const qk__new_job *jobs, size_t count, qk_error *err)
{
    struct expand_args args = { child, lease, run, jobs, count };
    return shared_change(shared_of(base), do_expand, &args, REPEAT, err);
}

struct upstream_args {
    qk__upstream **out;
    qk_id job;
};
FORWARD(upstream, a->out, a->job)

qk_status shared_upstream(qk_store *base, qk__upstream **out, qk_id job, qk_error *err)
{
    struct upstream_args args = { out, job };
    return shared_run(shared_of(base), do_upstream, &args, REPEAT, err);
}

struct result_args {
    char **out;
    qk_id job;
};
FORWARD(result, a->out, a->job)

qk_status shared_result(qk_store *base, char **out, qk_id job, qk_error *err)
{
    struct result_args args = { out, job };
    return shared_run(shared_of(base), do_result, &args, REPEAT, err);
}

struct add_nodes_args {
    const qk_lease *lease;
    const qk__new_job *jobs;
    size_t count;
};

/* Again: their names are taken if it has happened, by jobs of their own ids. */
static qk_status do_add_nodes(struct inner *inner, void *args, unsigned lost, qk_error *err)
{
    const struct add_nodes_args *a = args;
    qk_store *store = inner->store;
    qk_job *job = NULL;
    qk_status rc = store->ops->add_nodes(store, a->lease, a->jobs, a->count, err);
    if (rc && lost && a->count > 0 && store->ops->get(store, &job, a->jobs[0].id, NULL) == QK_OK) {
        qk_job_free(job);
        rc = QK_OK;
    }
    return rc;
}

qk_status shared_add_nodes(qk_store *base, const qk_lease *lease, const qk__new_job *jobs,
                           size_t count, qk_error *err)
{
    struct add_nodes_args args = { lease, jobs, count };
    return shared_change(shared_of(base), do_add_nodes, &args, REPEAT, err);
}

struct run_get_args {
    qk_run **out;
    qk_id run;
};
FORWARD(run_get, a->out, a->run)

qk_status shared_run_get(qk_store *base, qk_run **out, qk_id run, qk_error *err)
{
    struct run_get_args args = { out, run };
    return shared_run(shared_of(base), do_run_get, &args, REPEAT, err);
}

struct run_list_args {
    qk_run_list **out;
    const qk_run_filter *filter;
};
FORWARD(run_list, a->out, a->filter)

qk_status shared_run_list(qk_store *base, qk_run_list **out, const qk_run_filter *filter,
                          qk_error *err)
{
    struct run_list_args args = { out, filter };
    return shared_run(shared_of(base), do_run_list, &args, REPEAT, err);
}

struct run_tree_args {
    qk_run_tree **out;
    qk_id run;
};
FORWARD(run_tree, a->out, a->run)

qk_status shared_run_tree(qk_store *base, qk_run_tree **out, qk_id run, qk_error *err)
{
    struct run_tree_args args = { out, run };
    return shared_run(shared_of(base), do_run_tree, &args, REPEAT, err);
}

struct run_node_args {
    qk_id *out;
    qk_id run;
    const char *node;
};
FORWARD(run_node, a->out, a->run, a->node)

qk_status shared_run_node(qk_store *base, qk_id *out, qk_id run, const char *node, qk_error *err)
{
    struct run_node_args args = { out, run, node };
    return shared_run(shared_of(base), do_run_node, &args, REPEAT, err);
}

struct run_wait_args {
    const struct shared *s;
    qk_run_progress *out;
    qk_id run;
    const qk_run_progress *seen;
    int64_t end_us; /* INT64_MAX: none */
};

static qk_status do_run_wait(struct inner *inner, void *args, unsigned lost, qk_error *err)
{
    const struct run_wait_args *a = args;
    qk_store *store = inner->store;
    int64_t left = INT64_MAX;
    (void)lost;
    if (a->end_us != INT64_MAX) {
        left = a->end_us - clock_us(a->s);
        left = left > 0 ? left : 0;
    }
    return store->ops->run_wait(store, a->out, a->run, a->seen, left, err);
}

qk_status shared_run_wait(qk_store *base, qk_run_progress *out, qk_id run,
                          const qk_run_progress *seen, int64_t timeout_us, qk_error *err)
{
    struct shared *s = shared_of(base);
    int64_t now = clock_us(s);
    struct run_wait_args args = { s, out, run, seen,
                                  timeout_us > INT64_MAX - now ? INT64_MAX : now + timeout_us };
    return shared_run(s, do_run_wait, &args, REPEAT, err);
}

/* *status: how the run stands. */
static bool stands(qk_store *store, qk_run_status *status, qk_id id)
{
    qk_run *run = NULL;
    bool known = store->ops->run_get(store, &run, id, NULL) == QK_OK;
    if (known)
        *status = run->status;
    qk_run_free(run);
    return known;
}

struct run_cancel_args {
    qk_id run;
};

static qk_status do_run_cancel(struct inner *inner, void *args, unsigned lost, qk_error *err)
{
    const struct run_cancel_args *a = args;
    qk_store *store = inner->store;
    qk_run_status status;
    qk_status rc = store->ops->run_cancel(store, a->run, err);
    bool wanted =
        rc == QK_ESTATE && lost && stands(store, &status, a->run) && status == QK_RUN_CANCELLED;
    return wanted ? QK_OK : rc;
}

qk_status shared_run_cancel(qk_store *base, qk_id run, qk_error *err)
{
    struct run_cancel_args args = { run };
    return shared_change(shared_of(base), do_run_cancel, &args, REPEAT, err);
}

struct run_pause_args {
    qk_id run;
    bool paused;
};

/* Refused although it has not ended: so it is paused, or not, already. */
static qk_status do_run_pause(struct inner *inner, void *args, unsigned lost, qk_error *err)
{
    const struct run_pause_args *a = args;
    qk_store *store = inner->store;
    qk_run_status status;
    qk_status rc = store->ops->run_pause(store, a->run, a->paused, err);
    bool wanted = rc == QK_ESTATE && lost && stands(store, &status, a->run) &&
                  !qk_run_status_is_terminal(status);
    return wanted ? QK_OK : rc;
}

qk_status shared_run_pause(qk_store *base, qk_id run, bool paused, qk_error *err)
{
    struct run_pause_args args = { run, paused };
    return shared_change(shared_of(base), do_run_pause, &args, REPEAT, err);
}

struct run_retry_args {
    qk_id run;
    const qk_id *from;
};
FORWARD(run_retry, a->run, a->from)

qk_status shared_run_retry(qk_store *base, qk_id run, const qk_id *from, qk_error *err)
{
    struct run_retry_args args = { run, from };
    return shared_change(shared_of(base), do_run_retry, &args, ASK, err);
}
