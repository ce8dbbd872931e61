/*
 * Submission of runs, and sub-DAG nodes: a claimed node becomes the parent of exactly one child run,
 * waits for it without a lease, and ends with it.
 */
#include "store/embedded/engine_internal.h"

#include "util/error.h"

#include <queuack/run.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int64_t timeout_left(const struct policy *policy, const struct extra *extra, qk__now now)
{
    if (policy->timeout_us == INT64_MAX) {
        return INT64_MAX;
    }
    int64_t gone = now.mono_us - extra->begun_us;
    return gone >= policy->timeout_us ? 0 : policy->timeout_us - gone;
}

void node_wait(qk__engine *engine, uint32_t index, qk__now now)
{
    struct job *job = job_at(engine, index);
    struct extra *extra = job->extra;
    int64_t left = timeout_left(policy_of(engine, job), extra, now);
    job->flags |= JF_WAITING;
    extra->lease_us = policy_of(engine, job)->timeout_us;
    extra->deadline_us = left > INT64_MAX - now.mono_us ? INT64_MAX : now.mono_us + left;
    if (extra->lease_us != INT64_MAX) {
        lease_push(engine, index);
    }
    mark_dirty(engine, index);
}

void node_leave_wait(qk__engine *engine, uint32_t index)
{
    struct job *job = job_at(engine, index);
    job->flags &= (uint16_t)~JF_WAITING;
    if (job->extra->lease_us != INT64_MAX) {
        lease_remove(engine, index);
    }
}

static uint64_t total_of(const struct run *run)
{
    uint64_t total = 0;
    for (int s = 0; s < QK_JOB_STATUS_COUNT; s++) {
        total += run->counts[s];
    }
    return total;
}

static char *end_text(const struct job *node, const struct run *child)
{
    char text[QK_NAME_MAX + 128];
    char id[QK_ID_TEXT_SIZE];
    if (child->status == QK_RUN_DONE) {
        snprintf(text, sizeof text, "{\"$run\":\"%s\"}", qk_id_format(id, child->id));
    } else {
        const char *name = node->extra->node != NULL ? node->extra->node : child->name;
        snprintf(text, sizeof text, "sub-DAG '%s' failed: %llu/%llu done, %llu failed",
                 name == NULL ? "" : name, (unsigned long long)child->counts[QK_JOB_DONE],
                 (unsigned long long)total_of(child),
                 (unsigned long long)child->counts[QK_JOB_FAILED]);
    }
    return strdup(text);
}

bool node_finish(qk__engine *engine, const struct run *child, qk__now now)
{
    uint32_t index = qk_id_is_none(child->parent_job) ? NIL : job_find(engine, child->parent_job);
    if (index == NIL || (job_at(engine, index)->flags & JF_WAITING) == 0) {
        return false;
    }
    struct job *node = job_at(engine, index);
    char *text = end_text(node, child); /* out of memory: it ends without */
    bool done = child->status == QK_RUN_DONE;
    node_leave_wait(engine, index);
    if (retire_reserve(engine, 2)) {
        retire(engine, node->extra->result);
        retire(engine, node->extra->error);
        node->extra->result = done ? text : NULL;
        node->extra->error = done ? NULL : text;
    } else {
        free(text);
    }
    end_job(engine, index, done ? QK_JOB_DONE : QK_JOB_FAILED, now);
    return true;
}

void node_timeout(qk__engine *engine, uint32_t index, qk__now now)
{
    struct job *job = job_at(engine, index);
    char text[64];
    snprintf(text, sizeof text, "timeout after %g s",
             (double)policy_of(engine, job)->timeout_us / 1e6);
    node_leave_wait(engine, index);
    retire(engine, job->extra->error);
    job->extra->error = copy_text(text);
    end_job(engine, index, QK_JOB_FAILED, now);
    settle_dependents(engine, now);
}

