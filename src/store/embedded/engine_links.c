/*
 * Dependencies: what a job knows of its parents, and whom it has to tell when it ends.
 *
 * A child keeps one link per parent, sorted by id; a parent keeps its children's ids. Children are
 * named by id, not by index, so that a freed child is simply not found.
 */
#include "store/embedded/engine_internal.h"

#include <stdlib.h>
#include <string.h>

static int compare_ids(const void *a, const void *b)
{
    return memcmp(a, b, sizeof(qk_id));
}

static bool id_equal(qk_id a, qk_id b)
{
    return memcmp(a.bytes, b.bytes, sizeof a.bytes) == 0;
}

struct links *links_make(qk__engine *engine, const qk_id *parents, size_t count)
{
    struct links *links = calloc(1, sizeof *links);
    if (links == NULL || count == 0) {
        return links;
    }
    qk_id *sorted = malloc(count * sizeof *sorted);
    links->parents = calloc(count, sizeof *links->parents);
    if (sorted == NULL || links->parents == NULL || count > UINT32_MAX) {
        free(sorted);
        links_free(engine, links);
        return NULL;
    }
    memcpy(sorted, parents, count * sizeof *sorted);
    qsort(sorted, count, sizeof *sorted, compare_ids);
    for (size_t i = 0; i < count; i++) {
        if (i == 0 || !id_equal(sorted[i], sorted[i - 1])) {
            links->parents[links->parent_count++].parent = sorted[i];
        }
    }
    links->counts.total = links->parent_count;
    free(sorted);
    return links;
}

void links_forget(qk__engine *engine, struct links *links)
{
    for (uint32_t i = 0; links->parents != NULL && i < links->parent_count; i++) {
        unhear(engine, &links->parents[i]);
    }
    free(links->parents);
}

void links_free(qk__engine *engine, struct links *links)
{
    if (links != NULL) {
        links_forget(engine, links);
        free(links->children);
        free(links);
    }
}

const qk__cold_job *cold_find(const qk__cold_set *cold, qk_id id)
{
    if (cold == NULL || cold->count == 0) {
        return NULL;
    }
    return bsearch(&id, cold->jobs, cold->count, sizeof *cold->jobs, compare_ids);
}

static struct link *link_find(struct links *links, qk_id parent)
{
    if (links->parent_count == 0) {
        return NULL;
    }
    return bsearch(&parent, links->parents, links->parent_count, sizeof *links->parents,
                   compare_ids);
}

bool links_tell(struct links *links, qk_id parent, const struct link *news)
{
    struct link *link = link_find(links, parent);
    if (link == NULL || link->state != LINK_WAITING) {
        return false;
    }
    link->state = news->state;
    link->cause = news->cause;
    link->cause_order = news->cause_order;
    link->outside = news->outside;
    links->counts.done += news->state == LINK_DONE;
    links->counts.conditional += news->state == LINK_CONDITIONAL;
    links->counts.failed += news->state == LINK_FAILED;
    return true;
}

static void link_from(struct link *out, uint8_t status, bool continues, qk_id self, qk_id cause,
                      int64_t cause_order)
{
    memset(out, 0, sizeof *out);
    out->parent = self;
    if (status == QK_JOB_DONE || (status == QK_JOB_FAILED && continues)) {
        out->state = LINK_DONE;
    } else if (status == QK_JOB_SKIPPED && qk_id_is_none(cause)) {
        out->state = LINK_CONDITIONAL;
    } else {
        out->state = LINK_FAILED;
        out->cause = status == QK_JOB_SKIPPED ? cause : self;
        out->cause_order = cause_order;
    }
}

void link_news(const qk__engine *engine, const struct job *parent, const struct job *child,
               struct link *out)
{
    link_from(out, parent->status, policy_of(engine, parent)->continue_on_failure, parent->id,
              parent->extra->cause, parent->extra->cause_order);
    out->outside = child == NULL || child->run != parent->run ||
                   (parent->status == QK_JOB_SKIPPED && parent->extra->cause_outside);
}

static bool child_add(qk__engine *engine, struct job *parent, qk_id child)
{
    struct extra *extra = job_extra(engine, parent);
    if (extra == NULL ||
        (extra->links == NULL && (extra->links = links_make(engine, NULL, 0)) == NULL)) {
        return false;
    }
    struct links *links = extra->links;
    size_t capacity = links->child_capacity;
    if (!vec_reserve((void **)&links->children, &capacity, links->child_count + 1u,
                     sizeof *links->children)) {
        return false;
    }
    links->child_capacity = (uint32_t)capacity;
    links->children[links->child_count++] = child;
    return true;
}

