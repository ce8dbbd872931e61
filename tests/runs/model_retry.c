/*
 * What a person's retry means, from section 5 of the contract and the rows of the life-cycle table
 * that name it.
 *
 * "It resets nodes that failed, were cancelled or skipped for a failure, at every depth below and,
 * where a node above failed because of them, that node goes back to waiting and its skipped
 * dependents to pending. Done nodes and condition skips stay."
 */
#include "model.h"

static bool ended(const struct model_job *job)
{
    return qk_job_status_is_terminal(job->status);
}

static bool is_unfinished(const struct model_job *job)
{
    return job->status == QK_JOB_FAILED || job->status == QK_JOB_CANCELLED ||
           (job->status == QK_JOB_SKIPPED && job->skip == MODEL_FAILURE);
}

static void open_run(struct model *model, int run)
{
    model->runs[run].ended = false;
    model->runs[run].cancelled = false;
    model->runs[run].started = true;
}

/* failed → claimed for a sub-DAG that has its run; everything else → pending. */
static void reset(struct model *model, int job, bool waits)
{
    struct model_job *own = &model->jobs[job];
    own->waiting = waits;
    own->status = waits ? QK_JOB_CLAIMED : QK_JOB_PENDING;
    own->skip = MODEL_NOT_SKIPPED;
    open_run(model, own->run);
}

/* Unfinished nodes of a run and of the runs below, but for those below nodes that stay. */
static int reset_below(struct model *model, int run)
{
    int count = 0;
    for (int i = 0; i < model->job_count; i++) {
        struct model_job *job = &model->jobs[i];
        if (job->run != run ||
            (ended(job) && !is_unfinished(job))) { /* these stay, and so does what is below */
            continue;
        }
        int inside = job->child == MODEL_NONE ? 0 : reset_below(model, job->child);
        if (is_unfinished(job)) {
            bool waits = inside > 0 && job->status == QK_JOB_FAILED;
            reset(model, i, waits);
            count++;
        }
        count += inside;
    }
    return count;
}

static bool depends_on(const struct model *model, int job, int parent)
{
    for (int i = 0; i < model->jobs[job].parent_count; i++) {
        if (model->jobs[job].parents[i] == parent) {
            return true;
        }
    }
    return false;
}

/* Dependents within the run that were skipped for a failure, and theirs. */
static void reset_skipped_dependents(struct model *model, int job)
{
    for (int i = 0; i < model->job_count; i++) {
        struct model_job *own = &model->jobs[i];
        if (own->run == model->jobs[job].run && depends_on(model, i, job) &&
            own->status == QK_JOB_SKIPPED && own->skip == MODEL_FAILURE) {
            reset(model, i, false);
            reset_skipped_dependents(model, i);
        }
    }
}

/* A node around it that was cancelled, skipped or done rules out a retry of the inside alone. */
static bool may_open_above(const struct model *model, int run, bool done_too)
{
    for (int parent; (parent = model->runs[run].parent) != MODEL_NONE;) {
        const struct model_job *job = &model->jobs[parent];
        if (!ended(job)) {
            return true; /* then everything above is live as well */
        }
        if (job->status != QK_JOB_FAILED && !(done_too && job->status == QK_JOB_DONE)) {
            return false;
        }
        run = job->run;
    }
    return true;
}

static bool has_unfinished(const struct model *model, int run)
{
    for (int i = 0; i < model->job_count; i++) {
        const struct model_job *job = &model->jobs[i];
        if (job->run == run && (!ended(job) || is_unfinished(job)) &&
            (is_unfinished(job) ||
             (job->child != MODEL_NONE && has_unfinished(model, job->child)))) {
            return true;
        }
    }
    return false;
}

bool model_retry_run(struct model *model, int run)
{
    if (!may_open_above(model, run, false) || !has_unfinished(model, run)) {
        return false;
    }
    reset_below(model, run);
    for (int parent; (parent = model->runs[run].parent) != MODEL_NONE;
         run = model->jobs[parent].run) {
        if (!ended(&model->jobs[parent])) {
            break;
        }
        reset(model, parent, true);
        reset_skipped_dependents(model, parent);
    }
    model_settle(model);
    return true;
}

/* "for that node and everything downstream" */
static void mark_downstream(const struct model *model, int job, bool *marked)
{
    marked[job] = true;
    for (int i = 0; i < model->job_count; i++) {
        if (!marked[i] && model->jobs[i].run == model->jobs[job].run && depends_on(model, i, job)) {
            mark_downstream(model, i, marked);
        }
    }
}

static void mark_inside(const struct model *model, int run, bool *marked)
{
    for (int i = 0; i < model->job_count; i++) {
        if (model->jobs[i].run == run) {
            marked[i] = true;
            if (model->jobs[i].child != MODEL_NONE) {
                mark_inside(model, model->jobs[i].child, marked);
            }
        }
    }
}

bool model_retry_from(struct model *model, int job)
{
    static bool marked[MODEL_JOBS];
    static bool waits[MODEL_JOBS];
    for (int i = 0; i < MODEL_JOBS; i++) {
        marked[i] = waits[i] = false;
    }
    if (!ended(&model->jobs[job]) || model->jobs[job].run == MODEL_NONE ||
        !may_open_above(model, model->jobs[job].run, true)) {
        return false;
    }
    mark_downstream(model, job, marked);
    int above = model->runs[model->jobs[job].run].parent;
    int first_above = above;
    for (; above != MODEL_NONE && ended(&model->jobs[above]);
         above = model->runs[model->jobs[above].run].parent) {
        mark_downstream(model, above, marked);
        waits[above] = model->jobs[above].status == QK_JOB_FAILED;
    }
    for (int i = 0; i < model->job_count; i++) {
        bool is_above = false;
        for (int p = first_above; p != above; p = model->runs[model->jobs[p].run].parent) {
            is_above |= p == i;
        }
        if (marked[i] && !is_above && model->jobs[i].child != MODEL_NONE) {
            mark_inside(model, model->jobs[i].child, marked);
        }
    }
    for (int i = 0; i < model->job_count; i++) {
        if (marked[i] && model->jobs[i].status == QK_JOB_CLAIMED) {
            return false;
        }
    }
    for (int i = 0; i < model->job_count; i++) {
        if (marked[i] && ended(&model->jobs[i])) {
            model->jobs[i].ever_done = false;
            reset(model, i, waits[i]);
        }
    }
    model_settle(model);
    return true;
}

/* What must hold whatever happened. */
const char *model_check(const struct model *model)
{
    for (int r = 0; r < model->run_count; r++) {
        int parent = model->runs[r].parent;
        if (parent != MODEL_NONE && model->jobs[parent].child != r) {
            return "a child run without its node";
        }
    }
    for (int i = 0; i < model->job_count; i++) {
        const struct model_job *job = &model->jobs[i];
        if (job->ever_done && job->status != QK_JOB_DONE) {
            return "a done node is done no more";
        }
        if (job->waiting && (job->status != QK_JOB_CLAIMED || job->child == MODEL_NONE)) {
            return "a node waits for nothing";
        }
    }
    return NULL;
}
