/*
 * Reference model: dependencies, skips and what people do to a job.
 *
 * The table of modes is model_verdict, read off the parents' present state each time. After each
 * change model_settle brings the jobs to the one fixed point: since parents have lower indexes,
 * one pass in order is enough.
 */
#include "model_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct parents {
    size_t live;
    size_t done; /* or failed with continue_on_failure */
    size_t bad; /* failed, cancelled, or skipped for a failure */
    size_t skipped; /* by a condition */
};

static bool ended_badly(const struct model_job *job)
{
    return job->status == QK_JOB_FAILED || job->status == QK_JOB_CANCELLED;
}

static bool is_skipped_for_failure(const struct model_job *job)
{
    return job->status == QK_JOB_SKIPPED && job->root_order != 0;
}

/* "A failed parent with continue_on_failure counts as done": failed, not cancelled. */
static bool counts_as_done(const struct model_job *job)
{
    return job->status == QK_JOB_DONE || (job->status == QK_JOB_FAILED && job->continue_on_failure);
}

static bool is_bad(const struct model_job *job)
{
    return is_skipped_for_failure(job) || (ended_badly(job) && !counts_as_done(job));
}

static struct parents look_at_parents(const struct model *model, const struct model_job *job)
{
    struct parents seen = { 0 };
    for (size_t i = 0; i < job->needs_count; i++) {
        const struct model_job *parent = model_find(model, job->needs[i]);
        if (!model_is_terminal(parent))
            seen.live++;
        else if (counts_as_done(parent))
            seen.done++;
        else if (is_bad(parent))
            seen.bad++;
        else
            seen.skipped++;
    }
    return seen;
}

static enum verdict decide(bool starts, bool never)
{
    if (starts)
        return VERDICT_READY;
    return never ? VERDICT_NEVER : VERDICT_WAIT;
}

enum verdict model_verdict(const struct model *model, const struct model_job *job)
{
    struct parents p = look_at_parents(model, job);
    size_t all = job->needs_count;
    if (all == 0)
        return VERDICT_READY;
    switch (job->mode) {
    case QK_MODE_ALL:
        return decide(p.done == all, p.bad > 0 || p.skipped > 0);
    case QK_MODE_ANY:
        return decide(p.done > 0, p.live == 0 && p.done == 0);
    case QK_MODE_ALL_DONE:
        return decide(p.live == 0, false);
    case QK_MODE_ONE_FAILED:
        return decide(p.bad > 0, p.live == 0 && p.bad == 0);
    case QK_MODE_NONE_FAILED:
        return decide(p.done + p.skipped == all, p.bad > 0);
    }
    abort();
}

bool model_is_ready(const struct model *model, qk_id id)
{
    const struct model_job *job = model_find(model, id);
    return job && job->status == QK_JOB_PENDING && model_verdict(model, job) == VERDICT_READY;
}

void model_end(struct model *model, struct model_job *job, qk_job_status status)
{
    job->status = status;
    job->ended_us = model->wall_us;
    job->ended_order = model->next_ended++;
    job->ended_moment = model->moment;
    job->backoff_open = false;
    job->worker[0] = '\0';
}

static void set_root(struct model_job *job, qk_id root, uint64_t order, uint64_t moment)
{
    job->root = root;
    job->root_order = order;
    job->root_moment = moment;
}

/* The parent's root cause takes the place of the one found so far if it ended earlier. */
static void consider_root(struct model_job *job, const struct model_job *parent)
{
    if (!is_bad(parent))
        return;
    bool passed_on = parent->status == QK_JOB_SKIPPED;
    uint64_t order = passed_on ? parent->root_order : parent->ended_order;
    if (job->root_order && job->root_order <= order)
        return;
    if (passed_on)
        set_root(job, parent->root, order, parent->root_moment);
    else
        set_root(job, parent->id, order, parent->ended_moment);
}

static void write_reason(struct model_job *job)
{
    if (!job->root_order) {
        model_text(job->skip_reason, sizeof job->skip_reason, "condition");
        return;
    }
    char *out = job->skip_reason + sprintf(job->skip_reason, "parent_failed:");
    for (int i = 0; i < 16; i++) {
        bool dash = i == 4 || i == 6 || i == 8 || i == 10;
        out += sprintf(out, "%s%02x", dash ? "-" : "", job->root.bytes[i]);
    }
}

