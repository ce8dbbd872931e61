/*
 * In which order jobs that can no longer start are skipped.
 *
 * One end can doom several jobs at once, and one of them may be the other's parent. Why a job is
 * skipped, for a failure or for a condition, decides what its children do, so it must not hang on
 * the order in which children happen to be told: a job is skipped only after all its parents that
 * the same event skips. `depth` gives that order: it is above that of every live parent. It is not
 * journaled; parents come before their children at enqueue, and a replay counts it anew.
 */
#include "store/embedded/engine_internal.h"

static uint32_t depth_at(const qk__engine *engine, uint32_t index)
{
    return links_depth(job_at(engine, index));
}

static void swap(uint32_t *a, uint32_t *b)
{
    uint32_t kept = *a;
    *a = *b;
    *b = kept;
}

void doom(qk__engine *engine, uint32_t index)
{
    struct job *job = job_at(engine, index);
    if ((job->flags & JF_DOOMED) != 0) {
        return;
    }
    job->flags |= JF_DOOMED;
    uint32_t *heap = engine->doomed.items;
    size_t at = engine->doomed.count++;
    heap[at] = index;
    while (at > 0 && depth_at(engine, heap[at]) < depth_at(engine, heap[(at - 1) / 2])) {
        swap(&heap[at], &heap[(at - 1) / 2]);
        at = (at - 1) / 2;
    }
}

uint32_t doom_take(qk__engine *engine)
{
    uint32_t *heap = engine->doomed.items;
    if (engine->doomed.count == 0) {
        return NIL;
    }
    uint32_t first = heap[0];
    size_t count = --engine->doomed.count;
    heap[0] = heap[count];
    for (size_t at = 0, child; (child = 2 * at + 1) < count; at = child) {
        if (child + 1 < count &&
            depth_at(engine, heap[child + 1]) < depth_at(engine, heap[child])) {
            child++;
        }
        if (depth_at(engine, heap[at]) <= depth_at(engine, heap[child])) {
            break;
        }
        swap(&heap[at], &heap[child]);
    }
    job_at(engine, first)->flags &= (uint16_t)~JF_DOOMED;
    return first;
}

static struct links *links_at(const qk__engine *engine, uint32_t index)
{
    const struct job *job = index == NIL ? NULL : job_at(engine, index);
    return job == NULL || !job->used || job->extra == NULL ? NULL : job->extra->links;
}

static struct links *child_at(const qk__engine *engine, const struct links *links, uint32_t which,
                              uint32_t *index)
{
    *index = job_find(engine, links->children[which]);
    return links_at(engine, *index);
}

/* Counts for each job how many parents come before it. */
static void count_open(const qk__engine *engine, uint32_t slots)
{
    uint32_t unused;
    for (uint32_t i = 0; i < slots; i++) {
        struct links *links = links_at(engine, i);
        if (links != NULL) {
            links->depth = links->open = 0;
        }
    }
    for (uint32_t i = 0; i < slots; i++) {
        const struct links *links = links_at(engine, i);
        for (uint32_t k = 0; links != NULL && k < links->child_count; k++) {
            struct links *child = child_at(engine, links, k, &unused);
            if (child != NULL) {
                child->open++;
            }
        }
    }
}

void order_all(qk__engine *engine)
{
    uint32_t slots = engine->chunk_count * CHUNK_JOBS;
    uint32_t *queue = engine->doomed.items; /* empty between events, and has room for every job */
    size_t count = 0;
    count_open(engine, slots);
    for (uint32_t i = 0; i < slots; i++) {
        const struct links *links = links_at(engine, i);
        if (links != NULL && links->open == 0) {
            queue[count++] = i;
        }
    }
    for (size_t at = 0; at < count; at++) {
        const struct links *links = links_at(engine, queue[at]);
        for (uint32_t k = 0; k < links->child_count; k++) {
            uint32_t index;
            struct links *child = child_at(engine, links, k, &index);
            if (child == NULL) {
                continue;
            }
            child->depth = child->depth > links->depth ? child->depth : links->depth + 1;
            if (--child->open == 0) {
                queue[count++] = index;
            }
        }
    }
}

/* Counts, for each job below this one, its parents there; those are met once for each. */
static void count_below(const qk__engine *engine, uint32_t *queue, uint32_t index)
{
    size_t count = 1;
    queue[0] = index;
    for (size_t at = 0; at < count; at++) {
        const struct links *links = links_at(engine, queue[at]);
        for (uint32_t k = 0; links != NULL && k < links->child_count; k++) {
            uint32_t below;
            struct links *child = child_at(engine, links, k, &below);
            if (child != NULL && child->open++ == 0) {
                queue[count++] = below;
            }
        }
    }
}

static bool lies_too_deep(const qk__engine *engine, const struct links *links)
{
    bool deep = false;
    for (uint32_t k = 0; links != NULL && k < links->child_count && !deep; k++) {
        uint32_t unused;
        const struct links *child = child_at(engine, links, k, &unused);
        deep = child != NULL && child->depth <= links->depth;
    }
    return deep;
}

void order_below(qk__engine *engine, uint32_t index)
{
    uint32_t *queue = engine->doomed.items; /* empty between events, and has room for every job */
    if (!lies_too_deep(engine, links_at(engine, index))) {
        return;
    }
    count_below(engine, queue, index);
    size_t count = 1;
    for (size_t at = 0; at < count; at++) {
        const struct links *links = links_at(engine, queue[at]);
        for (uint32_t k = 0; k < links->child_count; k++) {
            uint32_t below;
            struct links *child = child_at(engine, links, k, &below);
            if (child == NULL) {
                continue;
            }
            child->depth = child->depth > links->depth ? child->depth : links->depth + 1;
            if (--child->open == 0) {
                queue[count++] = below;
            }
        }
    }
}
