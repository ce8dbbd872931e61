/*
 * What people do to runs: cancel, pause, resume; conditions that are false; and opening ended nodes
 * again, in bulk, by a plan that the store has made (embedded_retry_plan.c).
 */
#include "store/embedded/engine_internal.h"

#include "util/error.h"

#include <queuack/run.h>
#include <stdlib.h>
#include <string.h>

qk_status qk__engine_cancel_run(qk__engine *engine, qk__now now, qk_id id)
{
    qk__engine_tick(engine, now);
    struct run *run = run_find(engine, id);
    if (run == NULL || run->ended) {
        return run == NULL ? QK_ENOTFOUND : QK_ESTATE;
    }
    run->cancelled = true;
    run_cancel_inside(engine, run, now);
    settle_dependents(engine, now);
    return QK_OK;
}

qk_status qk__engine_pause_run(qk__engine *engine, qk__now now, qk_id id, bool paused)
{
    qk__engine_tick(engine, now);
    struct run *run = run_find(engine, id);
    if (run == NULL || run->ended || run->paused == paused) {
        return run == NULL ? QK_ENOTFOUND : QK_ESTATE;
    }
    run->paused = paused;
    run_mark_dirty(engine, run);
    run_hold(engine, run);
    settle_dependents(engine, now);
    return QK_OK;
}

bool qk__engine_untrue(qk__engine *engine, qk__now now, qk_id id, int32_t attempt)
{
    uint32_t index = job_find(engine, id);
    struct job *job = index == NIL ? NULL : job_at(engine, index);
    if (job == NULL || job->status != QK_JOB_CLAIMED || job->attempt != attempt ||
        (job->flags & JF_WAITING) != 0) {
        return false;
    }
    lease_remove(engine, index);
    job->attempts--; /* it never started */
    job->extra->claimed_us = 0;
    job->extra->worker = NIL;
    set_status(engine, index, QK_JOB_PENDING);
    end_job(engine, index, QK_JOB_SKIPPED, now);
    settle_dependents(engine, now);
    return true;
}

bool qk__engine_run_look(const qk__engine *engine, qk_id id, qk__run_look *out)
{
    const struct run *run = run_find(engine, id);
    if (run == NULL) {
        return false;
    }
    *out = (qk__run_look){ .root = run->root,
                           .parent_job = run->parent_job,
                           .status = run->status,
                           .ended = run->ended,
                           .version = run->version,
                           .created_us = run->created_us,
                           .completed_us = run->completed_us };
    memcpy(out->counts, run->counts, sizeof out->counts);
    return true;
}

qk_status qk__engine_tree_nodes(const qk__engine *engine, qk_id root, qk__node_look **out,
                                size_t *count)
{
    VEC(qk__node_look) nodes = { 0 };
    for (size_t i = 0; i < engine->runs.count; i++) {
        const struct run *run = engine->runs.items[i];
        if (run == NULL || memcmp(run->root.bytes, root.bytes, sizeof root.bytes) != 0) {
            continue;
        }
        if (!VEC_RESERVE(nodes, run->node_count)) {
            free(nodes.items);
            return QK_ENOMEM;
        }
        for (size_t k = 0; k < run->node_count; k++) {
            const struct job *job = job_at(engine, run->nodes[k]);
            if (job->used && job->run == run->index) {
                nodes.items[nodes.count++] =
                    (qk__node_look){ .id = job->id,
                                     .run = run->id,
                                     .child_run = job->extra->child_run,
                                     .status = job->status,
                                     .waiting = (job->flags & JF_WAITING) != 0 };
            }
        }
    }
    *out = nodes.items;
    *count = nodes.count;
    return QK_OK;
}

qk_status qk__engine_parents(const qk__engine *engine, qk_id job, qk_id **out, size_t *count)
{
    uint32_t index = job_find(engine, job);
    bool any = index != NIL && has_parents(job_at(engine, index));
    const struct links *links = any ? job_at(engine, index)->extra->links : NULL;
    *count = any ? links->parent_count : 0;
    *out = malloc((*count + 1) * sizeof **out);
    for (size_t i = 0; *out != NULL && i < *count; i++) {
        (*out)[i] = links->parents[i].parent;
    }
    return *out == NULL ? QK_ENOMEM : QK_OK;
}

/* By the names of nodes in memory; the store has looked for those that are not. */
static bool has_node(const qk__engine *engine, const struct run *run, const char *name)
{
    for (size_t i = 0; i < run->node_count; i++) {
        const struct job *job = job_at(engine, run->nodes[i]);
        if (job->used && job->run == run->index && job->extra->node != NULL &&
            strcmp(job->extra->node, name) == 0) {
            return true;
        }
    }
    return false;
}

