/*
 * Runs through whatever store is there. A follower can run nodes and read what their parents left;
 * the rest of a run's operations does not travel yet, and says so.
 */
#include "store/shared/shared_internal.h"

struct submit_run_args {
    qk_enqueued *out;
    const qk__new_run *run;
    const qk__new_job *jobs;
    size_t count;
};
FORWARD(submit_run, a->out, a->run, a->jobs, a->count)

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
FORWARD(expand, a->child, a->lease, a->run, a->jobs, a->count)

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
FORWARD(add_nodes, a->lease, a->jobs, a->count)

qk_status shared_add_nodes(qk_store *base, const qk_lease *lease, const qk__new_job *jobs,
                           size_t count, qk_error *err)
{
    struct add_nodes_args args = { lease, jobs, count };
    return shared_change(shared_of(base), do_add_nodes, &args, ASK, err);
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
    qk_run_progress *out;
    qk_id run;
    const qk_run_progress *seen;
    int64_t timeout_us;
};
FORWARD(run_wait, a->out, a->run, a->seen, a->timeout_us)

qk_status shared_run_wait(qk_store *base, qk_run_progress *out, qk_id run,
                          const qk_run_progress *seen, int64_t timeout_us, qk_error *err)
{
    struct run_wait_args args = { out, run, seen, timeout_us };
    return shared_run(shared_of(base), do_run_wait, &args, REPEAT, err);
}

struct run_cancel_args {
    qk_id run;
};
FORWARD(run_cancel, a->run)

qk_status shared_run_cancel(qk_store *base, qk_id run, qk_error *err)
{
    struct run_cancel_args args = { run };
    return shared_change(shared_of(base), do_run_cancel, &args, ASK, err);
}

struct run_pause_args {
    qk_id run;
    bool paused;
};
FORWARD(run_pause, a->run, a->paused)

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
