/*
 * Where live jobs wait: ready lanes, the delay heap, lease lists.
 *
 * A lane holds one kind's ready jobs of one queue, so that a worker that knows a few kinds never
 * steps over jobs it cannot run. Per priority it is a list in order of `seq`; jobs that come back
 * with a lower seq than the list's tail go to a heap beside it. Leases of one length expire in the
 * order in which they were taken, so a list per length needs no heap.
 */
#include "store/embedded/engine_internal.h"

#include <stdlib.h>
#include <string.h>

typedef bool (*before_fn)(const struct job *a, const struct job *b);

static bool served_before(const struct job *a, const struct job *b)
{
    return a->priority != b->priority ? a->priority > b->priority : a->seq < b->seq;
}

static bool due_before(const struct job *a, const struct job *b)
{
    int64_t at = a->extra->execute_after_us;
    int64_t bt = b->extra->execute_after_us;
    return at != bt ? at < bt : a->seq < b->seq;
}

static void heap_set(qk__engine *engine, uint32_t *heap, size_t position, uint32_t index)
{
    heap[position] = index;
    job_at(engine, index)->prev = (uint32_t)position;
}

static void heap_up(qk__engine *engine, uint32_t *heap, size_t position, before_fn before)
{
    uint32_t index = heap[position];
    while (position > 0) {
        size_t parent = (position - 1) / 2;
        if (!before(job_at(engine, index), job_at(engine, heap[parent]))) {
            break;
        }
        heap_set(engine, heap, position, heap[parent]);
        position = parent;
    }
    heap_set(engine, heap, position, index);
}

static void heap_down(qk__engine *engine, uint32_t *heap, size_t count, size_t position,
                      before_fn before)
{
    uint32_t index = heap[position];
    for (size_t child; (child = 2 * position + 1) < count; position = child) {
        if (child + 1 < count &&
            before(job_at(engine, heap[child + 1]), job_at(engine, heap[child]))) {
            child++;
        }
        if (!before(job_at(engine, heap[child]), job_at(engine, index))) {
            break;
        }
        heap_set(engine, heap, position, heap[child]);
    }
    heap_set(engine, heap, position, index);
}

/* `count` is the heap's size before the removal. */
static void heap_remove(qk__engine *engine, uint32_t *heap, size_t count, size_t position,
                        before_fn before)
{
    uint32_t last = heap[count - 1];
    if (position == count - 1) {
        return;
    }
    heap_set(engine, heap, position, last);
    heap_up(engine, heap, position, before);
    heap_down(engine, heap, count - 1, job_at(engine, last)->prev, before);
}

static struct lane *lane_find(const struct queue *queue, uint32_t kind)
{
    for (uint32_t i = 0; i < queue->lane_count; i++) {
        if (queue->lanes[i]->kind == kind) {
            return queue->lanes[i];
        }
    }
    return NULL;
}

static struct lane *lane_make(struct queue *queue, uint32_t kind)
{
    struct lane *lane = lane_find(queue, kind);
    if (lane != NULL) {
        return lane;
    }
    struct lane **lanes = realloc(queue->lanes, (queue->lane_count + 1) * sizeof *lanes);
    if (lanes == NULL) {
        return NULL;
    }
    queue->lanes = lanes;
    lane = calloc(1, sizeof *lane);
    if (lane == NULL) {
        return NULL;
    }
    lane->kind = kind;
    memset(lane->head, 0xff, sizeof lane->head);
    memset(lane->tail, 0xff, sizeof lane->tail);
    queue->lanes[queue->lane_count++] = lane;
    return lane;
}

static bool returned_reserve(struct lane *lane, size_t more)
{
    size_t capacity = lane->returned_capacity;
    bool ok = vec_reserve((void **)&lane->returned, &capacity, lane->returned_count + more,
                          sizeof *lane->returned);
    lane->returned_capacity = (uint32_t)capacity;
    return ok;
}

bool lane_prepare(qk__engine *engine, const struct job *job)
{
    struct lane *lane = lane_make(queue_of(engine, job), policy_of(engine, job)->route);
    return lane != NULL;
}

/* Puts the job into its priority's list before `right` (NIL: at the end). */
static void list_insert(qk__engine *engine, struct lane *lane, uint32_t index, uint32_t right)
{
    struct job *job = job_at(engine, index);
    uint32_t left = right == NIL ? lane->tail[job->priority] : job_at(engine, right)->prev;
    job->prev = left;
    job->next = right;
    *(left == NIL ? &lane->head[job->priority] : &job_at(engine, left)->next) = index;
    *(right == NIL ? &lane->tail[job->priority] : &job_at(engine, right)->prev) = index;
    lane->bitmap[job->priority / 64] |= 1ull << (job->priority % 64);
}

void lane_push(qk__engine *engine, uint32_t index)
{
    struct job *job = job_at(engine, index);
    struct lane *lane = lane_find(queue_of(engine, job), policy_of(engine, job)->route);
    uint32_t tail = lane->tail[job->priority];
    job->flags |= JF_IN_LANE;
    if (tail == NIL || job_at(engine, tail)->seq < job->seq) {
        list_insert(engine, lane, index, NIL);
    } else if (returned_reserve(lane, 1)) {
        lane->returned[lane->returned_count++] = index;
        job->flags |= JF_IN_HEAP;
        heap_up(engine, lane->returned, lane->returned_count - 1, served_before);
    } else { /* Without memory the slow way must do: a transition cannot fail. */
        uint32_t right = lane->head[job->priority];
        while (right != NIL && job_at(engine, right)->seq < job->seq) {
            right = job_at(engine, right)->next;
        }
        list_insert(engine, lane, index, right);
    }
}