qk_status qk__engine_add_nodes(qk__engine *engine, qk__now now, const qk_lease *lease,
                               const qk__new_job *jobs, size_t count, const qk__cold_set *cold,
                               qk_error *err)
{
    qk__engine_tick(engine, now);
    uint32_t index = job_find(engine, lease->job);
    if (index == NIL || !holds(engine, job_at(engine, index), lease)) {
        return QK_ELEASE;
    }
    struct run *run = run_of(engine, job_at(engine, index));
    if (run == NULL) {
        return qk__error(err, QK_EINVAL, "the job is of no run: nodes cannot be added");
    }
    for (size_t i = 0; i < count; i++) {
        if (has_node(engine, run, jobs[i].node)) {
            return qk__error(err, QK_ECONFLICT, "the run has a node '%s': use another name",
                             jobs[i].node);
        }
    }
    uint32_t above = qk_id_is_none(run->parent_job) ? NIL : job_find(engine, run->parent_job);
    qk_status rc = circle_check(engine, above, jobs, count, err);
    if (rc != QK_OK) {
        return rc;
    }
    qk_enqueued *out = malloc((count + 1) * sizeof *out);
    if (out == NULL) {
        return qk__error(err, QK_ENOMEM, "out of memory: add fewer nodes at once");
    }
    rc = enqueue_jobs(engine, now, out, jobs, count, run, cold, err);
    free(out);
    return rc;
}

/* Everything the plan was made from still holds, and what it leads to is known. */
static bool plan_holds(const qk__engine *engine, const qk__reopen *plan)
{
    for (size_t i = 0; i < plan->seen_count; i++) {
        const struct run *run = run_find(engine, plan->seen[i].id);
        if ((run == NULL ? 0 : run->version) != plan->seen[i].version) {
            return false;
        }
    }
    for (size_t i = 0; i < plan->node_count; i++) {
        if (job_find(engine, plan->nodes[i].id) != NIL) {
            return false;
        }
    }
    return true;
}

static qk_status load_runs(qk__engine *engine, const qk__reopen *plan)
{
    for (size_t i = 0; i < plan->run_count; i++) {
        struct run *run = NULL;
        const qk__row *row = &plan->runs[i];
        qk_status rc = run_load(engine, row, &run);
        if (rc != QK_OK) {
            return rc;
        }
        memcpy(run->counts, plan->facts[i].counts, sizeof run->counts);
        run->bad = plan->facts[i].bad;
        run->epoch = engine->epoch;
        if (row->payload.data != NULL) { /* it stands in the row that goes */
            free(run->definition);
            run->definition = qk__dup_text(row->payload.data, row->payload.length);
            run->definition_length = row->payload.length;
            run->has_definition = run->definition_due = true;
            if (run->definition == NULL) {
                return QK_ENOMEM;
            }
        }
    }
    return QK_OK;
}

static qk_status load_links(qk__engine *engine, struct job *job, const qk__reopen *plan,
                            size_t *edge)
{
    size_t first = *edge;
    while (first < plan->edge_count && qk_id_compare(plan->edges[first].id, job->id) < 0) {
        first++;
    }
    size_t end = first;
    while (end < plan->edge_count && qk_id_compare(plan->edges[end].id, job->id) == 0) {
        end++;
    }
    *edge = end;
    if (end == first) {
        return QK_OK;
    }
    qk_id *parents = malloc((end - first) * sizeof *parents);
    for (size_t i = first; parents != NULL && i < end; i++) {
        parents[i - first] = plan->edges[i].related;
    }
    struct links *links = parents == NULL ? NULL : links_make(engine, parents, end - first);
    free(parents);
    job->extra->links = links;
    return links == NULL ? QK_ENOMEM : QK_OK;
}

/* The run's counts know the job already: loading it must not count it twice. */
static void uncount_once(const qk__engine *engine, const struct job *job)
{
    struct run *run = run_of(engine, job);
    if (run != NULL) {
        run->counts[job->status]--;
        run->bad -= (job->flags & JF_BAD) != 0;
    }
}

static void unload_nodes(qk__engine *engine, const uint32_t *indexes, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct job *job = job_at(engine, indexes[i]);
        queue_of(engine, job)->counts[job->status]--;
        job_release(engine, indexes[i]);
    }
}

static qk_status load_nodes(qk__engine *engine, const qk__reopen *plan, uint32_t *indexes,
                            size_t *loaded)
{
    size_t edge = 0;
    for (size_t i = 0; i < plan->node_count; i++) {
        qk_status rc = load_job(engine, &plan->nodes[i], &indexes[i]);
        if (rc != QK_OK) {
            return rc;
        }
        *loaded = i + 1;
        struct job *job = job_at(engine, indexes[i]);
        uncount_once(engine, job);
        if (job_extra(engine, job) == NULL || !lane_prepare(engine, job) ||
            !lease_reserve(engine) || !retire_reserve(engine, 4 * (plan->node_count + 1)) ||
            !VEC_RESERVE(engine->reopened, 2 * plan->node_count) ||
            !VEC_RESERVE(engine->loose, plan->node_count)) {
            return QK_ENOMEM;
        }
        rc = load_links(engine, job, plan, &edge);
        if (rc != QK_OK) {
            return rc;
        }
        const char *key = job->extra->unique_key;
        if (key != NULL && unique_find(engine, key) != NIL) {
            return QK_ESTATE;
        }
    }
    return QK_OK;
}

