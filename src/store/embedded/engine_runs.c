/*
 * Runs in memory: their table, the counts of their jobs, and what follows when those change.
 *
 * A run keeps counts of all its jobs, so that nothing is ever counted by looking at them. Whenever a
 * job's status changes its run becomes due, and settle_dependents reviews what is due: a run whose
 * last job ended ends, and with it the node above that waits for it, in the same step.
 */
#include "store/embedded/engine_internal.h"

#include <queuack/run.h>
#include <stdlib.h>
#include <string.h>

static uint32_t slot_of(const qk__engine *engine, qk_id id)
{
    return (uint32_t)hash_bytes(id.bytes, sizeof id.bytes) & engine->run_mask;
}

struct run *run_find(const qk__engine *engine, qk_id id)
{
    if (engine->run_map == NULL) {
        return NULL;
    }
    for (uint32_t slot = slot_of(engine, id);; slot = (slot + 1) & engine->run_mask) {
        uint32_t index = engine->run_map[slot];
        if (index == NIL) {
            return NULL;
        }
        if (memcmp(engine->runs.items[index]->id.bytes, id.bytes, sizeof id.bytes) == 0) {
            return engine->runs.items[index];
        }
    }
}

static void map_put(qk__engine *engine, uint32_t index)
{
    uint32_t slot = slot_of(engine, engine->runs.items[index]->id);
    while (engine->run_map[slot] != NIL) {
        slot = (slot + 1) & engine->run_mask;
    }
    engine->run_map[slot] = index;
}

static bool map_grow(qk__engine *engine)
{
    uint32_t size = engine->run_map == NULL ? 64 : (engine->run_mask + 1) * 2;
    uint32_t *map = malloc(size * sizeof *map);
    if (map == NULL) {
        return false;
    }
    memset(map, 0xff, size * sizeof *map);
    free(engine->run_map);
    engine->run_map = map;
    engine->run_mask = size - 1;
    for (uint32_t i = 0; i < engine->runs.count; i++) {
        if (engine->runs.items[i] != NULL) {
            map_put(engine, i);
        }
    }
    return true;
}

static void map_remove(qk__engine *engine, qk_id id)
{
    uint32_t mask = engine->run_mask;
    uint32_t hole = slot_of(engine, id);
    while (memcmp(engine->runs.items[engine->run_map[hole]]->id.bytes, id.bytes, 16) != 0) {
        hole = (hole + 1) & mask;
    }
    for (uint32_t slot = (hole + 1) & mask; engine->run_map[slot] != NIL;
         slot = (slot + 1) & mask) {
        uint32_t home = slot_of(engine, engine->runs.items[engine->run_map[slot]]->id);
        if (((slot - home) & mask) >= ((slot - hole) & mask)) {
            engine->run_map[hole] = engine->run_map[slot];
            hole = slot;
        }
    }
    engine->run_map[hole] = NIL;
}

static bool lists_grow(qk__engine *engine)
{
    size_t more = engine->runs.count + 1;
    return VEC_RESERVE(engine->runs, 1) &&
           vec_reserve((void **)&engine->run_free.items, &engine->run_free.capacity, more,
                       sizeof *engine->run_free.items) &&
           vec_reserve((void **)&engine->dirty_runs.items, &engine->dirty_runs.capacity, more,
                       sizeof *engine->dirty_runs.items) &&
           vec_reserve((void **)&engine->due_runs.items, &engine->due_runs.capacity, more,
                       sizeof *engine->due_runs.items);
}

struct run *run_make(qk__engine *engine, qk_id id)
{
    struct run *run = run_find(engine, id);
    bool full = engine->run_map == NULL || engine->run_count >= (engine->run_mask + 1) / 2;
    if (run != NULL || !lists_grow(engine) || (full && !map_grow(engine)) ||
        (run = calloc(1, sizeof *run)) == NULL) {
        return run;
    }
    run->id = id;
    run->depth = 1;
    run->index = engine->run_free.count > 0 ? engine->run_free.items[--engine->run_free.count]
                                            : (uint32_t)engine->runs.count++;
    engine->runs.items[run->index] = run;
    engine->run_count++;
    map_put(engine, run->index);
    return run;
}

static void drop(uint32_t *items, size_t *count, uint32_t index)
{
    for (size_t i = *count; i-- > 0;) {
        if (items[i] == index) {
            items[i] = items[--*count];
        }
    }
}