void lane_remove(qk__engine *engine, uint32_t index)
{
    struct job *job = job_at(engine, index);
    struct lane *lane = lane_find(queue_of(engine, job), policy_of(engine, job)->route);
    if ((job->flags & JF_IN_HEAP) != 0) {
        heap_remove(engine, lane->returned, lane->returned_count, job->prev, served_before);
        lane->returned_count--;
    } else {
        uint32_t *from_left =
            job->prev == NIL ? &lane->head[job->priority] : &job_at(engine, job->prev)->next;
        uint32_t *from_right =
            job->next == NIL ? &lane->tail[job->priority] : &job_at(engine, job->next)->prev;
        *from_left = job->next;
        *from_right = job->prev;
        if (lane->head[job->priority] == NIL) {
            lane->bitmap[job->priority / 64] &= ~(1ull << (job->priority % 64));
        }
    }
    job->flags &= (uint16_t) ~(JF_IN_LANE | JF_IN_HEAP);
    job->prev = job->next = NIL;
}

static uint32_t lane_first(const qk__engine *engine, const struct lane *lane)
{
    uint32_t best = NIL;
    for (int word = 1; word >= 0 && best == NIL; word--) {
        if (lane->bitmap[word] != 0) {
            best = lane->head[word * 64 + 63 - __builtin_clzll(lane->bitmap[word])];
        }
    }
    if (lane->returned_count > 0 &&
        (best == NIL || served_before(job_at(engine, lane->returned[0]), job_at(engine, best)))) {
        best = lane->returned[0];
    }
    return best;
}

static bool kind_wanted(uint32_t kind, const uint32_t *kinds, size_t count)
{
    for (size_t i = 0; kinds != NULL && i < count; i++) {
        if (kinds[i] == kind) {
            return true;
        }
    }
    return kinds == NULL;
}

uint32_t lane_best(const qk__engine *engine, const struct queue *queue, const uint32_t *kinds,
                   size_t kind_count)
{
    uint32_t best = NIL;
    for (uint32_t i = 0; i < queue->lane_count; i++) {
        if (!kind_wanted(queue->lanes[i]->kind, kinds, kind_count)) {
            continue;
        }
        uint32_t first = lane_first(engine, queue->lanes[i]);
        if (first != NIL &&
            (best == NIL || served_before(job_at(engine, first), job_at(engine, best)))) {
            best = first;
        }
    }
    return best;
}

void delay_push(qk__engine *engine, uint32_t index)
{
    engine->delayed.items[engine->delayed.count++] = index;
    job_at(engine, index)->flags |= JF_IN_HEAP;
    heap_up(engine, engine->delayed.items, engine->delayed.count - 1, due_before);
}

void delay_remove(qk__engine *engine, uint32_t index)
{
    struct job *job = job_at(engine, index);
    heap_remove(engine, engine->delayed.items, engine->delayed.count, job->prev, due_before);
    engine->delayed.count--;
    job->flags &= (uint16_t)~JF_IN_HEAP;
    job->prev = NIL;
}

static bool expires_before(const struct job *a, const struct job *b)
{
    int64_t at = a->extra->deadline_us;
    int64_t bt = b->extra->deadline_us;
    return at != bt ? at < bt : a->extra->leased < b->extra->leased;
}

bool lease_reserve(qk__engine *engine)
{
    return VEC_RESERVE(engine->leases, 1);
}

static struct lease_list *lease_list(qk__engine *engine, int64_t lease_us)
{
    struct lease_list *unused = NULL;
    for (size_t i = 0; i < engine->leases.count; i++) {
        struct lease_list *list = &engine->leases.items[i];
        if (list->lease_us == lease_us) {
            return list;
        }
        unused = list->head == NIL ? list : unused;
    }
    if (unused == NULL) {
        unused = &engine->leases.items[engine->leases.count++];
    }
    *unused = (struct lease_list){ .lease_us = lease_us, .head = NIL, .tail = NIL };
    return unused;
}

void lease_push(qk__engine *engine, uint32_t index)
{
    struct job *job = job_at(engine, index);
    struct lease_list *list = lease_list(engine, job->extra->lease_us);
    uint32_t left = list->tail;
    job->extra->leased = ++engine->leased;
    /* A claim that outlived a failed commit kept its deadline; all others belong at the end. */
    while (left != NIL && expires_before(job, job_at(engine, left))) {
        left = job_at(engine, left)->prev;
    }
    uint32_t right = left == NIL ? list->head : job_at(engine, left)->next;
    job->prev = left;
    job->next = right;
    *(left == NIL ? &list->head : &job_at(engine, left)->next) = index;
    *(right == NIL ? &list->tail : &job_at(engine, right)->prev) = index;
}

void lease_remove(qk__engine *engine, uint32_t index)
{
    struct job *job = job_at(engine, index);
    struct lease_list *list = lease_list(engine, job->extra->lease_us);
    uint32_t *from_left = job->prev == NIL ? &list->head : &job_at(engine, job->prev)->next;
    uint32_t *from_right = job->next == NIL ? &list->tail : &job_at(engine, job->next)->prev;
    *from_left = job->next;
    *from_right = job->prev;
    job->prev = job->next = NIL;
}

uint32_t lease_first(const qk__engine *engine)
{
    uint32_t first = NIL;
    for (size_t i = 0; i < engine->leases.count; i++) {
        uint32_t head = engine->leases.items[i].head;
        if (head != NIL &&
            (first == NIL || expires_before(job_at(engine, head), job_at(engine, first)))) {
            first = head;
        }
    }
    return first;
}
