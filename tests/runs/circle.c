/*
 * Which jobs wait for a sub-DAG node: what becomes part of its run must not need one of them.
 */
#include "world.h"

#include <string.h>

static bool is_live(const struct model_job *job)
{
    return !qk_job_status_is_terminal(job->status);
}

/* Other parents are enough for it already. */
static bool has_enough(const struct model *model, const struct model_job *job)
{
    for (int i = 0; i < job->parent_count; i++) {
        const struct model_job *parent = &model->jobs[job->parents[i]];
        bool failed = (parent->status == QK_JOB_FAILED && !parent->continues) ||
                      parent->status == QK_JOB_CANCELLED ||
                      (parent->status == QK_JOB_SKIPPED && parent->skip == MODEL_FAILURE);
        bool done =
            parent->status == QK_JOB_DONE || (parent->status == QK_JOB_FAILED && parent->continues);
        if ((job->mode == QK_MODE_ANY && done) || (job->mode == QK_MODE_ONE_FAILED && failed))
            return true;
    }
    return false;
}

static bool starts_after(const struct model *model, int which, const struct circle *known)
{
    const struct model_job *job = &model->jobs[which];
    int around = job->run == MODEL_NONE ? MODEL_NONE : model->runs[job->run].parent;
    for (int i = 0; i < job->parent_count && !has_enough(model, job); i++) {
        int parent = job->parents[i];
        if (is_live(&model->jobs[parent]) && (known->ends[parent] || known->starts[parent]))
            return true;
    }
    return around != MODEL_NONE && known->starts[around];
}

static bool ends_after(const struct model *model, int which, const struct circle *known)
{
    for (int i = 0; i < model->job_count; i++) {
        const struct model_job *inner = &model->jobs[i];
        if (is_live(inner) && inner->run != MODEL_NONE && model->runs[inner->run].parent == which &&
            (known->ends[i] || known->starts[i]))
            return true;
    }
    return false;
}

void circle_around(const struct model *model, int node, struct circle *out)
{
    bool changed = true;
    memset(out, 0, sizeof *out);
    out->ends[node] = true;
    while (changed) {
        changed = false;
        for (int i = 0; i < model->job_count; i++) {
            if (!is_live(&model->jobs[i]))
                continue;
            bool starts = out->starts[i] || starts_after(model, i, out);
            bool ends = out->ends[i] || starts || ends_after(model, i, out);
            changed |= starts != out->starts[i] || ends != out->ends[i];
            out->starts[i] = starts;
            out->ends[i] = ends;
        }
    }
}
