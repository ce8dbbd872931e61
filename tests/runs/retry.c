/*
 * A person's retries: the picture of the tree from the disk and the engine, as embedded_retry_run.c
 * draws it from the tables, then the plan, then the engine.
 */
#include "world.h"

#include <queuack/run.h>
#include <stdlib.h>
#include <string.h>

static int by_first_id(const void *a, const void *b)
{
    return memcmp(a, b, sizeof(qk_id)); /* the id is the first member */
}

static int by_parent(const void *a, const void *b)
{
    const struct plan_edge *left = a;
    const struct plan_edge *right = b;
    return left->parent < right->parent ? -1 : left->parent > right->parent;
}

static int by_row_id(const void *a, const void *b)
{
    return qk_id_compare(((const qk__row *)a)->id, ((const qk__row *)b)->id);
}

static int root_of(const struct model *model, int run)
{
    while (model->runs[run].parent != MODEL_NONE)
        run = model->jobs[model->runs[run].parent].run;
    return run;
}

struct drawing {
    struct picture p;
    qk__row *edges; /* of the whole tree */
    size_t edge_count;
};

static void draw_nodes(struct world *world, struct drawing *d, int root)
{
    struct picture *p = &d->p;
    const struct model *model = &world->model;
    for (int r = 0; r < model->run_count; r++) {
        if (root_of(model, r) == root) {
            const qk__row *row = disk_run(world, world->runs[r]);
            p->runs[p->run_count++] =
                (struct plan_run){ .id = world->runs[r], .parent_job = row->related };
        }
    }
    qsort(p->runs, p->run_count, sizeof *p->runs, by_first_id);
    for (int i = 0; i < model->job_count; i++) {
        const qk__row *row = disk_job(world, world->jobs[i]);
        if (row != NULL && plan_find_run(p, row->related) != QK__NOWHERE) {
            p->nodes[p->node_count++] =
                (struct plan_node){ .id = row->id,
                                    .run_id = row->related,
                                    .status = row->status,
                                    .for_failure = disk_has(row, "parent_failed:"),
                                    .waiting = disk_has(row, "\"wt\":1"),
                                    .live = !qk_job_status_is_terminal(row->status) };
        }
    }
    qsort(p->nodes, p->node_count, sizeof *p->nodes, by_first_id);
}

static void draw_links(struct world *world, struct drawing *d)
{
    struct picture *p = &d->p;
    for (size_t i = 0; i < p->run_count; i++)
        p->runs[i].parent = plan_find_node(p, p->runs[i].parent_job);
    for (size_t i = 0; i < p->node_count; i++) {
        p->nodes[i].child = QK__NOWHERE;
        p->nodes[i].run = plan_find_run(p, p->nodes[i].run_id);
    }
    size_t at = 0;
    for (size_t r = 0; r < p->run_count; r++) {
        p->runs[r].first = at;
        for (size_t i = 0; i < p->node_count; i++) {
            if (p->nodes[i].run == r)
                p->by_run[at++] = i;
        }
        p->runs[r].count = at - p->runs[r].first;
        if (p->runs[r].parent != QK__NOWHERE)
            p->nodes[p->runs[r].parent].child = r;
    }
    for (size_t i = 0; i < p->node_count; i++) {
        const struct model_job *job = &world->model.jobs[job_number(world, p->nodes[i].id)];
        for (int k = 0; k < job->parent_count; k++) {
            size_t parent = plan_find_node(p, world->jobs[job->parents[k]]);
            d->edges[d->edge_count++] =
                (qk__row){ .id = p->nodes[i].id, .related = world->jobs[job->parents[k]] };
            if (parent != QK__NOWHERE && p->nodes[parent].run == p->nodes[i].run)
                p->edges[p->edge_count++] = (struct plan_edge){ parent, i };
        }
    }
    qsort(p->edges, p->edge_count, sizeof *p->edges, by_parent);
}

static void draw(struct world *world, struct drawing *d, int run)
{
    size_t jobs = (size_t)world->model.job_count + 1;
    d->p.nodes = calloc(jobs, sizeof *d->p.nodes);
    d->p.by_run = calloc(jobs, sizeof *d->p.by_run);
    d->p.runs = calloc((size_t)world->model.run_count + 1, sizeof *d->p.runs);
    d->p.edges = calloc(jobs * MODEL_PARENTS, sizeof *d->p.edges);
    d->edges = calloc(jobs * MODEL_PARENTS, sizeof *d->edges);
    draw_nodes(world, d, root_of(&world->model, run));
    draw_links(world, d);
}

static void drawing_free(struct drawing *d)
{
    free(d->p.nodes);
    free(d->p.by_run);
    free(d->p.runs);
    free(d->p.edges);
    free(d->edges);
}

static uint8_t depth_of(const struct picture *p, size_t run)
{
    uint8_t depth = 1;
    for (; p->runs[run].parent != QK__NOWHERE; depth++)
        run = p->nodes[p->runs[run].parent].run;
    return depth;
}

