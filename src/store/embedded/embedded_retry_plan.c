/*
 * The plan of a retry; see embedded_retry.h.
 *
 * What failed, was cancelled or skipped for a failure is opened at every depth below, but not below
 * nodes that are done. Where a node above failed because of that it waits again, and its skipped
 * dependents are pending again. A node cancelled together with its child run becomes pending, keeps
 * the run, and waits for it once it was claimed.
 */
#include "store/embedded/embedded_retry.h"

#include "util/error.h"

#include <stdlib.h>

size_t plan_find_node(const struct picture *picture, qk_id id)
{
    for (size_t low = 0, high = picture->node_count; low < high;) {
        size_t middle = (low + high) / 2;
        int order = qk_id_compare(picture->nodes[middle].id, id);
        if (order == 0) {
            return middle;
        }
        *(order < 0 ? &low : &high) = order < 0 ? middle + 1 : middle;
    }
    return QK__NOWHERE;
}

size_t plan_find_run(const struct picture *picture, qk_id id)
{
    for (size_t low = 0, high = picture->run_count; low < high;) {
        size_t middle = (low + high) / 2;
        int order = qk_id_compare(picture->runs[middle].id, id);
        if (order == 0) {
            return middle;
        }
        *(order < 0 ? &low : &high) = order < 0 ? middle + 1 : middle;
    }
    return QK__NOWHERE;
}

/* A worklist of nodes or runs; grows to the number of nodes at most, so it is made at once. */
struct work {
    size_t *items, count;
};

