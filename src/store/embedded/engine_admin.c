/*
 * What people do: cancel, retry, pause.
 */
#include "store/embedded/engine_internal.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

qk_status qk__engine_cancel(qk__engine *engine, qk__now now, qk_id id)
{
    qk__engine_tick(engine, now);
    uint32_t index = job_find(engine, id);
    if (index == NIL) {
        return QK_ENOTFOUND;
    }
    struct job *job = job_at(engine, index);
    if (qk_job_status_is_terminal(job->status)) {
        return QK_ESTATE;
    }
    if (job_extra(engine, job) == NULL) {
        return QK_ENOMEM;
    }
    struct run *child = run_find(engine, job->extra->child_run);
    if (child != NULL && !child->ended) {
        child->cancelled = true;
    }
    leave_place(engine, index);
    end_job(engine, index, QK_JOB_CANCELLED, now);
    settle_dependents(engine, now);
    return QK_OK;
}

/* A purged parent rules a job out for good. */
static qk_status refuse_purged(qk__refusal *why, qk_id parent)
{
    *why = (qk__refusal){ .why = QK__REFUSED_PURGED, .job = parent };
    return QK_ESTATE;
}

static qk_status refuse_parents(const struct links *links, qk__refusal *why)
{
    const struct link *failed = links_first_failure(links);
    *why = (qk__refusal){ .why = QK__REFUSED_CONDITION };
    if (failed != NULL) {
        *why = (qk__refusal){ QK__REFUSED_PARENT, failed->parent, failed->cause };
    }
    return QK_ESTATE;
}

/* Connects the parents of a job read back from the history. */
static qk_status connect_parents(qk__engine *engine, uint32_t index, const qk_id *parents,
                                 size_t parent_count, const qk__cold_set *cold, qk__refusal *why)
{
    qk_id missing;
    struct job *job = job_at(engine, index);
    if (parent_count == 0) {
        return QK_OK;
    }
    struct extra *extra = job_extra(engine, job);
    struct links *links = extra == NULL ? NULL : links_make(engine, parents, parent_count);
    if (links == NULL) {
        return QK_ENOMEM;
    }
    links_free(engine, extra->links);
    extra->links = links;
    qk_status rc = links_connect(engine, index, cold, &missing);
    return rc == QK_ENOTFOUND ? refuse_purged(why, missing) : rc;
}

/* Parents of a job that is still in memory may have changed since it was decided. */
static qk_status relink(qk__engine *engine, uint32_t index, const qk__cold_set *cold,
                        qk__refusal *why)
{
    struct links *links = job_at(engine, index)->extra->links;
    if (links == NULL || links->parent_count == 0) {
        return QK_OK;
    }
    qk_id *parents = malloc(links->parent_count * sizeof *parents);
    if (parents == NULL) {
        return QK_ENOMEM;
    }
    size_t count = links->parent_count;
    for (size_t i = 0; i < count; i++) {
        parents[i] = links->parents[i].parent;
    }
    struct links before = *links;
    struct links *fresh = links_make(engine, parents, count);
    free(parents);
    if (fresh == NULL) {
        return QK_ENOMEM;
    }
    qk_id missing;
    *links = *fresh; /* keeps the address: this job may be its own parents' child already */
    links->children = before.children;
    links->child_count = before.child_count;
    links->child_capacity = before.child_capacity;
    free(fresh);
    qk_status rc = links_connect(engine, index, cold, &missing);
    if (rc != QK_OK) {
        links_forget(engine, links);
        *links = before;
        return rc == QK_ENOTFOUND ? refuse_purged(why, missing) : rc;
    }
    links_forget(engine, &before);
    return QK_OK;
}

static qk__attempt_outcome outcome_of(const qk__engine *engine, const struct job *job)
{
    switch (job->status) {
    case QK_JOB_DONE:
        return QK__ATTEMPT_DONE;
    case QK_JOB_CANCELLED:
        return QK__ATTEMPT_CANCELLED;
    default:
        return job->lost >= policy_of(engine, job)->max_lost ? QK__ATTEMPT_LOST
                                                             : QK__ATTEMPT_FAILED;
    }
}

/* The attempt that ended the job, as a row of its own. False: out of memory. */
static bool keep_last_attempt(qk__engine *engine, uint32_t index, qk__now now)
{
    struct job *job = job_at(engine, index);
    struct extra *extra = job->extra;
    qk__now end = { extra->finished_us, now.mono_us };
    qk_outcome report = { .error = extra->error,
                          .log_tail = extra->log_tail,
                          .has_exit_code = extra->has_exit_code,
                          .exit_code = extra->exit_code };
    return extra->claimed_us == 0 || extra->worker == NIL ||
           attempt_row(engine, index, outcome_of(engine, job), end, &report);
}

static void clear(qk__engine *engine, uint32_t index)
{
    struct job *job = job_at(engine, index);
    struct extra *extra = job->extra;
    retire(engine, extra->result);
    retire(engine, extra->error);
    retire(engine, extra->log_tail);
    retire(engine, extra->progress_message);
    extra->result = extra->error = extra->log_tail = extra->progress_message = NULL;
    extra->execute_after_us = extra->claimed_us = extra->finished_us = extra->cause_order = 0;
    extra->cause = (qk_id){ { 0 } };
    extra->cause_outside = false;
    extra->worker = NIL;
    extra->has_exit_code = false;
    extra->progress = -1;
    job->attempts = 0;
    job->lost = 0;
    job->seq = ++engine->seq;
}