static qk_status apply(struct world *world, struct drawing *d)
{
    struct picture *p = &d->p;
    qk__row *runs = calloc(p->run_count + 1, sizeof *runs);
    qk__run_facts *facts = calloc(p->run_count + 1, sizeof *facts);
    struct qk__run_seen *seen = calloc(p->run_count + 1, sizeof *seen);
    qk__row *nodes = calloc(p->node_count + 1, sizeof *nodes);
    bool *waits = calloc(p->node_count + 1, sizeof *waits);
    qk_id *parents = calloc(d->edge_count + 1, sizeof *parents);
    qk__reopen plan = { runs, facts, 0, nodes, waits, 0, d->edges, 0, seen, p->run_count, NULL };
    for (size_t r = 0; r < p->run_count; r++) {
        qk__run_look look;
        bool opens = false;
        seen[r].id = p->runs[r].id;
        bool live = qk__engine_run_look(world->engine, p->runs[r].id, &look);
        seen[r].version = live ? look.version : 0;
        for (size_t k = 0; k < p->runs[r].count; k++)
            opens |= p->nodes[p->by_run[p->runs[r].first + k]].marked;
        const qk__row *row = disk_run(world, p->runs[r].id);
        if (opens && row->status >= QK_RUN_DONE) {
            facts[plan.run_count] = disk_facts(world, p->runs[r].id);
            runs[plan.run_count] = *row;
            runs[plan.run_count++].priority = depth_of(p, r);
        }
    }
    for (size_t i = 0; i < p->node_count; i++) {
        if (p->nodes[i].marked) {
            waits[plan.node_count] = p->nodes[i].waits;
            nodes[plan.node_count++] = *disk_job(world, p->nodes[i].id);
        }
    }
    for (size_t e = 0; e < d->edge_count; e++) {
        if (p->nodes[plan_find_node(p, d->edges[e].id)].marked) {
            parents[plan.edge_count] = d->edges[e].related;
            d->edges[plan.edge_count++] = d->edges[e];
        }
    }
    qsort(d->edges, plan.edge_count, sizeof *d->edges, by_row_id);
    qk__cold_set cold = disk_cold(world, parents, plan.edge_count);
    plan.cold = &cold;
    qk_status rc = qk__engine_reopen(world->engine, world->now, &plan);
    free((void *)(uintptr_t)cold.jobs);
    free(runs);
    free(facts);
    free(seen);
    free(nodes);
    free(waits);
    free(parents);
    return rc;
}

/* A sub-DAG's job needs one that is not of its run: to open both again may close a circle. */
static bool needs_outside(const struct world *world, int run)
{
    const struct model *model = &world->model;
    for (int i = 0; i < model->job_count; i++) {
        const struct model_job *job = &model->jobs[i];
        bool inner = model->runs[job->run].parent != MODEL_NONE;
        for (int k = 0;
             inner && root_of(model, job->run) == root_of(model, run) && k < job->parent_count;
             k++) {
            if (model->jobs[job->parents[k]].run != job->run)
                return true;
        }
    }
    return false;
}

static bool needs_purged(const struct world *world, int run)
{
    const struct model *model = &world->model;
    for (int i = 0; i < model->job_count; i++) {
        const struct model_job *job = &model->jobs[i];
        for (int k = 0; root_of(model, job->run) == root_of(model, run) && k < job->parent_count;
             k++) {
            if (world->purged[job->parents[k]])
                return true;
        }
    }
    return false;
}

void step_retry(struct world *world)
{
    struct drawing d = { 0 };
    qk_error err = QK_ERROR_INIT;
    if (world->model.run_count == 0 || world->model.job_count == 0)
        return;
    int run = pick(world, world->model.run_count);
    int node = pick(world, world->model.job_count);
    bool from = chance(world, 40) && world->model.jobs[node].run != MODEL_NONE;
    run = from ? world->model.jobs[node].run : run;
    if (tree_is_purged(world, run) || needs_outside(world, run))
        return; /* what is gone cannot run again */
    disk_commit(world);
    draw(world, &d, run);
    qk_status rc =
        plan_retry(&d.p, from ? RETRY_FROM : RETRY_RUN, plan_find_run(&d.p, world->runs[run]),
                   from ? plan_find_node(&d.p, world->jobs[node]) : QK__NOWHERE, &err);
    if (rc == QK_OK)
        rc = apply(world, &d);
    drawing_free(&d);
    if (rc == QK_ENOTFOUND && needs_purged(world, run))
        return;
    bool waited[MODEL_JOBS];
    for (int i = 0; i < world->model.job_count; i++)
        waited[i] = world->model.jobs[i].waiting;
    bool allowed =
        from ? model_retry_from(&world->model, node) : model_retry_run(&world->model, run);
    trace(world, "retry %s %d: %d", from ? "from job" : "run", from ? node : run, (int)rc);
    if (allowed != (rc == QK_OK))
        disagree(world, "the retry is %s: %s", allowed ? "refused" : "not refused", err.message);
    for (int i = 0; i < world->model.job_count; i++) {
        if (world->model.jobs[i].waiting && !waited[i])
            limit_node(world, i, world->now.mono_us);
    }
    world->retries += allowed;
}