static qk_status fill_run(struct run *run, const qk__new_run *wanted, qk_id root, int depth)
{
    run->name = copy_text(wanted->name);
    run->about = run_about(wanted, root);
    run->definition = wanted->definition == NULL ? NULL : malloc(wanted->definition_length + 1);
    if (run->name == NULL || run->about == NULL ||
        (run->definition == NULL && wanted->definition != NULL)) {
        return QK_ENOMEM;
    }
    if (run->definition != NULL) {
        memcpy(run->definition, wanted->definition, wanted->definition_length);
        run->definition_length = wanted->definition_length;
        run->has_definition = run->definition_due = true;
    }
    run->root = root;
    run->depth = depth;
    return QK_OK;
}

/* The run's row and its jobs; the jobs are placed. */
static qk_status add_run(qk__engine *engine, qk__now now, const qk__new_run *wanted,
                         const struct run *outer, const qk__new_job *jobs, size_t count,
                         const qk__cold_set *cold, qk_error *err)
{
    struct run *run = run_make(engine, wanted->id);
    qk_enqueued *out = malloc((count + 1) * sizeof *out);
    qk_status rc = run == NULL || out == NULL ? QK_ENOMEM : QK_OK;
    if (rc == QK_OK) {
        rc = fill_run(run, wanted, outer == NULL ? wanted->id : outer->root,
                      outer == NULL ? 1 : outer->depth + 1);
        run->created_us = now.wall_us;
        run->parent_job = wanted->parent_job;
        run->epoch = engine->epoch;
        run->known = true;
    }
    if (rc == QK_ENOMEM) {
        (void)qk__error(err, rc, "out of memory: submit fewer nodes at once");
    } else {
        run_hold(engine, run);
        rc = enqueue_jobs(engine, now, out, jobs, count, run, cold, err);
    }
    if (rc == QK_OK) {
        run_mark_dirty(engine, run);
        settle_dependents(engine, now);
    } else if (run != NULL) {
        run_free(engine, run);
    }
    free(out);
    return rc;
}

qk_status qk__engine_submit(qk__engine *engine, qk__now now, bool *duplicate,
                            const qk__new_run *run, const qk__new_job *jobs, size_t count,
                            const qk__cold_set *cold, qk_error *err)
{
    qk__engine_tick(engine, now);
    *duplicate = run_find(engine, run->id) != NULL;
    return *duplicate ? QK_OK : add_run(engine, now, run, NULL, jobs, count, cold, err);
}

/* "a → b → c", outermost first; the middle is left out when it does not fit. */
static void chain_text(const qk__engine *engine, const struct job *node, char *out, size_t size)
{
    const char *names[QK_DAG_NESTING_MAX + 1];
    size_t count = 0;
    while (node != NULL && count <= QK_DAG_NESTING_MAX) {
        const struct run *run = run_of(engine, node);
        names[count++] = node->extra->node != NULL ? node->extra->node : "?";
        uint32_t above =
            run == NULL || qk_id_is_none(run->parent_job) ? NIL : job_find(engine, run->parent_job);
        node = above == NIL ? NULL : job_at(engine, above);
    }
    size_t used = 0;
    out[0] = '\0';
    for (size_t i = count; i-- > 0;) {
        const char *arrow = used == 0 ? "" : " → ";
        size_t needed = strlen(arrow) + strlen(names[i]);
        bool fits = used + needed + 16 < size || (i == 0 && used + needed < size);
        if (!fits) {
            (void)snprintf(out + used, size - used, " → …");
            return;
        }
        used += (size_t)snprintf(out + used, size - used, "%s%s", arrow, names[i]);
    }
}

static qk_status too_deep(const qk__engine *engine, const struct job *node, qk_error *err)
{
    char chain[400];
    chain_text(engine, node, chain, sizeof chain);
    return qk__error(err, QK_EREFUSED, "sub-DAGs are nested more than %d deep: %s",
                     QK_DAG_NESTING_MAX, chain);
}