static void free_one(struct run *run)
{
    free(run->name);
    free(run->about);
    free(run->definition);
    free(run->nodes);
    free(run);
}

void run_free(qk__engine *engine, struct run *run)
{
    if (run->dirty) {
        drop(engine->dirty_runs.items, &engine->dirty_runs.count, run->index);
    }
    if (run->due) {
        drop(engine->due_runs.items, &engine->due_runs.count, run->index);
    }
    map_remove(engine, run->id);
    engine->runs.items[run->index] = NULL;
    engine->run_free.items[engine->run_free.count++] = run->index;
    engine->run_count--;
    free_one(run);
}

void runs_free(qk__engine *engine)
{
    for (size_t i = 0; i < engine->runs.count; i++) {
        if (engine->runs.items[i] != NULL) {
            free_one(engine->runs.items[i]);
        }
    }
    free(engine->runs.items);
    free(engine->run_free.items);
    free(engine->dirty_runs.items);
    free(engine->due_runs.items);
    free(engine->run_map);
}

static bool is_node(const qk__engine *engine, const struct run *run, uint32_t index)
{
    return job_at(engine, index)->used && job_at(engine, index)->run == run->index;
}

/* Forgets nodes that have left the memory, once they are most. */
static void compact(const qk__engine *engine, struct run *run)
{
    size_t kept = 0;
    if (run->node_count < 32 || run->node_count < 2 * run->references) {
        return;
    }
    for (size_t i = 0; i < run->node_count; i++) {
        if (is_node(engine, run, run->nodes[i])) {
            run->nodes[kept++] = run->nodes[i];
        }
    }
    run->node_count = kept;
}

bool run_attach(qk__engine *engine, struct run *run, uint32_t index, bool count)
{
    struct job *job = job_at(engine, index);
    compact(engine, run);
    if (!vec_reserve((void **)&run->nodes, &run->node_capacity, run->node_count + 1,
                     sizeof *run->nodes)) {
        return false;
    }
    run->nodes[run->node_count++] = index;
    run->references++;
    job->run = run->index;
    if (count) {
        run_count(engine, job, 1);
    }
    return true;
}

void run_detach(qk__engine *engine, struct job *job)
{
    struct run *run = run_of(engine, job);
    if (run != NULL) {
        job->run = NIL;
        run->references--;
        run_release_ended(engine, run);
    }
}

void run_release_ended(qk__engine *engine, struct run *run)
{
    if (run->ended && run->durable_end && !run->dirty && run->references == 0) {
        run_free(engine, run);
    }
}

static bool is_bad(const qk__engine *engine, const struct job *job)
{
    const struct extra *extra = job->extra;
    if (job->status == QK_JOB_FAILED || job->status == QK_JOB_CANCELLED) {
        return !policy_of(engine, job)->continue_on_failure;
    }
    return job->status == QK_JOB_SKIPPED && extra != NULL && !qk_id_is_none(extra->cause) &&
           extra->cause_outside;
}

void run_count(qk__engine *engine, struct job *job, int by)
{
    struct run *run = run_of(engine, job);
    if (run == NULL) {
        return;
    }
    run->version++;
    if (by < 0) {
        run->counts[job->status]--;
        run->bad -= (job->flags & JF_BAD) != 0;
        job->flags &= (uint16_t)~JF_BAD;
    } else {
        run->counts[job->status]++;
        if (is_bad(engine, job)) {
            job->flags |= JF_BAD;
            run->bad++;
        }
    }
    if (!run->due) {
        run->due = true;
        engine->due_runs.items[engine->due_runs.count++] = run->index;
    }
}

void run_mark_dirty(qk__engine *engine, struct run *run)
{
    if (!run->dirty) {
        run->dirty = true;
        run->durable_end = false;
        engine->dirty_runs.items[engine->dirty_runs.count++] = run->index;
    }
}

static uint64_t live_of(const struct run *run)
{
    return run->counts[QK_JOB_PENDING] + run->counts[QK_JOB_DELAYED] + run->counts[QK_JOB_CLAIMED];
}

