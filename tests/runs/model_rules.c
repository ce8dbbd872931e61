/*
 * The table of the five modes, and how a run stands.
 */
#include "model_rules.h"

#include <stddef.h>

bool model_terminal(const struct model_job *job)
{
    return qk_job_status_is_terminal(job->status);
}

bool model_counts_done(const struct model_job *parent)
{
    return parent->status == QK_JOB_DONE || (parent->status == QK_JOB_FAILED && parent->continues);
}

bool model_counts_failed(const struct model_job *parent)
{
    return (parent->status == QK_JOB_FAILED && !parent->continues) ||
           parent->status == QK_JOB_CANCELLED ||
           (parent->status == QK_JOB_SKIPPED && parent->skip == MODEL_FAILURE);
}

static bool by_condition(const struct model_job *parent)
{
    return parent->status == QK_JOB_SKIPPED && parent->skip == MODEL_CONDITION;
}

static int parents_that(const struct model *model, const struct model_job *job,
                        bool (*what)(const struct model_job *))
{
    int found = 0;
    for (int i = 0; i < job->parent_count; i++)
        found += what(&model->jobs[job->parents[i]]);
    return found;
}

bool model_met(const struct model *model, const struct model_job *job)
{
    int all = job->parent_count;
    int done = parents_that(model, job, model_counts_done);
    if (all == 0)
        return true;
    switch (job->mode) {
    case QK_MODE_ALL:
        return done == all;
    case QK_MODE_ANY:
        return done > 0;
    case QK_MODE_ALL_DONE:
        return parents_that(model, job, model_terminal) == all;
    case QK_MODE_ONE_FAILED:
        return parents_that(model, job, model_counts_failed) > 0;
    case QK_MODE_NONE_FAILED:
        return done + parents_that(model, job, by_condition) == all;
    }
    return false;
}

bool model_never(const struct model *model, const struct model_job *job)
{
    int failed = parents_that(model, job, model_counts_failed);
    bool over = parents_that(model, job, model_terminal) == job->parent_count;
    if (job->parent_count == 0)
        return false;
    switch (job->mode) {
    case QK_MODE_ALL:
        return failed + parents_that(model, job, by_condition) > 0;
    case QK_MODE_ANY:
        return over && parents_that(model, job, model_counts_done) == 0;
    case QK_MODE_ALL_DONE:
        return false;
    case QK_MODE_ONE_FAILED:
        return over && failed == 0;
    case QK_MODE_NONE_FAILED:
        return failed > 0;
    }
    return false;
}

int model_run_around(const struct model *model, int run)
{
    int node = model->runs[run].parent;
    return node == MODEL_NONE ? MODEL_NONE : model->jobs[node].run;
}

static bool node_is_bad(const struct model *model, const struct model_job *job)
{
    if (job->status == QK_JOB_SKIPPED)
        return job->skip == MODEL_FAILURE && model->jobs[job->cause].run != job->run;
    return (job->status == QK_JOB_FAILED || job->status == QK_JOB_CANCELLED) && !job->continues;
}

enum model_run_status model_run_status(const struct model *model, int run)
{
    const struct model_run *it = &model->runs[run];
    if (it->ended) {
        bool bad = false;
        for (int i = 0; i < model->job_count; i++)
            bad |= model->jobs[i].run == run && node_is_bad(model, &model->jobs[i]);
        return it->cancelled ? RUN_CANCELLED : bad ? RUN_FAILED : RUN_DONE;
    }
    for (int r = run; r != MODEL_NONE; r = model_run_around(model, r)) {
        if (model->runs[r].paused)
            return RUN_PAUSED;
    }
    return it->started ? RUN_RUNNING : RUN_PENDING;
}