/* The node has its child already: an earlier life of it was expanded. */
static qk_status wait_again(qk__engine *engine, uint32_t index, qk__now now,
                            const qk__run_facts *facts)
{
    struct job *job = job_at(engine, index);
    struct run *child = run_find(engine, job->extra->child_run);
    struct run ended = { .ended = true, .parent_job = job->id, .id = job->extra->child_run };
    if (child == NULL && (facts == NULL || !facts->found)) {
        return QK_EMPTY;
    }
    lease_remove(engine, index);
    node_wait(engine, index, now);
    if (child == NULL) {
        memcpy(ended.counts, facts->counts, sizeof ended.counts);
        ended.status = facts->status;
        child = &ended;
    } else if (!child->ended) {
        run_hold(engine, child);
    }
    if (child->ended) {
        (void)node_finish(engine, child, now);
    }
    settle_dependents(engine, now);
    return QK_OK;
}

bool qk__engine_child(const qk__engine *engine, const qk_lease *lease, qk_id *child)
{
    uint32_t index = job_find(engine, lease->job);
    *child = (qk_id){ { 0 } };
    if (index == NIL || job_at(engine, index)->extra == NULL) {
        return false;
    }
    *child = job_at(engine, index)->extra->child_run;
    return !qk_id_is_none(*child);
}

/* A repeated call after the expansion gets the first answer. */
static bool is_expanded_by(const qk__engine *engine, const struct job *job, const qk_lease *lease)
{
    return (job->flags & JF_WAITING) != 0 && job->attempt == lease->attempt &&
           job->extra->worker != NIL &&
           strcmp(engine->symbols.text[job->extra->worker], lease->worker_id) == 0;
}

static qk_status check_expansion(qk__engine *engine, uint32_t index, const qk__new_run *run,
                                 const qk__new_job *jobs, size_t count, qk_error *err)
{
    const struct job *job = job_at(engine, index);
    const struct run *outer = run_of(engine, job);
    if (run == NULL) {
        return qk__error(err, QK_EINVAL, "the node has no child run yet: give its definition");
    }
    if (outer != NULL && outer->depth >= QK_DAG_NESTING_MAX) {
        return too_deep(engine, job, err);
    }
    return circle_check(engine, index, jobs, count, err);
}

qk_status qk__engine_expand(qk__engine *engine, qk__now now, qk_id *child, const qk_lease *lease,
                            const qk__new_run *run, const qk__new_job *jobs, size_t count,
                            const qk__cold_set *cold, const qk__run_facts *facts, qk_error *err)
{
    qk__engine_tick(engine, now);
    uint32_t index = job_find(engine, lease->job);
    if (index != NIL && is_expanded_by(engine, job_at(engine, index), lease)) {
        *child = job_at(engine, index)->extra->child_run;
        return QK_OK;
    }
    if (index == NIL || !holds(engine, job_at(engine, index), lease)) {
        return QK_ELEASE;
    }
    struct job *job = job_at(engine, index);
    if (!lease_reserve(engine)) {
        return QK_ENOMEM;
    }
    if (!qk_id_is_none(job->extra->child_run)) {
        *child = job->extra->child_run;
        return wait_again(engine, index, now, facts);
    }
    const struct run *outer = run_of(engine, job);
    qk_status rc = check_expansion(engine, index, run, jobs, count, err);
    if (rc != QK_OK) {
        return rc;
    }
    lease_remove(engine, index);
    job->extra->child_run = run->id;
    node_wait(engine, index, now);
    rc = add_run(engine, now, run, outer, jobs, count, cold, err);
    if (rc != QK_OK) {
        node_leave_wait(engine, index);
        job->extra->child_run = (qk_id){ { 0 } };
        job->extra->lease_us = job->extra->first_lease_us;
        job->extra->deadline_us = now.mono_us + job->extra->lease_us;
        lease_push(engine, index);
        return rc;
    }
    *child = run->id;
    return QK_OK;
}