static uint8_t status_of(const struct run *run)
{
    if (run->ended) {
        return run->cancelled ? QK_RUN_CANCELLED : run->bad > 0 ? QK_RUN_FAILED : QK_RUN_DONE;
    }
    if (run->shown_paused) {
        return QK_RUN_PAUSED;
    }
    return run->started ? QK_RUN_RUNNING : QK_RUN_PENDING;
}

void run_review(qk__engine *engine, struct run *run, qk__now now)
{
    uint64_t live = live_of(run);
    bool waits = run->counts[QK_JOB_PENDING] + run->counts[QK_JOB_DELAYED] == live;
    uint64_t total = live;
    for (int s = QK_JOB_DONE; s < QK_JOB_STATUS_COUNT; s++) {
        total += run->counts[s];
    }
    run->started = run->started || !waits || total > live;
    if (live == 0 && !run->ended) {
        run->ended = true;
        run->paused = run->shown_paused = run->held = false;
        run->completed_us = now.wall_us;
        engine->changes++;
        run_mark_dirty(engine, run);
    }
    uint8_t status = status_of(run);
    if (status != run->status) {
        run->status = status;
        engine->changes++;
        run_mark_dirty(engine, run);
    }
    if (run->ended) {
        (void)node_finish(engine, run, now);
    }
}

void run_cancel_inside(qk__engine *engine, struct run *run, qk__now now)
{
    for (size_t i = 0; i < run->node_count; i++) {
        uint32_t index = run->nodes[i];
        if (is_node(engine, run, index) &&
            !qk_job_status_is_terminal(job_at(engine, index)->status)) {
            leave_place(engine, index);
            end_job(engine, index, QK_JOB_CANCELLED, now);
        }
    }
}

static void hold_nodes(qk__engine *engine, const struct run *run)
{
    for (size_t i = 0; i < run->node_count; i++) {
        uint32_t index = run->nodes[i];
        const struct job *job = job_at(engine, index);
        if (!is_node(engine, run, index) || job->status != QK_JOB_PENDING) {
            continue;
        }
        bool in_lane = (job->flags & JF_IN_LANE) != 0;
        if (run->held && in_lane) {
            lane_remove(engine, index);
        } else if (!run->held && !in_lane && links_readiness(engine, job) == QK__READY_START) {
            lane_push(engine, index);
            engine->changes++;
        }
    }
}

static int by_index(const void *a, const void *b)
{
    uint32_t left = *(const uint32_t *)a;
    uint32_t right = *(const uint32_t *)b;
    return left < right ? -1 : left > right;
}

/* Each node once: a place in memory that was freed and taken again by the same run, as with every
 * further image of a job in a replay, is listed twice. A walk through nested runs would double at
 * each level. */
static void tidy(const qk__engine *engine, struct run *run)
{
    size_t kept = 0;
    if (run->node_count > 0) {
        qsort(run->nodes, run->node_count, sizeof *run->nodes, by_index);
    }
    for (size_t i = 0; i < run->node_count; i++) {
        bool again = kept > 0 && run->nodes[kept - 1] == run->nodes[i];
        if (!again && is_node(engine, run, run->nodes[i])) {
            run->nodes[kept++] = run->nodes[i];
        }
    }
    run->node_count = kept;
}

/* Recursion ends with the nesting limit. */
void run_hold(qk__engine *engine, struct run *run)
{
    tidy(engine, run);
    uint32_t above = qk_id_is_none(run->parent_job) ? NIL : job_find(engine, run->parent_job);
    const struct job *node = above == NIL ? NULL : job_at(engine, above);
    const struct run *outer = node == NULL ? NULL : run_of(engine, node);
    bool waits = node == NULL || (node->flags & JF_WAITING) != 0;
    run->shown_paused = !run->ended && (run->paused || (outer != NULL && outer->shown_paused));
    run->held = run->paused || !waits || (outer != NULL && outer->held);
    hold_nodes(engine, run);
    if (!run->due) {
        run->due = true;
        engine->due_runs.items[engine->due_runs.count++] = run->index;
    }
    for (size_t i = 0; i < run->node_count; i++) {
        const struct job *job = job_at(engine, run->nodes[i]);
        if (!is_node(engine, run, run->nodes[i]) || job->extra == NULL ||
            qk_id_is_none(job->extra->child_run)) {
            continue;
        }
        struct run *child = run_find(engine, job->extra->child_run);
        if (child != NULL && !child->ended) {
            run_hold(engine, child);
        }
    }
}
