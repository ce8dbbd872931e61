/*
 * Transitions of a job that already exists.
 *
 * Each leaves the invariants of engine.h intact, marks the job dirty, and cannot fail: callers
 * reserve first what a transition needs (rows for attempts, room to retire text).
 */
#include "store/embedded/engine_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

char *copy_text(const char *text)
{
    return text == NULL ? NULL : strdup(text);
}

uint64_t next_random(qk__engine *engine)
{
    uint64_t z = engine->random += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

void mark_dirty(qk__engine *engine, uint32_t index)
{
    struct job *job = job_at(engine, index);
    if ((job->flags & JF_DIRTY) == 0) {
        job->flags |= JF_DIRTY;
        engine->dirty.items[engine->dirty.count++] = index;
    }
}

void set_status(qk__engine *engine, uint32_t index, qk_job_status status)
{
    struct job *job = job_at(engine, index);
    struct queue *queue = queue_of(engine, job);
    run_count(engine, job, -1);
    queue->counts[job->status]--;
    queue->counts[status]++;
    job->status = (uint8_t)status;
    run_count(engine, job, 1);
    mark_dirty(engine, index);
}

void leave_place(qk__engine *engine, uint32_t index)
{
    struct job *job = job_at(engine, index);
    if ((job->flags & JF_WAITING) != 0) {
        node_leave_wait(engine, index);
    } else if (job->status == QK_JOB_CLAIMED) {
        lease_remove(engine, index);
    } else if (job->status == QK_JOB_DELAYED) {
        if ((job->flags & JF_IN_HEAP) == 0) {
            return; /* a recovery is under way and has not come to it yet */
        }
        delay_remove(engine, index);
    } else if ((job->flags & JF_IN_LANE) != 0) {
        lane_remove(engine, index);
    }
}

int64_t fail_order(qk__engine *engine, qk__now now)
{
    engine->failed_last = now.wall_us > engine->failed_last ? now.wall_us : engine->failed_last + 1;
    return engine->failed_last;
}

void end_job(qk__engine *engine, uint32_t index, qk_job_status status, qk__now now)
{
    struct job *job = job_at(engine, index);
    links_counted(engine, job, -1);
    set_status(engine, index, status);
    job->extra->finished_us = now.wall_us;
    if (status == QK_JOB_FAILED || status == QK_JOB_CANCELLED) {
        job->extra->cause_order = fail_order(engine, now);
    }
    if (job->extra->unique_key != NULL) {
        unique_remove(engine, index);
    }
    engine->ended.items[engine->ended.count++] = index;
    engine->changes++;
    engine->counters.done += status == QK_JOB_DONE;
    engine->counters.failed += status == QK_JOB_FAILED;
    engine->counters.skipped += status == QK_JOB_SKIPPED;
    engine->counters.cancelled += status == QK_JOB_CANCELLED;
}

static void skip(qk__engine *engine, uint32_t index, qk__now now)
{
    struct job *job = job_at(engine, index);
    const struct link *first = links_first_failure(job->extra->links);
    if (first != NULL) {
        job->extra->cause = first->cause;
        job->extra->cause_order = first->cause_order;
        job->extra->cause_outside = first->outside;
    }
    leave_place(engine, index);
    end_job(engine, index, QK_JOB_SKIPPED, now);
}

static bool is_held_back(const qk__engine *engine, const struct job *job)
{
    const struct run *run = run_of(engine, job);
    return run != NULL && run->held;
}

/* Its parents, or its place, have changed. */
static void reconsider(qk__engine *engine, uint32_t index)
{
    struct job *job = job_at(engine, index);
    qk__readiness ready = links_readiness(engine, job);
    bool waits = job->status == QK_JOB_PENDING && (job->flags & JF_IN_LANE) == 0;
    if (job->status == QK_JOB_CLAIMED) {
        return; /* judged again when it comes back */
    }
    if (ready == QK__READY_NEVER) {
        doom(engine, index);
    } else if (ready == QK__READY_START && waits && !is_held_back(engine, job)) {
        lane_push(engine, index);
        engine->changes++;
    }
}

void place(qk__engine *engine, uint32_t index)
{
    if (job_at(engine, index)->status == QK_JOB_DELAYED) {
        delay_push(engine, index);
    }
    reconsider(engine, index);
}

/* A node that ends other than with its child run takes that along. */
static void end_child_run(qk__engine *engine, const struct job *node, qk__now now)
{
    struct run *child =
        qk_id_is_none(node->extra->child_run) ? NULL : run_find(engine, node->extra->child_run);
    const struct run *outer = run_of(engine, node);
    if (child == NULL || child->ended) {
        return;
    }
    if (node->status == QK_JOB_CANCELLED && outer != NULL && outer->cancelled) {
        child->cancelled = true;
    }
    run_cancel_inside(engine, child, now);
}

static void tell_children(qk__engine *engine, uint32_t index, qk__now now)
{
    struct job *parent = job_at(engine, index);
    struct links *links = parent->extra->links;
    if (!qk_job_status_is_terminal(parent->status)) {
        return;
    }
    end_child_run(engine, parent, now);
    if (links == NULL) {
        return;
    }
    struct link news;
    for (uint32_t i = 0; i < links->child_count; i++) {
        uint32_t child = job_find(engine, links->children[i]);
        struct job *job = child == NIL ? NULL : job_at(engine, child);
        link_news(engine, parent, job, &news);
        if (job != NULL && !qk_job_status_is_terminal(job->status) && has_parents(job) &&
            links_tell(job->extra->links, parent->id, &news)) {
            reconsider(engine, child);
        }
    }
    links->child_count = 0;
}

/* Unless it was cancelled meanwhile, with a run around it. */
static void skip_doomed(qk__engine *engine, uint32_t index, qk__now now)
{
    const struct job *job = job_at(engine, index);
    if (job->used && !qk_job_status_is_terminal(job->status)) {
        skip(engine, index, now);
    }
}

void settle_dependents(qk__engine *engine, qk__now now)
{
    for (;;) {
        uint32_t doomed;
        while (engine->notified < engine->ended.count) {
            tell_children(engine, engine->ended.items[engine->notified++], now);
        }
        if ((doomed = doom_take(engine)) != NIL) {
            skip_doomed(engine, doomed, now);
        } else if (engine->due_runs.count > 0) {
            struct run *run = engine->runs.items[engine->due_runs.items[--engine->due_runs.count]];
            run->due = false;
            run_review(engine, run, now);
        } else {
            return;
        }
    }
}

/* Reserved by the caller, so that the push at the end cannot fail. */
bool attempt_row(qk__engine *engine, uint32_t index, qk__attempt_outcome outcome, qk__now now,
                 const qk_outcome *report)
{
    struct job *job = job_at(engine, index);
    if (!VEC_RESERVE(engine->loose, 1)) {
        return false;
    }
    const char *error = report == NULL ? NULL : report->error;
    const char *log = report == NULL ? NULL : report->log_tail;
    size_t error_length = error == NULL ? 0 : strlen(error);
    size_t log_length = log == NULL ? 0 : strlen(log);
    char *memory = NULL;
    if (error_length + log_length > 0) {
        memory = malloc(error_length + log_length);
        if (memory == NULL) {
            return false;
        }
        memcpy(memory, error == NULL ? "" : error, error_length);
        memcpy(memory + error_length, log == NULL ? "" : log, log_length);
    }
    const char *worker = engine->symbols.text[job->extra->worker];
    qk__row row = { .op = QK__OP_ATTEMPT,
                    .status = (uint8_t)outcome,
                    .id = job->id,
                    .attempt = job->attempt,
                    .claimed_us = job->extra->claimed_us,
                    .finished_us = now.wall_us,
                    .claimed_by = { worker, (uint32_t)strlen(worker) },
                    .has_exit_code = report != NULL && report->has_exit_code,
                    .exit_code = report == NULL ? 0 : report->exit_code };
    row.error = (qk__text){ error == NULL ? NULL : memory, (uint32_t)error_length };
    row.log_tail = (qk__text){ log == NULL ? NULL : memory + error_length, (uint32_t)log_length };
    engine->loose.items[engine->loose.count++] = (struct loose_row){ row, memory };
    return true;
}

bool attempt_due_row(qk__engine *engine, uint32_t index, qk__now now)
{
    struct job *job = job_at(engine, index);
    bool last = job->lost + 1 >= policy_of(engine, job)->max_lost;
    return retire_reserve(engine, 1) &&
           (last || attempt_row(engine, index, QK__ATTEMPT_LOST, now, NULL));
}

void lose_claim(qk__engine *engine, uint32_t index, qk__now now)
{
    struct job *job = job_at(engine, index);
    struct extra *extra = job->extra;
    int32_t max_lost = policy_of(engine, job)->max_lost;
    lease_remove(engine, index);
    job->attempts--;
    job->lost++;
    engine->counters.lost++;
    if (job->lost >= max_lost) {
        char text[64];
        snprintf(text, sizeof text, "worker lost %d times", (int)max_lost);
        retire(engine, extra->error);
        extra->error = copy_text(text);
        end_job(engine, index, QK_JOB_FAILED, now);
        settle_dependents(engine, now);
        return;
    }
    extra->claimed_us = 0;
    extra->worker = NIL;
    set_status(engine, index, QK_JOB_PENDING);
    place(engine, index);
    settle_dependents(engine, now);
}
