/*
 * The commands on runs, each by the sentence of the contract that allows it; then everything is
 * judged anew.
 *
 * A job is judged after all that it depends on: its parents, and, of a node that waits, the nodes
 * of its child. So of what happens at one time the whole is known before anything follows from it;
 * only the end of a run comes after everything that needs no such end.
 */
#include "model_rules.h"

#include <limits.h>
#include <stddef.h>

int model_add_run(struct model *model, int parent_job)
{
    model->runs[model->run_count] = (struct model_run){ .parent = parent_job };
    return model->run_count++;
}

int model_add_job(struct model *model, int run, const struct model_job *job)
{
    struct model_job *own = &model->jobs[model->job_count];
    *own = *job;
    own->status = QK_JOB_PENDING;
    own->run = run;
    own->child = MODEL_NONE;
    own->cause = MODEL_NONE;
    return model->job_count++;
}

void model_cancel_nodes(struct model *model, int run, bool by_person)
{
    if (run == MODEL_NONE || model->runs[run].ended)
        return;
    model->runs[run].cancelled = by_person;
    for (int i = 0; i < model->job_count; i++) {
        struct model_job *job = &model->jobs[i];
        if (job->run != run || model_terminal(job))
            continue;
        job->status = QK_JOB_CANCELLED;
        job->waiting = false;
        job->ended = model->now;
        model_cancel_nodes(model, job->child, by_person);
    }
}

void model_end_job(struct model *model, int number, qk_job_status status)
{
    struct model_job *job = &model->jobs[number];
    job->status = status;
    job->waiting = false;
    job->ended = model->now;
    model_cancel_nodes(model, job->child, status == QK_JOB_CANCELLED);
}

/* The failure behind `parent`, and when it was. */
static int cause_behind(const struct model *model, int parent, long *when)
{
    const struct model_job *job = &model->jobs[parent];
    bool passed_on = job->status == QK_JOB_SKIPPED;
    *when = passed_on ? job->cause_ended : job->ended;
    return passed_on ? job->cause : parent;
}

static void skip(struct model *model, int number)
{
    struct model_job *job = &model->jobs[number];
    job->skip = MODEL_CONDITION;
    job->cause_ended = LONG_MAX;
    for (int i = 0; i < job->parent_count; i++) {
        long when;
        int cause = cause_behind(model, job->parents[i], &when);
        if (!model_counts_failed(&model->jobs[job->parents[i]]))
            continue;
        job->skip = MODEL_FAILURE;
        if (when < job->cause_ended) {
            job->cause_ended = when;
            job->cause = cause;
        }
    }
    model_end_job(model, number, QK_JOB_SKIPPED);
}

bool model_name_cause(struct model *model, int number, int named)
{
    struct model_job *job = &model->jobs[number];
    for (int i = 0; i < job->parent_count; i++) {
        long when;
        int cause = cause_behind(model, job->parents[i], &when);
        if (model_counts_failed(&model->jobs[job->parents[i]]) && cause == named &&
            when == job->cause_ended)
            job->cause = named;
    }
    return job->cause == named;
}

static bool all_terminal(const struct model *model, int run)
{
    bool all = true;
    for (int i = 0; i < model->job_count; i++)
        all &= model->jobs[i].run != run || model_terminal(&model->jobs[i]);
    return all;
}

static void judge(struct model *model, int number, bool runs_end)
{
    struct model_job *job = &model->jobs[number];
    if (job->judged)
        return;
    job->judged = true;
    for (int i = 0; i < job->parent_count; i++)
        judge(model, job->parents[i], runs_end);
    if (job->status == QK_JOB_PENDING && model_never(model, job))
        skip(model, number);
    if (!job->waiting || !runs_end)
        return;
    for (int i = 0; i < model->job_count; i++) {
        if (model->jobs[i].run == job->child)
            judge(model, i, runs_end);
    }
    if (all_terminal(model, job->child)) {
        model->runs[job->child].ended = true;
        bool done = model_run_status(model, job->child) == RUN_DONE;
        model_end_job(model, number, done ? QK_JOB_DONE : QK_JOB_FAILED);
    }
}

static void judge_all(struct model *model, bool runs_end)
{
    for (int i = 0; i < model->job_count; i++)
        model->jobs[i].judged = false;
    for (int i = 0; i < model->job_count; i++)
        judge(model, i, runs_end);
}

