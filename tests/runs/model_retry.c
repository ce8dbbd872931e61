/*
 * A person's retries: what is to begin again is marked, by looking from every node at its
 * neighbours until no mark is added; then the marked nodes are set back. On a refusal the marks mean
 * nothing, and nothing has changed.
 */
#include "model_rules.h"

#include <stddef.h>

static void clear(struct model *model)
{
    for (int i = 0; i < model->job_count; i++)
        model->jobs[i].marked = false;
}

static bool for_failure(const struct model_job *job)
{
    return job->status == QK_JOB_FAILED || job->status == QK_JOB_CANCELLED ||
           (job->status == QK_JOB_SKIPPED && job->skip == MODEL_FAILURE);
}

/* Of this run and below; what is done or was skipped by a condition stays, with all in it. */
static bool mark_unfinished(struct model *model, int run)
{
    bool some = false;
    for (int i = 0; run != MODEL_NONE && i < model->job_count; i++) {
        struct model_job *job = &model->jobs[i];
        if (job->run != run || (model_terminal(job) && !for_failure(job)))
            continue;
        job->marked = model_terminal(job);
        some |= mark_unfinished(model, job->child) || job->marked;
    }
    return some;
}

/* What depends on a marked node in its run: all of it, or what was skipped for a failure. */
static void mark_downstream(struct model *model, int run, bool everything)
{
    for (bool more = true; more;) {
        more = false;
        for (int i = 0; i < model->job_count; i++) {
            struct model_job *job = &model->jobs[i];
            bool wanted = everything || (job->status == QK_JOB_SKIPPED && for_failure(job));
            if (job->run != run || job->marked || !wanted)
                continue;
            for (int k = 0; k < job->parent_count; k++) {
                const struct model_job *parent = &model->jobs[job->parents[k]];
                job->marked |= parent->marked && parent->run == run;
            }
            more |= job->marked;
        }
    }
}

static void mark_run(struct model *model, int run)
{
    for (int i = 0; run != MODEL_NONE && i < model->job_count; i++) {
        if (model->jobs[i].run == run) {
            model->jobs[i].marked = true;
            mark_run(model, model->jobs[i].child);
        }
    }
}

static bool holds_marked(const struct model *model, int run)
{
    bool some = false;
    for (int i = 0; run != MODEL_NONE && i < model->job_count; i++)
        some |= model->jobs[i].run == run && model->jobs[i].marked;
    return some;
}

static bool is_running(const struct model *model)
{
    bool some = false;
    for (int i = 0; i < model->job_count; i++)
        some |= model->jobs[i].marked && model->jobs[i].status == QK_JOB_CLAIMED;
    return some;
}

static void set_back(struct model *model, int number, bool waits)
{
    struct model_job *job = &model->jobs[number];
    if (model_terminal(job))
        job->attempts = job->lost = 0;
    job->status = waits ? QK_JOB_CLAIMED : QK_JOB_PENDING;
    job->waiting = waits;
    job->skip = MODEL_NOT_SKIPPED;
    job->cause = MODEL_NONE;
    if (job->run != MODEL_NONE) {
        model->runs[job->run].ended = false;
        model->runs[job->run].cancelled = false;
    }
}

bool model_retry_run(struct model *model, int run)
{
    clear(model);
    if (!mark_unfinished(model, run))
        return false;
    for (int r = run; model->runs[r].parent != MODEL_NONE; r = model_run_around(model, r)) {
        struct model_job *around = &model->jobs[model->runs[r].parent];
        if (!model_terminal(around))
            break;
        if (around->status != QK_JOB_FAILED)
            return false;
        around->marked = true;
        mark_downstream(model, around->run, false);
    }
    for (int i = 0; i < model->job_count; i++) {
        const struct model_job *job = &model->jobs[i];
        if (job->marked)
            set_back(model, i, job->status == QK_JOB_FAILED && holds_marked(model, job->child));
    }
    model_settle(model);
    return true;
}

/*
 * The nodes that begin anew do so with all that is in them. Those around wait again if they failed;
 * done ones become pending, as the table of the lifecycle has it, and wait once they are claimed.
 */
static void begin_anew(struct model *model, const bool *around)
{
    for (int i = 0; i < model->job_count; i++) {
        if (model->jobs[i].marked && !around[i])
            mark_run(model, model->jobs[i].child);
    }
    for (int i = 0; i < model->job_count; i++) {
        if (model->jobs[i].marked)
            set_back(model, i, around[i] && model->jobs[i].status == QK_JOB_FAILED);
    }
    model_settle(model);
}

bool model_retry_from(struct model *model, int number)
{
    bool around[MODEL_JOBS] = { false };
    int run = model->jobs[number].run;
    clear(model);
    if (run == MODEL_NONE || !model_terminal(&model->jobs[number]))
        return false;
    model->jobs[number].marked = true;
    mark_downstream(model, run, true);
    for (int r = run; model->runs[r].parent != MODEL_NONE; r = model_run_around(model, r)) {
        int node = model->runs[r].parent;
        struct model_job *job = &model->jobs[node];
        if (!model_terminal(job))
            break;
        if (job->status != QK_JOB_FAILED && job->status != QK_JOB_DONE)
            return false;
        around[node] = job->marked = true;
        mark_downstream(model, job->run, true);
    }
    if (is_running(model))
        return false;
    begin_anew(model, around);
    return true;
}