void reset_for_retry(qk__engine *engine, uint32_t index, qk__now now)
{
    (void)keep_last_attempt(engine, index, now); /* out of memory: that attempt is not shown */
    clear(engine, index);
}

static void forget_end(qk__engine *engine, uint32_t index)
{
    for (size_t i = engine->ended.count; i-- > 0;) {
        if (engine->ended.items[i] == index) {
            engine->ended.items[i] = engine->ended.items[--engine->ended.count];
            engine->notified = engine->ended.count;
            return;
        }
    }
}

static qk_status reopen(qk__engine *engine, uint32_t index, qk__now now, qk__refusal *why)
{
    struct job *job = job_at(engine, index);
    struct extra *extra = job->extra;
    if (links_readiness(engine, job) == QK__READY_NEVER) {
        return refuse_parents(extra->links, why);
    }
    uint32_t holder = extra->unique_key == NULL ? NIL : unique_find(engine, extra->unique_key);
    if (holder != NIL) {
        *why = (qk__refusal){ .why = QK__REFUSED_UNIQUE, .job = job_at(engine, holder)->id };
        return QK_ESTATE;
    }
    if (!lane_prepare(engine, job) || !retire_reserve(engine, 4) ||
        !VEC_RESERVE(engine->reopened, 1) || !keep_last_attempt(engine, index, now)) {
        return QK_ENOMEM;
    }
    if (extra->unique_key != NULL && !unique_insert(engine, index)) {
        return QK_ENOMEM;
    }
    forget_end(engine, index);
    clear(engine, index);
    job->flags |= JF_REOPENED;
    job->flags |= has_parents(job) ? JF_EDGES_DUE : 0; /* replay forgot them at its end */
    engine->reopened.items[engine->reopened.count++] = job->id;
    links_counted(engine, job, 1);
    set_status(engine, index, QK_JOB_PENDING);
    links_retell(engine, index);
    order_below(engine, index);
    place(engine, index);
    settle_dependents(engine, now);
    return QK_OK;
}

qk_status qk__engine_retry(qk__engine *engine, qk__now now, qk_id id, const qk__row *ended,
                           const qk_id *parents, size_t parent_count, const qk__cold_set *cold,
                           qk__refusal *why)
{
    uint32_t index = job_find(engine, id);
    *why = (qk__refusal){ .why = QK__REFUSED_STATE };
    bool loaded = false;
    qk_status rc = QK_OK;
    qk__engine_tick(engine, now);
    if (index == NIL && ended == NULL) {
        return QK_ENOTFOUND;
    }
    if (index == NIL) {
        if (ended->status == QK_JOB_DONE) {
            return QK_ESTATE;
        }
        rc = load_job(engine, ended, &index);
        if (rc != QK_OK) {
            return rc;
        }
        loaded = true;
        rc = connect_parents(engine, index, parents, parent_count, cold, why);
    } else if (!qk_job_status_is_terminal(job_at(engine, index)->status) ||
               job_at(engine, index)->status == QK_JOB_DONE) {
        return QK_ESTATE;
    } else {
        rc = relink(engine, index, cold, why);
    }
    if (rc == QK_OK) {
        rc = reopen(engine, index, now, why);
    }
    if (rc == QK_OK && loaded) {
        job_at(engine, index)->flags |= JF_UNSETTLED_REOPEN;
    }
    if (rc != QK_OK && loaded) {
        queue_of(engine, job_at(engine, index))->counts[job_at(engine, index)->status]--;
        job_release(engine, index);
    }
    return rc;
}

qk_status qk__engine_pause(qk__engine *engine, const char *name, bool paused)
{
    uint32_t index = queue_make(engine, name, strlen(name));
    if (index == NIL) {
        return QK_ENOMEM;
    }
    struct queue *queue = engine->queues.items[index];
    if (queue->paused != paused) {
        queue->paused = paused;
        queue->settings_due = true;
        engine->changes++;
    }
    return QK_OK;
}

bool queue_limit(struct queue *queue, qk__engine *engine, uint32_t limit)
{
    char *settings = NULL;
    if (!retire_reserve(engine, 1) ||
        (limit != 0 && asprintf(&settings, "{\"co\":%" PRIu32 "}", limit) < 0)) {
        return false;
    }
    retire(engine, queue->settings);
    queue->settings = settings;
    queue->concurrency = limit;
    return true;
}

qk_status qk__engine_limit(qk__engine *engine, const char *name, uint32_t limit)
{
    uint32_t index = queue_make(engine, name, strlen(name));
    if (index == NIL) {
        return QK_ENOMEM;
    }
    struct queue *queue = engine->queues.items[index];
    if (queue->concurrency != limit) {
        if (!queue_limit(queue, engine, limit)) {
            return QK_ENOMEM;
        }
        queue->settings_due = true;
        engine->changes++;
    }
    return QK_OK;
}