/* Every parent is in memory, or known to have ended. QK_ENOTFOUND: one was purged. */
static qk_status check_parents(const qk__engine *engine, const qk__reopen *plan)
{
    for (size_t i = 0; i < plan->edge_count; i++) {
        if (job_find(engine, plan->edges[i].related) != NIL) {
            continue;
        }
        const qk__cold_job *ended = cold_find(plan->cold, plan->edges[i].related);
        if (ended == NULL || !ended->found) {
            return ended == NULL ? QK_EMPTY : QK_ENOTFOUND;
        }
    }
    return QK_OK;
}

static void open_run(qk__engine *engine, struct run *run)
{
    if (run->ended) {
        engine->reopened.items[engine->reopened.count++] = run->id; /* at most one per node */
    }
    run->ended = run->cancelled = run->durable_end = false;
    run->started = run->hold_due = true;
    run->completed_us = 0;
    run_mark_dirty(engine, run);
}

static void open_node(qk__engine *engine, uint32_t index, bool waits, qk__now now)
{
    struct job *job = job_at(engine, index);
    struct extra *extra = job->extra;
    if (waits) {
        retire(engine, extra->error);
        extra->error = NULL;
        extra->finished_us = 0;
        extra->claimed_us = now.wall_us; /* its time begins anew */
        extra->begun_us = now.mono_us;
        job->lost = 0; /* and so does its budget */
    } else {
        reset_for_retry(engine, index, now);
    }
    job->flags |= JF_REOPENED | JF_UNSETTLED_REOPEN;
    job->flags |= has_parents(job) ? JF_EDGES_DUE : 0;
    engine->reopened.items[engine->reopened.count++] = job->id;
    links_counted(engine, job, 1);
    set_status(engine, index, waits ? QK_JOB_CLAIMED : QK_JOB_PENDING);
    if (extra->unique_key != NULL) {
        (void)unique_insert(engine, index); /* out of memory: found free above, stays unknown */
    }
    if (run_of(engine, job) != NULL) {
        open_run(engine, run_of(engine, job));
    }
}

static void place_nodes(qk__engine *engine, const qk__reopen *plan, const uint32_t *indexes,
                        qk__now now)
{
    qk_id missing;
    for (size_t i = 0; i < plan->node_count; i++) {
        if (has_parents(job_at(engine, indexes[i]))) {
            (void)links_connect(engine, indexes[i], plan->cold, &missing); /* all are known */
        }
        if (plan->waits[i]) {
            node_wait(engine, indexes[i], now);
        }
    }
    for (size_t i = 0; i < plan->node_count; i++) {
        links_retell(engine, indexes[i]);
    }
    order_all(engine); /* the nodes come in no order; once for all of them */
    for (size_t i = 0; i < plan->node_count; i++) {
        struct run *run = run_of(engine, job_at(engine, indexes[i]));
        if (run != NULL && run->hold_due) {
            run->hold_due = false;
            run_hold(engine, run);
        }
    }
    for (size_t i = 0; i < plan->node_count; i++) {
        if (!plan->waits[i] && job_at(engine, indexes[i])->status == QK_JOB_PENDING) {
            place(engine, indexes[i]);
        }
    }
    settle_dependents(engine, now);
}

qk_status qk__engine_reopen(qk__engine *engine, qk__now now, const qk__reopen *plan)
{
    size_t loaded = 0;
    qk__engine_tick(engine, now);
    if (!plan_holds(engine, plan)) {
        return QK_EMPTY;
    }
    uint32_t *indexes = malloc((plan->node_count + 1) * sizeof *indexes);
    qk_status rc = indexes == NULL ? QK_ENOMEM : load_runs(engine, plan);
    rc = rc == QK_OK ? load_nodes(engine, plan, indexes, &loaded) : rc;
    rc = rc == QK_OK ? check_parents(engine, plan) : rc;
    if (rc != QK_OK) {
        unload_nodes(engine, indexes, loaded);
        for (size_t i = 0; i < plan->run_count; i++) {
            struct run *run = run_find(engine, plan->runs[i].id);
            if (run != NULL) {
                run_free(engine, run);
            }
        }
        settle_dependents(engine, now); /* runs that live on are as they were */
        free(indexes);
        return rc;
    }
    for (size_t i = 0; i < plan->node_count; i++) {
        open_node(engine, indexes[i], plan->waits[i], now);
    }
    place_nodes(engine, plan, indexes, now);
    free(indexes);
    return QK_OK;
}