void model_settle(struct model *model)
{
    judge_all(model, false);
    judge_all(model, true);
    for (int i = 0; i < model->job_count; i++) {
        if (model->jobs[i].run != MODEL_NONE && model->jobs[i].status != QK_JOB_PENDING)
            model->runs[model->jobs[i].run].started = true;
    }
    for (int r = 0; r < model->run_count; r++)
        model->runs[r].ended = all_terminal(model, r);
    for (int r = 0; r < model->run_count; r++)
        model->runs[r].paused &= !model->runs[r].ended;
    model->now++;
}

/* Nothing of a run starts while it, or a run around it, is paused, nor before its node waits. */
bool model_may_start(const struct model *model, int number)
{
    const struct model_job *job = &model->jobs[number];
    if (job->status != QK_JOB_PENDING || !model_met(model, job))
        return false;
    for (int r = job->run; r != MODEL_NONE; r = model_run_around(model, r)) {
        int node = model->runs[r].parent;
        if (model->runs[r].paused || (node != MODEL_NONE && !model->jobs[node].waiting))
            return false;
    }
    return true;
}

bool model_claim(struct model *model, int number)
{
    struct model_job *job = &model->jobs[number];
    if (!model_may_start(model, number))
        return false;
    job->status = QK_JOB_CLAIMED;
    job->attempts++;
    model_settle(model);
    return true;
}

static bool has_worker(const struct model_job *job)
{
    return job->status == QK_JOB_CLAIMED && !job->waiting;
}

bool model_give_back(struct model *model, int number)
{
    if (!has_worker(&model->jobs[number]))
        return false;
    model->jobs[number].status = QK_JOB_PENDING;
    model->jobs[number].attempts--;
    model_settle(model);
    return true;
}

static void lose(struct model *model, int number)
{
    struct model_job *job = &model->jobs[number];
    job->status = QK_JOB_PENDING;
    job->attempts--;
    job->lost++;
    if (job->lost == job->max_lost)
        model_end_job(model, number, QK_JOB_FAILED);
}

bool model_lose(struct model *model, int number)
{
    if (!has_worker(&model->jobs[number]))
        return false;
    lose(model, number);
    model_settle(model);
    return true;
}

void model_crash(struct model *model)
{
    for (int i = 0; i < model->job_count; i++) {
        if (has_worker(&model->jobs[i]))
            lose(model, i);
    }
    model_settle(model);
}

bool model_fail_once(struct model *model, int number)
{
    struct model_job *job = &model->jobs[number];
    if (!has_worker(job))
        return false;
    if (job->attempts == job->max_attempts)
        return model_fail(model, number);
    job->status = QK_JOB_PENDING;
    model_settle(model);
    return true;
}

bool model_ack(struct model *model, int number)
{
    if (!has_worker(&model->jobs[number]))
        return false;
    model_end_job(model, number, QK_JOB_DONE);
    model_settle(model);
    return true;
}

bool model_fail(struct model *model, int number)
{
    if (model->jobs[number].status != QK_JOB_CLAIMED)
        return false;
    model_end_job(model, number, QK_JOB_FAILED);
    model_settle(model);
    return true;
}

bool model_untrue(struct model *model, int number)
{
    struct model_job *job = &model->jobs[number];
    if (!has_worker(job))
        return false;
    job->skip = MODEL_CONDITION;
    model_end_job(model, number, QK_JOB_SKIPPED);
    model_settle(model);
    return true;
}

bool model_expand(struct model *model, int number, int child)
{
    struct model_job *job = &model->jobs[number];
    if (!has_worker(job) || !job->subdag)
        return false;
    job->waiting = true;
    job->child = child;
    model_settle(model);
    return true;
}

bool model_cancel(struct model *model, int number)
{
    if (model_terminal(&model->jobs[number]))
        return false;
    model_end_job(model, number, QK_JOB_CANCELLED);
    model_settle(model);
    return true;
}

bool model_cancel_run(struct model *model, int run)
{
    if (model->runs[run].ended)
        return false;
    model_cancel_nodes(model, run, true);
    model_settle(model);
    return true;
}

bool model_pause_run(struct model *model, int run, bool paused)
{
    if (model->runs[run].ended || model->runs[run].paused == paused)
        return false;
    model->runs[run].paused = paused;
    model_settle(model);
    return true;
}
