/*
 * The naive model; see model.h. Every rule is a loop over everything.
 */
#include "model.h"

#include <string.h>

static bool ended(const struct model_job *job)
{
    return qk_job_status_is_terminal(job->status);
}

static bool for_failure(const struct model_job *job)
{
    return job->status == QK_JOB_FAILED || job->status == QK_JOB_CANCELLED ||
           (job->status == QK_JOB_SKIPPED && job->skip == MODEL_FAILURE);
}

int model_add_run(struct model *model, int parent_job)
{
    model->runs[model->run_count] = (struct model_run){ .parent = parent_job };
    return model->run_count++;
}

int model_add_job(struct model *model, int run, const struct model_job *job)
{
    struct model_job *own = &model->jobs[model->job_count];
    *own = *job;
    own->run = run;
    own->child = MODEL_NONE;
    own->status = QK_JOB_PENDING;
    return model->job_count++;
}

struct standing {
    int total, ended, done, conditional, failed;
};

/* How the parents stand, as the table of dependency modes counts them. */
static struct standing stand(const struct model *model, const struct model_job *job)
{
    struct standing s = { .total = job->parent_count };
    for (int i = 0; i < job->parent_count; i++) {
        const struct model_job *parent = &model->jobs[job->parents[i]];
        bool continued = parent->status == QK_JOB_FAILED && parent->continues;
        s.ended += ended(parent);
        s.done += parent->status == QK_JOB_DONE || continued;
        s.conditional += parent->status == QK_JOB_SKIPPED && parent->skip == MODEL_CONDITION;
        s.failed += for_failure(parent) && !continued;
    }
    return s;
}

static bool can_start(const struct model *model, const struct model_job *job)
{
    struct standing s = stand(model, job);
    switch (job->mode) {
    case QK_MODE_ALL:
        return s.done == s.total;
    case QK_MODE_ANY:
        return s.done > 0 || s.total == 0;
    case QK_MODE_ALL_DONE:
        return s.ended == s.total;
    case QK_MODE_ONE_FAILED:
        return s.failed > 0 || s.total == 0;
    case QK_MODE_NONE_FAILED:
        return s.done + s.conditional == s.total;
    }
    return false;
}

static bool can_never_start(const struct model *model, const struct model_job *job)
{
    struct standing s = stand(model, job);
    if (s.total == 0 || can_start(model, job)) {
        return false;
    }
    switch (job->mode) {
    case QK_MODE_ALL:
        return s.failed + s.conditional > 0;
    case QK_MODE_ANY:
    case QK_MODE_ONE_FAILED:
        return s.ended == s.total;
    case QK_MODE_NONE_FAILED:
        return s.failed > 0;
    default:
        return false;
    }
}

/* Its run, or one around it, is paused; or the node around it does not wait for it (again yet). */
static bool is_held(const struct model *model, int run)
{
    while (run != MODEL_NONE) {
        int parent = model->runs[run].parent;
        if (model->runs[run].paused) {
            return true;
        }
        if (parent == MODEL_NONE) {
            return false;
        }
        if (!model->jobs[parent].waiting) {
            return true;
        }
        run = model->jobs[parent].run;
    }
    return false;
}

bool model_may_start(const struct model *model, int job)
{
    const struct model_job *own = &model->jobs[job];
    return own->status == QK_JOB_PENDING && can_start(model, own) && !is_held(model, own->run);
}

static void finish(struct model *model, int job, qk_job_status status)
{
    struct model_job *own = &model->jobs[job];
    own->status = status;
    own->waiting = false;
    own->ended = model->now;
    own->ever_done |= status == QK_JOB_DONE;
}

static void skip(struct model *model, int job)
{
    struct model_job *own = &model->jobs[job];
    own->skip = MODEL_CONDITION;
    own->cause_known = false;
    for (int i = 0; i < own->parent_count; i++) {
        const struct model_job *parent = &model->jobs[own->parents[i]];
        bool continued = parent->status == QK_JOB_FAILED && parent->continues;
        if (!for_failure(parent) || continued) {
            continue;
        }
        bool passed_on = parent->status == QK_JOB_SKIPPED;
        long when = passed_on ? parent->cause_ended : parent->ended;
        bool outside = parent->run != own->run || (passed_on && parent->cause_outside);
        if (own->skip == MODEL_CONDITION || when < own->cause_ended) {
            own->cause_ended = when;
            own->cause_outside = outside;
        }
        own->skip = MODEL_FAILURE;
    }
    finish(model, job, QK_JOB_SKIPPED);
}

/* Everything live in a run, at every depth. */
static void cancel_inside(struct model *model, int run, bool by_person)
{
    if (model->runs[run].ended) {
        return;
    }
    model->runs[run].cancelled |= by_person;
    for (int i = 0; i < model->job_count; i++) {
        struct model_job *job = &model->jobs[i];
        if (job->run != run || ended(job)) {
            continue;
        }
        finish(model, i, QK_JOB_CANCELLED);
        if (job->child != MODEL_NONE) {
            cancel_inside(model, job->child, by_person);
        }
    }
}

static bool all_ended(const struct model *model, int run)
{
    for (int i = 0; i < model->job_count; i++) {
        if (model->jobs[i].run == run && !ended(&model->jobs[i])) {
            return false;
        }
    }
    return true;
}

