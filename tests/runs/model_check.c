/*
 * What holds in every state of the model, whatever the commands were.
 */
#include "model_rules.h"

#include <stddef.h>

static const char *check_job(const struct model *model, const struct model_job *job)
{
    bool has_run = job->run != MODEL_NONE;
    if (has_run && !model_terminal(job) && model->runs[job->run].ended)
        return "model: a node lives in a run that has ended";
    if (job->status == QK_JOB_PENDING && model_never(model, job))
        return "model: a job is pending that can never start";
    if (job->waiting && (job->status != QK_JOB_CLAIMED || job->child == MODEL_NONE))
        return "model: a node waits for nothing";
    if (job->waiting && model->runs[job->child].ended)
        return "model: a node waits for a run that has ended";
    if ((job->status == QK_JOB_SKIPPED) != (job->skip != MODEL_NOT_SKIPPED))
        return "model: a skip without its reason, or a reason without its skip";
    if ((job->skip == MODEL_FAILURE) != (job->cause != MODEL_NONE))
        return "model: a skip for a failure without its cause, or a cause without such a skip";
    if (model_terminal(job) && job->child != MODEL_NONE && !model->runs[job->child].ended)
        return "model: a node has ended before its child run";
    return NULL;
}

static const char *check_run(const struct model *model, int run)
{
    enum model_run_status status = model_run_status(model, run);
    int parent = model->runs[run].parent;
    bool live = false;
    for (int i = 0; i < model->job_count; i++)
        live |= model->jobs[i].run == run && !model_terminal(&model->jobs[i]);
    if (live == model->runs[run].ended)
        return "model: a run has ended before its nodes, or goes on after them";
    if (live != (status == RUN_PENDING || status == RUN_RUNNING || status == RUN_PAUSED))
        return "model: the status of a run belies its nodes";
    if (parent != MODEL_NONE && model->jobs[parent].child != run)
        return "model: a node has two child runs";
    return NULL;
}

const char *model_check(const struct model *model)
{
    const char *wrong = NULL;
    for (int i = 0; i < model->job_count && wrong == NULL; i++)
        wrong = check_job(model, &model->jobs[i]);
    for (int i = 0; i < model->run_count && wrong == NULL; i++)
        wrong = check_run(model, i);
    return wrong;
}