static void skip(struct model *model, struct model_job *job)
{
    set_root(job, (qk_id){ { 0 } }, 0, 0);
    for (size_t i = 0; i < job->needs_count; i++)
        consider_root(job, model_find(model, job->needs[i]));
    write_reason(job);
    model_end(model, job, QK_JOB_SKIPPED);
}

void model_settle(struct model *model)
{
    for (size_t i = 0; i < model->count; i++) {
        struct model_job *job = &model->jobs[i];
        if (model_is_waiting(job) && model_verdict(model, job) == VERDICT_NEVER)
            skip(model, job);
    }
}

qk_status model_cancel(struct model *model, qk_id id, struct model_now now)
{
    struct model_job *job = model_find(model, id);
    if (!job)
        return QK_ENOTFOUND;
    if (model_is_terminal(job))
        return QK_ESTATE;
    model_next_moment(model, now);
    if (job->status == QK_JOB_CLAIMED)
        model_close_attempt(job, MODEL_CANCELLED, QK_VERDICT_ACK);
    model_end(model, job, QK_JOB_CANCELLED);
    model_settle(model);
    return QK_OK;
}

static void start_again(struct model *model, struct model_job *job)
{
    job->status = QK_JOB_PENDING;
    job->seq = model->next_seq++;
    job->execute_after_us = 0;
    job->attempts = 0;
    job->failures = 0;
    job->lost = 0;
    job->error[0] = '\0';
    job->error_free = false;
    job->skip_reason[0] = '\0';
    job->ended_us = 0;
    job->ended_order = 0;
    job->ended_moment = 0;
    set_root(job, (qk_id){ { 0 } }, 0, 0);
}

qk_status model_retry(struct model *model, qk_id id, struct model_now now)
{
    (void)now;
    struct model_job *job = model_find(model, id);
    if (!job)
        return QK_ENOTFOUND;
    if (!model_is_terminal(job) || job->status == QK_JOB_DONE)
        return QK_ESTATE;
    if (model_verdict(model, job) == VERDICT_NEVER)
        return QK_ESTATE;
    if (model_key_holder(model, job->unique_key))
        return QK_ESTATE;
    start_again(model, job);
    return QK_OK;
}

/* Marks the job and all that its skip hangs on: parents, and through skips their parents. */
static bool *mark_causes(const struct model *model, const struct model_job *job)
{
    bool *marked = calloc(model->count, sizeof *marked);
    if (!marked)
        abort();
    marked[job - model->jobs] = true;
    for (size_t i = model->count; i-- > 0;) {
        const struct model_job *at = &model->jobs[i];
        if (!marked[i] || !is_skipped_for_failure(at))
            continue;
        for (size_t k = 0; k < at->needs_count; k++)
            marked[model_find(model, at->needs[k]) - model->jobs] = true;
    }
    return marked;
}

/* May `cause` be what `job`, whose causes are marked, was skipped for? */
static bool can_be_cause(const struct model *model, const struct model_job *cause,
                         const bool *marked, const struct model_job *job)
{
    if (marked[cause - model->jobs] && is_bad(cause) && ended_badly(cause) &&
        (model->any_cause || cause->ended_moment == job->root_moment ||
         cause->ended_moment == job->ended_moment))
        return true;
    for (size_t i = 0; i < model->count; i++) {
        const struct model_job *passed_on = &model->jobs[i];
        if (marked[i] && passed_on != job && is_skipped_for_failure(passed_on) &&
            (model->any_cause || passed_on->ended_moment == job->ended_moment ||
             passed_on->root_moment == job->root_moment) &&
            model_same_id(passed_on->root, cause->id))
            return true;
    }
    return false;
}

bool model_accept_skip_reason(struct model *model, qk_id id, const char *reason)
{
    struct model_job *job = model_find(model, id);
    if (!job || job->status != QK_JOB_SKIPPED || !reason)
        return false;
    if (strcmp(job->skip_reason, reason) == 0)
        return true;
    if (!is_skipped_for_failure(job))
        return false;
    bool *marked = mark_causes(model, job);
    struct model_job trial = *job;
    bool accepted = false;
    for (size_t i = 0; i < model->count && !accepted; i++) {
        const struct model_job *cause = &model->jobs[i];
        if (!can_be_cause(model, cause, marked, job))
            continue;
        set_root(&trial, cause->id, cause->ended_order ? cause->ended_order : 1,
                 cause->ended_moment);
        write_reason(&trial);
        accepted = strcmp(trial.skip_reason, reason) == 0;
    }
    free(marked);
    if (accepted)
        *job = trial;
    return accepted;
}
