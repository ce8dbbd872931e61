/*
 * Dependencies that close a circle through a sub-DAG node.
 *
 * A sub-DAG node ends after the jobs of its run. So what is to become part of that run must not need
 * the node, a node around it, or anything that cannot start before one of those has ended: no job of
 * the circle would ever start. Looked for only when a new job needs a live one outside its run, by
 * going from the node to all that waits for it. Each job met is marked with the number of the
 * search, two numbers to a search: even for what ends later, odd for what starts later.
 */
#include "store/embedded/engine_internal.h"

#include "util/error.h"

#include <stdlib.h>
#include <string.h>

struct search {
    qk__engine *engine;
    uint64_t mark;
    VEC(uint32_t) found; /* a job that ends later may turn out to start later: twice at most */
    bool failed;
};

static void meet(struct search *search, uint32_t index, bool starts)
{
    struct job *job = index == NIL ? NULL : job_at(search->engine, index);
    uint64_t mark = search->mark + starts;
    if (job == NULL || !job->used || qk_job_status_is_terminal(job->status)) {
        return;
    }
    if (job->extra == NULL || job->extra->met >= mark) {
        return;
    }
    if (!VEC_RESERVE(search->found, 1)) {
        search->failed = true;
        return;
    }
    job->extra->met = mark;
    search->found.items[search->found.count++] = index;
}

static void meet_children(struct search *search, const struct job *job)
{
    const struct links *links = job->extra->links;
    for (uint32_t i = 0; links != NULL && i < links->child_count; i++) {
        uint32_t child = job_find(search->engine, links->children[i]);
        if (child != NIL && links_readiness(search->engine, job_at(search->engine, child)) ==
                                QK__READY_WAIT) { /* others had enough in another parent */
            meet(search, child, true);
        }
    }
}

/* The jobs of a run whose node cannot start yet cannot either, if there are any already. */
static void meet_inside(struct search *search, const struct job *job)
{
    const struct run *child = qk_id_is_none(job->extra->child_run)
                                  ? NULL
                                  : run_find(search->engine, job->extra->child_run);
    for (size_t i = 0; child != NULL && i < child->node_count; i++) {
        const struct job *node = job_at(search->engine, child->nodes[i]);
        if (node->used && node->run == child->index) {
            meet(search, child->nodes[i], true);
        }
    }
}

static void meet_around(struct search *search, const struct job *job)
{
    const struct run *run = run_of(search->engine, job);
    if (run != NULL && !qk_id_is_none(run->parent_job)) {
        meet(search, job_find(search->engine, run->parent_job), false);
    }
}

static bool search_from(struct search *search, uint32_t around)
{
    search->mark = search->engine->searches += 2;
    meet(search, around, false);
    for (size_t i = 0; i < search->found.count; i++) {
        const struct job *job = job_at(search->engine, search->found.items[i]);
        meet_children(search, job);
        if ((job->extra->met & 1) != 0) {
            meet_inside(search, job);
        }
        meet_around(search, job);
    }
    free(search->found.items);
    return !search->failed;
}

static bool is_outside(const qk__engine *engine, const struct job *around, uint32_t parent)
{
    const struct run *run = parent == NIL ? NULL : run_of(engine, job_at(engine, parent));
    return parent != NIL && !qk_job_status_is_terminal(job_at(engine, parent)->status) &&
           (run == NULL || memcmp(run->id.bytes, around->extra->child_run.bytes, 16) != 0);
}

static const char *name_of(const struct job *job)
{
    return job->extra->node != NULL   ? job->extra->node
           : job->extra->name != NULL ? job->extra->name
                                      : "unnamed";
}

static qk_status refuse(const struct job *around, const struct job *parent, const char *node,
                        qk_error *err)
{
    char id[QK_ID_TEXT_SIZE];
    qk_id_format(id, parent->id);
    if (parent == around) {
        return qk__error(
            err, QK_EINVAL,
            "node '%s' needs '%s' (%s), the sub-DAG node that it is part of, and could "
            "never start: remove that dependency",
            node, name_of(parent), id);
    }
    return qk__error(err, QK_EINVAL,
                     "node '%s' needs '%s' (%s), which waits for the sub-DAG node '%s' that it is "
                     "part of, and could never start: remove that dependency",
                     node, name_of(parent), id, name_of(around));
}

qk_status circle_check(qk__engine *engine, uint32_t around, const qk__new_job *jobs, size_t count,
                       qk_error *err)
{
    struct search search = { .engine = engine };
    const struct job *node = around == NIL ? NULL : job_at(engine, around);
    for (size_t i = 0; node != NULL && i < count; i++) {
        for (size_t k = 0; k < jobs[i].needs_count; k++) {
            uint32_t parent = job_find(engine, jobs[i].needs[k]);
            if (!is_outside(engine, node, parent)) {
                continue;
            }
            if (search.mark == 0 && !search_from(&search, around)) {
                return qk__error(err, QK_ENOMEM, "out of memory: add fewer nodes at once");
            }
            const struct job *needed = job_at(engine, parent);
            if (needed->extra != NULL && needed->extra->met >= search.mark) {
                return refuse(node, needed, jobs[i].node == NULL ? "unnamed" : jobs[i].node, err);
            }
        }
    }
    return QK_OK;
}