static bool has_started(const struct model *model, int run)
{
    for (int i = 0; i < model->job_count; i++) {
        if (model->jobs[i].run == run && model->jobs[i].status != QK_JOB_PENDING) {
            return true;
        }
    }
    return false;
}

static bool has_failed(const struct model *model, int run)
{
    for (int i = 0; i < model->job_count; i++) {
        const struct model_job *job = &model->jobs[i];
        bool bad = job->status == QK_JOB_FAILED || job->status == QK_JOB_CANCELLED;
        if (job->run == run &&
            ((bad && !job->continues) ||
             (job->status == QK_JOB_SKIPPED && job->skip == MODEL_FAILURE && job->cause_outside))) {
            return true;
        }
    }
    return false;
}

enum model_run_status model_run_status(const struct model *model, int run)
{
    const struct model_run *own = &model->runs[run];
    if (own->ended) {
        return own->cancelled ? RUN_CANCELLED : has_failed(model, run) ? RUN_FAILED : RUN_DONE;
    }
    for (int r = run; r != MODEL_NONE;) {
        if (model->runs[r].paused) {
            return RUN_PAUSED;
        }
        int parent = model->runs[r].parent;
        r = parent == MODEL_NONE ? MODEL_NONE : model->jobs[parent].run;
    }
    return own->started ? RUN_RUNNING : RUN_PENDING;
}

/* Child done: the node is done. Else it fails. */
static bool hand_up(struct model *model, int run)
{
    int parent = model->runs[run].parent;
    if (!model->runs[run].ended || parent == MODEL_NONE || !model->jobs[parent].waiting) {
        return false;
    }
    bool good = model_run_status(model, run) == RUN_DONE;
    finish(model, parent, good ? QK_JOB_DONE : QK_JOB_FAILED);
    return true;
}

/* One thing that follows from the rest; false: nothing does. */
static bool follow(struct model *model)
{
    for (int i = 0; i < model->job_count; i++) {
        struct model_job *job = &model->jobs[i];
        if (job->status == QK_JOB_PENDING && can_never_start(model, job)) {
            skip(model, i);
            return true;
        }
        if (ended(job) && job->child != MODEL_NONE && !all_ended(model, job->child)) {
            cancel_inside(model, job->child, model->runs[job->child].cancelled);
            return true;
        }
    }
    for (int r = 0; r < model->run_count; r++) {
        struct model_run *run = &model->runs[r];
        if (!run->started && has_started(model, r)) {
            run->started = true;
            return true;
        }
        if (!run->ended && all_ended(model, r)) {
            run->ended = true;
            run->paused = false;
            return true;
        }
        if (hand_up(model, r)) {
            return true;
        }
    }
    return false;
}

void model_settle(struct model *model)
{
    while (follow(model)) {
    }
    model->now++;
}

static bool is_run_by_worker(const struct model *model, int job)
{
    return model->jobs[job].status == QK_JOB_CLAIMED && !model->jobs[job].waiting;
}

bool model_claim(struct model *model, int job)
{
    if (!model_may_start(model, job)) {
        return false;
    }
    model->jobs[job].status = QK_JOB_CLAIMED;
    model->jobs[job].starts++;
    model_settle(model);
    return true;
}

bool model_give_back(struct model *model, int job)
{
    if (!is_run_by_worker(model, job)) {
        return false;
    }
    model->jobs[job].status = QK_JOB_PENDING;
    model_settle(model);
    return true;
}

bool model_ack(struct model *model, int job)
{
    if (!is_run_by_worker(model, job)) {
        return false;
    }
    finish(model, job, QK_JOB_DONE);
    model_settle(model);
    return true;
}

bool model_fail(struct model *model, int job)
{
    if (model->jobs[job].status != QK_JOB_CLAIMED) {
        return false;
    }
    finish(model, job, QK_JOB_FAILED);
    model_settle(model);
    return true;
}

bool model_untrue(struct model *model, int job)
{
    if (!is_run_by_worker(model, job)) {
        return false;
    }
    finish(model, job, QK_JOB_SKIPPED);
    model->jobs[job].skip = MODEL_CONDITION;
    model_settle(model);
    return true;
}

bool model_expand(struct model *model, int job, int child)
{
    struct model_job *own = &model->jobs[job];
    if (!is_run_by_worker(model, job) || !own->subdag) {
        return false;
    }
    own->child = child;
    own->waiting = true;
    model_settle(model);
    return true;
}

bool model_cancel(struct model *model, int job)
{
    struct model_job *own = &model->jobs[job];
    if (ended(own)) {
        return false;
    }
    finish(model, job, QK_JOB_CANCELLED);
    if (own->child != MODEL_NONE) {
        cancel_inside(model, own->child, true);
    }
    model_settle(model);
    return true;
}

bool model_cancel_run(struct model *model, int run)
{
    if (model->runs[run].ended) {
        return false;
    }
    cancel_inside(model, run, true);
    model_settle(model);
    return true;
}

bool model_pause_run(struct model *model, int run, bool paused)
{
    if (model->runs[run].ended || model->runs[run].paused == paused) {
        return false;
    }
    model->runs[run].paused = paused;
    model_settle(model);
    return true;
}