static bool hear_all(qk__engine *engine, struct links *links, uint32_t index)
{
    for (uint32_t i = 0; i < links->parent_count; i++) {
        if (!hear(engine, &links->parents[i], index)) {
            return false;
        }
    }
    return true;
}

static bool wait_for(qk__engine *engine, struct links *links, struct job *parent, qk_id child)
{
    if (!child_add(engine, parent, child)) {
        return false;
    }
    uint32_t below = links_depth(parent) + 1;
    links->depth = links->depth > below ? links->depth : below;
    return true;
}

/* What a parent that is not in memory has to say. */
static qk_status cold_news(qk__engine *engine, const struct job *job, qk_id parent,
                           const qk__cold_set *cold, struct link *news)
{
    const qk__cold_job *ended = cold_find(cold, parent);
    if (ended == NULL || !ended->found) {
        return ended == NULL ? QK_EMPTY : QK_ENOTFOUND;
    }
    link_from(news, ended->status, ended->continue_on_failure, parent, ended->cause,
              ended->cause_order);
    engine->failed_last =
        ended->cause_order > engine->failed_last ? ended->cause_order : engine->failed_last;
    const struct run *run = run_of(engine, job);
    news->outside =
        run == NULL || memcmp(run->id.bytes, ended->run.bytes, 16) != 0 || ended->cause_outside;
    return QK_OK;
}

qk_status links_connect(qk__engine *engine, uint32_t index, const qk__cold_set *cold,
                        qk_id *missing)
{
    struct job *job = job_at(engine, index);
    struct links *links = job->extra->links;
    if (!hear_all(engine, links, index)) {
        return QK_ENOMEM;
    }
    for (uint32_t i = 0; i < links->parent_count; i++) {
        qk_id id = links->parents[i].parent;
        uint32_t parent = job_find(engine, id);
        struct link news;
        if (parent == index) {
            *missing = id;
            return QK_EINVAL;
        }
        if (parent != NIL && !qk_job_status_is_terminal(job_at(engine, parent)->status)) {
            if (!wait_for(engine, links, job_at(engine, parent), job->id)) {
                return QK_ENOMEM;
            }
            continue;
        }
        qk_status rc = QK_OK;
        if (parent != NIL) {
            link_news(engine, job_at(engine, parent), job, &news);
        } else {
            rc = cold_news(engine, job, id, cold, &news);
        }
        if (rc != QK_OK) {
            *missing = id;
            return rc;
        }
        links_tell(links, id, &news);
    }
    return QK_OK;
}

void links_counted(qk__engine *engine, const struct job *job, int by)
{
    if (has_parents(job)) {
        engine->linked += (size_t)by;
        engine->edges += (size_t)by * job->extra->links->parent_count;
    }
}

bool has_parents(const struct job *job)
{
    return job->extra != NULL && job->extra->links != NULL && job->extra->links->parent_count > 0;
}

uint32_t links_depth(const struct job *job)
{
    return job->extra == NULL || job->extra->links == NULL ? 0 : job->extra->links->depth;
}

qk__readiness links_readiness(const qk__engine *engine, const struct job *job)
{
    if (!has_parents(job)) {
        return QK__READY_START;
    }
    return qk__rule_readiness(policy_of(engine, job)->mode, job->extra->links->counts);
}

const struct link *links_first_failure(const struct links *links)
{
    const struct link *first = NULL;
    for (uint32_t i = 0; i < links->parent_count; i++) {
        const struct link *link = &links->parents[i];
        if (link->state == LINK_FAILED &&
            (first == NULL || link->cause_order < first->cause_order)) {
            first = link;
        }
    }
    return first;
}

static void link_reopen(qk__engine *engine, struct job *child, struct job *parent)
{
    struct links *links = child->extra->links;
    struct link *link = link_find(links, parent->id);
    if (link == NULL || link->state == LINK_WAITING || !child_add(engine, parent, child->id)) {
        return;
    }
    links->counts.done -= link->state == LINK_DONE;
    links->counts.conditional -= link->state == LINK_CONDITIONAL;
    links->counts.failed -= link->state == LINK_FAILED;
    link->state = LINK_WAITING;
}

void links_retell(qk__engine *engine, uint32_t index)
{
    struct job *parent = job_at(engine, index);
    for (uint32_t at = NIL; (at = hearer_next(engine, parent->id, at)) != NIL;) {
        uint32_t own = engine->hearers.items[at].child;
        struct job *child = job_at(engine, own);
        if (own == index || qk_job_status_is_terminal(child->status)) {
            continue;
        }
        link_reopen(engine, child, parent);
        if ((child->flags & JF_IN_LANE) != 0 && links_readiness(engine, child) == QK__READY_WAIT) {
            lane_remove(engine, own);
        }
    }
}