static size_t first_edge(const struct picture *picture, size_t parent)
{
    size_t low = 0;
    for (size_t high = picture->edge_count; low < high;) {
        size_t middle = (low + high) / 2;
        if (picture->edges[middle].parent < parent) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

static bool is_unfinished(const struct plan_node *node)
{
    return !node->live && (node->status == QK_JOB_FAILED || node->status == QK_JOB_CANCELLED ||
                           (node->status == QK_JOB_SKIPPED && node->for_failure));
}

static void mark(struct plan_node *node)
{
    node->marked = true;
    node->waits = node->child != QK__NOWHERE && node->status == QK_JOB_FAILED;
}

/* Everything in a run and below: what is unfinished, or with `all` whatever has ended. */
static void mark_below(struct picture *picture, size_t run, bool all, struct work *work)
{
    size_t bottom = work->count;
    work->items[work->count++] = run;
    while (work->count > bottom) {
        const struct plan_run *own = &picture->runs[work->items[--work->count]];
        for (size_t i = 0; i < own->count; i++) {
            struct plan_node *node = &picture->nodes[picture->by_run[own->first + i]];
            if (!all && !node->live && !is_unfinished(node)) {
                continue; /* it stays, and so does what is below */
            }
            if (all && !node->live) {
                node->marked = true;
                node->waits = false;
            } else if (is_unfinished(node)) {
                mark(node);
            }
            if (node->child != QK__NOWHERE) {
                work->items[work->count++] = node->child;
            }
        }
    }
}

/* Dependents of a node, and theirs: those skipped for a failure, or with `all` every one. */
static void mark_dependents(struct picture *picture, size_t node, bool all, struct work *work)
{
    size_t bottom = work->count;
    work->items[work->count++] = node;
    while (work->count > bottom) {
        size_t parent = work->items[--work->count];
        for (size_t e = first_edge(picture, parent);
             e < picture->edge_count && picture->edges[e].parent == parent; e++) {
            struct plan_node *child = &picture->nodes[picture->edges[e].child];
            bool wanted =
                all || (!child->live && child->status == QK_JOB_SKIPPED && child->for_failure);
            if (!wanted || child->marked) {
                continue;
            }
            child->marked = true;
            child->waits = false;
            work->items[work->count++] = picture->edges[e].child;
        }
    }
}

static size_t parent_of(const struct picture *picture, size_t run)
{
    return run == QK__NOWHERE ? QK__NOWHERE : picture->runs[run].parent;
}

/* The nodes above that have ended wait again. */
static qk_status mark_above(struct picture *picture, size_t run, bool from, struct work *work,
                            qk_error *err)
{
    for (size_t above; (above = parent_of(picture, run)) != QK__NOWHERE;
         run = picture->nodes[above].run) {
        struct plan_node *node = &picture->nodes[above];
        bool alone = node->run == QK__NOWHERE; /* a job of no run: nobody above forbids anything */
        if (node->live || (alone && node->status != QK_JOB_FAILED && node->status != QK_JOB_DONE)) {
            return QK_OK;
        }
        if (node->status != QK_JOB_FAILED && !(from && node->status == QK_JOB_DONE)) {
            return qk__error(err, QK_ESTATE,
                             "the sub-DAG node around it is %s: retry the run above",
                             qk_job_status_name((qk_job_status)node->status));
        }
        mark(node);
        mark_dependents(picture, above, from, work);
    }
    return QK_OK;
}

static bool is_above(const struct picture *picture, size_t run, size_t node)
{
    for (size_t above; (above = parent_of(picture, run)) != QK__NOWHERE;
         run = picture->nodes[above].run) {
        if (above == node) {
            return true;
        }
    }
    return false;
}

/* The child runs of nodes that begin anew begin anew as well. */
static void mark_inside(struct picture *picture, size_t run, struct work *work)
{
    for (size_t i = 0; i < picture->node_count; i++) {
        const struct plan_node *node = &picture->nodes[i];
        if (node->marked && node->child != QK__NOWHERE && !is_above(picture, run, i)) {
            mark_below(picture, node->child, true, work);
        }
    }
}

/* A run in which nothing opens has ended: a node that waited for it would wait for ever. */
static bool opens(const struct picture *picture, size_t run)
{
    const struct plan_run *own = &picture->runs[run];
    for (size_t i = 0; i < own->count; i++) {
        if (picture->nodes[picture->by_run[own->first + i]].marked) {
            return true;
        }
    }
    return false;
}

static qk_status check_live(struct picture *picture, size_t *count, qk_error *err)
{
    *count = 0;
    for (size_t i = 0; i < picture->node_count; i++) {
        struct plan_node *node = &picture->nodes[i];
        if (node->marked && node->live && node->status == QK_JOB_CLAIMED) {
            return qk__error(err, QK_ESTATE,
                             "a node downstream is running: wait for it, or cancel the run");
        }
        node->marked = node->marked && !node->live;
        *count += node->marked;
    }
    for (size_t i = 0; i < picture->node_count; i++) {
        struct plan_node *node = &picture->nodes[i];
        node->waits = node->marked && node->waits && opens(picture, node->child);
    }
    return QK_OK;
}

static qk_status plan(struct picture *picture, enum retry_what what, size_t run, size_t node,
                      struct work *work, qk_error *err)
{
    struct plan_node *own = node == QK__NOWHERE ? NULL : &picture->nodes[node];
    if (what == RETRY_RUN) {
        mark_below(picture, run, false, work);
    } else if (own->live || (what == RETRY_NODE && own->status == QK_JOB_DONE)) {
        return qk__error(err, QK_ESTATE, "the node is %s: only ended nodes can be retried",
                         qk_job_status_name((qk_job_status)own->status));
    } else if (what == RETRY_FROM) {
        own->marked = true;
        mark_dependents(picture, node, true, work);
    } else {
        mark(own);
        if (own->child != QK__NOWHERE) {
            mark_below(picture, own->child, false, work);
        }
        mark_dependents(picture, node, false, work);
    }
    qk_status rc = mark_above(picture, run, what == RETRY_FROM, work, err);
    if (rc == QK_OK && what == RETRY_FROM) {
        mark_inside(picture, run, work);
    }
    return rc;
}

qk_status plan_retry(struct picture *picture, enum retry_what what, size_t run, size_t node,
                     qk_error *err)
{
    size_t count = 0;
    struct work work = {
        malloc((picture->node_count + picture->run_count + 2) * sizeof *work.items), 0
    };
    if (work.items == NULL) {
        return qk__error(err, QK_ENOMEM, "out of memory: ask for less at once");
    }
    if (what == RETRY_RUN) { /* what is above only counts if there is something below */
        mark_below(picture, run, false, &work);
        qk_status rc = check_live(picture, &count, err);
        if (rc != QK_OK || count == 0) {
            free(work.items);
            return rc != QK_OK ? rc
                               : qk__error(err, QK_ESTATE,
                                           "nothing in the run failed, was cancelled or skipped "
                                           "for a failure: there is nothing to retry");
        }
    }
    qk_status rc = plan(picture, what, run, node, &work, err);
    rc = rc == QK_OK ? check_live(picture, &count, err) : rc;
    free(work.items);
    return rc;
}
