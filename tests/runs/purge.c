/*
 * Purges, as embedded_purge.c does them in SQL: what the engine says is needed stays. Whether that is
 * all that is needed is judged by the model.
 */
#include "world.h"

#include <stdlib.h>

static int root_of(const struct model *model, int run)
{
    while (model->runs[run].parent != MODEL_NONE)
        run = model->jobs[model->runs[run].parent].run;
    return run;
}

bool tree_is_purged(const struct world *world, int run)
{
    const struct model *model = &world->model;
    for (int i = 0; i < model->job_count; i++) {
        if (world->purged[i] && root_of(model, model->jobs[i].run) == root_of(model, run))
            return true;
    }
    return false;
}

static bool among(const qk_id *ids, size_t count, qk_id id)
{
    for (size_t i = 0; i < count; i++) {
        if (qk_id_compare(ids[i], id) == 0)
            return true;
    }
    return false;
}

/* A live job depends on it, or one of its tree of runs lives, or is depended on. */
static bool is_needed(const struct model *model, int job)
{
    int root = root_of(model, model->jobs[job].run);
    for (int i = 0; i < model->job_count; i++) {
        const struct model_job *live = &model->jobs[i];
        if (qk_job_status_is_terminal(live->status))
            continue;
        if (root_of(model, live->run) == root)
            return true;
        for (int k = 0; k < live->parent_count; k++) {
            if (root_of(model, model->jobs[live->parents[k]].run) == root)
                return true;
        }
    }
    return false;
}

static void forget(struct world *world, int job)
{
    size_t kept = 0;
    for (size_t i = 0; i < world->row_count; i++) {
        if (world->rows[i].row.op <= QK__OP_REOPEN &&
            qk_id_compare(world->rows[i].row.id, world->jobs[job]) == 0)
            free(world->rows[i].text);
        else
            world->rows[kept++] = world->rows[i];
    }
    world->row_count = kept;
    world->purged[job] = true;
    world->purges++;
}

static bool is_kept(const struct world *world, int job, const qk_id *parents, size_t parent_count,
                    const qk_id *roots, size_t root_count)
{
    const struct model *model = &world->model;
    int root = root_of(model, model->jobs[job].run);
    for (size_t i = 0; i < parent_count; i++) {
        if (root_of(model, model->jobs[job_number(world, parents[i])].run) == root)
            return true;
    }
    return among(roots, root_count, world->runs[root]);
}

void step_purge(struct world *world)
{
    qk_id *parents = NULL;
    qk_id *roots = NULL;
    size_t parent_count = 0;
    size_t root_count = 0;
    bool all = chance(world, 50);
    disk_commit(world);
    if (qk__engine_pinned(world->engine, &parents, &parent_count) ||
        qk__engine_live_roots(world->engine, &roots, &root_count))
        abort();
    for (int i = 0; i < world->model.job_count; i++) {
        const struct model_job *job = &world->model.jobs[i];
        if (world->purged[i] || !qk_job_status_is_terminal(job->status))
            continue;
        bool kept = is_kept(world, i, parents, parent_count, roots, root_count);
        if (kept != is_needed(&world->model, i))
            disagree(world, "job %d is %s by a purge", i, kept ? "kept without need" : "not kept");
        if (!kept && (all || chance(world, 50)))
            forget(world, i);
    }
    trace(world, "purge: %ld gone by now", world->purges);
    free(parents);
    free(roots);
}
