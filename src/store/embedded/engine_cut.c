/*
 * Cuts: everything that changed since the last one, as rows, without copying text.
 *
 * Rows borrow text from jobs. A job that ended stays until the cut with its last image is finished,
 * and text that is replaced meanwhile is retired into the next cut, so what a cut refers to lives
 * until it is finished (invariant 7).
 *
 * long file: all that goes into a cut and what follows when it is durable, which must agree.
 */
#include "store/embedded/engine_internal.h"

#include <stdlib.h>
#include <string.h>

#define CARRY_PER_CUT 20000u

struct qk__cut_private {
    uint32_t *fresh, *ended;
    size_t fresh_count, ended_count;
    void **retired;
    size_t retired_count;
    struct loose_row *loose;
    size_t loose_count;
    qk__buffer ext;
    size_t capacity; /* of rows */
    size_t carried_capacity;
    uint32_t *runs; /* whose images are in it */
    size_t run_count;
    uint32_t carry_cursor; /* where the next cut goes on */
};

bool qk__engine_dirty(const qk__engine *engine)
{
    if (engine->dirty.count > 0 || engine->dirty_runs.count > 0 || engine->loose.count > 0 ||
        engine->carrying || engine->close_due) {
        return true;
    }
    for (size_t i = 0; i < engine->queues.count; i++) {
        if (engine->queues.items[i]->settings_due) {
            return true;
        }
    }
    for (size_t i = 0; i < engine->workers.count; i++) {
        if (engine->workers.items[i].due) {
            return true;
        }
    }
    return false;
}

size_t qk__engine_dirty_count(const qk__engine *engine)
{
    return engine->dirty.count + engine->loose.count;
}

uint64_t qk__engine_batch(const qk__engine *engine)
{
    return engine->batch;
}

void qk__engine_carry_start(qk__engine *engine)
{
    engine->epoch = !engine->epoch;
    engine->carrying = true;
    engine->carry_cursor = 0;
    for (size_t i = 0; i < engine->queues.count; i++) {
        struct queue *queue = engine->queues.items[i];
        queue->settings_due |= queue->paused || queue->settings != NULL;
    }
    workers_carry(engine);
}

bool qk__engine_carrying(const qk__engine *engine)
{
    return engine->carrying;
}

static qk__row *next_row(qk__cut *cut)
{
    if (!vec_reserve((void **)&cut->rows, &cut->private_data->capacity, cut->count + 1,
                     sizeof *cut->rows)) {
        return NULL;
    }
    qk__row *row = &cut->rows[cut->count++];
    memset(row, 0, sizeof *row);
    return row;
}

static bool payload_row(const struct job *job, qk__cut *cut)
{
    qk__row *row = next_row(cut);
    if (row == NULL) {
        return false;
    }
    row->op = QK__OP_PAYLOAD;
    row->id = job->id;
    row->payload = (qk__text){ job->payload, job->payload_length };
    return true;
}

static bool edge_rows(const struct job *job, qk__cut *cut)
{
    const struct links *links = job->extra == NULL ? NULL : job->extra->links;
    for (uint32_t i = 0; links != NULL && i < links->parent_count; i++) {
        qk__row *row = next_row(cut);
        if (row == NULL) {
            return false;
        }
        row->op = QK__OP_EDGE;
        row->id = job->id;
        row->related = links->parents[i].parent;
    }
    return true;
}

static bool carry_payload(qk__cut *cut, qk_id id)
{
    if (!vec_reserve((void **)&cut->carried_payloads, &cut->private_data->carried_capacity,
                     cut->carried_count + 1, sizeof *cut->carried_payloads)) {
        return false;
    }
    cut->carried_payloads[cut->carried_count++] = id;
    return true;
}

/* An image, and the rows that have to stand in the same journal. */
static bool job_rows(const qk__engine *engine, const struct job *job, bool carried, qk__cut *cut)
{
    qk__row *row = next_row(cut);
    if (row == NULL || image_row(engine, job, row, &cut->private_data->ext) != QK_OK) {
        return false;
    }
    if ((job->flags & JF_LARGE) != 0) {
        if ((job->flags & JF_PAYLOAD_DUE) != 0 || (carried && job->payload != NULL)) {
            if (!payload_row(job, cut)) {
                return false;
            }
        } else if (carried && !carry_payload(cut, job->id)) {
            return false;
        }
    }
    return (!carried && (job->flags & JF_EDGES_DUE) == 0) || edge_rows(job, cut);
}

static bool in_other_journal(const qk__engine *engine, const struct job *job)
{
    return ((job->flags & JF_EPOCH) != 0) != engine->epoch;
}

static bool dirty_rows(qk__engine *engine, qk__cut *cut)
{
    for (size_t i = 0; i < engine->dirty.count; i++) {
        const struct job *job = job_at(engine, engine->dirty.items[i]);
        if (!job_rows(engine, job, in_other_journal(engine, job), cut)) {
            return false;
        }
    }
    return true;
}

static bool carried_rows(qk__engine *engine, qk__cut *cut)
{
    uint32_t cursor = engine->carry_cursor;
    uint32_t end = engine->chunk_count * CHUNK_JOBS;
    uint32_t carried = 0;
    for (; engine->carrying && cursor < end && carried < CARRY_PER_CUT; cursor++) {
        const struct job *job = job_at(engine, cursor);
        if (job->used && (job->flags & JF_DIRTY) == 0 && in_other_journal(engine, job) &&
            !qk_job_status_is_terminal(job->status)) {
            carried++;
            if (!job_rows(engine, job, true, cut)) {
                return false;
            }
        }
    }
    cut->private_data->carry_cursor = cursor;
    cut->carry_complete = engine->carrying && cursor >= end;
    return true;
}

static bool one_run_row(const qk__engine *engine, const struct run *run, qk__cut *cut)
{
    qk__row *row = next_row(cut);
    bool moves = run->epoch != engine->epoch;
    if (row == NULL || !run_row(run, row, &cut->private_data->ext)) {
        return false;
    }
    cut->private_data->runs[cut->private_data->run_count++] = run->index;
    if (!run->has_definition || (!run->definition_due && !moves)) {
        return true;
    }
    if (run->definition == NULL) {
        return carry_payload(cut, run->id);
    }
    row = next_row(cut);
    if (row == NULL) {
        return false;
    }
    row->op = QK__OP_PAYLOAD;
    row->id = run->id;
    row->payload = (qk__text){ run->definition, (uint32_t)run->definition_length };
    return true;
}

/* All of them at once when a carry begins: they are few beside their jobs. */
static bool run_rows(qk__engine *engine, qk__cut *cut)
{
    bool carry = engine->carrying && engine->carry_cursor == 0;
    for (size_t i = 0; carry && i < engine->runs.count; i++) {
        const struct run *run = engine->runs.items[i];
        if (run != NULL && !run->dirty && !run->ended && run->epoch != engine->epoch &&
            !one_run_row(engine, run, cut)) {
            return false;
        }
    }
    for (size_t i = 0; i < engine->dirty_runs.count; i++) {
        if (!one_run_row(engine, engine->runs.items[engine->dirty_runs.items[i]], cut)) {
            return false;
        }
    }
    return true;
}

static bool other_rows(qk__engine *engine, qk__cut *cut)
{
    qk__row *row = NULL;
    for (size_t i = 0; i < engine->loose.count; i++) {
        if ((row = next_row(cut)) == NULL) {
            return false;
        }
        *row = engine->loose.items[i].row;
    }
    for (size_t i = 0; i < engine->queues.count; i++) {
        if (engine->queues.items[i]->settings_due) {
            if ((row = next_row(cut)) == NULL) {
                return false;
            }
            queue_row(engine, engine->queues.items[i], row);
        }
    }
    for (size_t i = 0; i < engine->workers.count; i++) {
        if (engine->workers.items[i].due) {
            if ((row = next_row(cut)) == NULL) {
                return false;
            }
            worker_row(engine, &engine->workers.items[i], row);
        }
    }
    if (engine->close_due) {
        if ((row = next_row(cut)) == NULL) {
            return false;
        }
        row->op = QK__OP_CLOSE;
    }
    return true;
}

/* The buffer of ext texts has stopped moving: offsets become pointers. */
static void fix_texts(qk__cut *cut)
{
    for (size_t i = 0; i < cut->count; i++) {
        qk__row *row = &cut->rows[i];
        if ((row->op <= QK__OP_REOPEN || row->op == QK__OP_RUN) && row->ext.data != NULL) {
            row->ext.data = cut->private_data->ext.data + ((uintptr_t)row->ext.data - 1);
        }
    }
}

/* A payload may leave the memory once its row is durable. */
static bool may_evict(const qk__engine *engine, const struct job *job)
{
    return (job->flags & (JF_LARGE | JF_PAYLOAD_DUE)) == JF_LARGE && job->payload != NULL &&
           engine->payload_resident > engine->config.payload_cache;
}

static void clean_job(qk__engine *engine, struct job *job)
{
    bool evict = may_evict(engine, job);
    job->flags &= (uint16_t) ~(JF_DIRTY | JF_REOPENED | JF_PAYLOAD_DUE | JF_EDGES_DUE | JF_EPOCH);
    job->flags |= engine->epoch ? JF_EPOCH : 0;
    if (evict) {
        engine->retired.items[engine->retired.count++] = job->payload;
        engine->payload_resident -= job->payload_length;
        job->payload = NULL;
    }
}

static size_t copy_indexes(uint32_t *to, const uint32_t *from, size_t count)
{
    if (count > 0) {
        memcpy(to, from, count * sizeof *to);
    }
    return count;
}

/* Nothing can fail from here on. */
static void take(qk__engine *engine, qk__cut *cut)
{
    struct qk__cut_private *own = cut->private_data;
    for (size_t i = 0; i < engine->dirty.count; i++) {
        clean_job(engine, job_at(engine, engine->dirty.items[i]));
    }
    for (uint32_t i = engine->carry_cursor; engine->carrying && i < own->carry_cursor; i++) {
        if (job_at(engine, i)->used && in_other_journal(engine, job_at(engine, i))) {
            clean_job(engine, job_at(engine, i));
        }
    }
    engine->carry_cursor = own->carry_cursor;
    engine->carrying = engine->carrying && !cut->carry_complete;
    engine->dirty.count = 0;
    for (size_t i = 0; i < own->run_count; i++) {
        struct run *run = engine->runs.items[own->runs[i]];
        run->dirty = run->reopened = run->definition_due = false;
        run->epoch = engine->epoch;
    }
    engine->dirty_runs.count = 0;
    own->fresh_count = copy_indexes(own->fresh, engine->fresh.items, engine->fresh.count);
    own->ended_count = copy_indexes(own->ended, engine->ended.items, engine->ended.count);
    own->retired = engine->retired.items;
    own->retired_count = engine->retired.count;
    own->loose = engine->loose.items;
    own->loose_count = engine->loose.count;
    cut->reopened = engine->reopened.items;
    cut->reopened_count = engine->reopened.count;
    memset(&engine->retired, 0, sizeof engine->retired);
    memset(&engine->loose, 0, sizeof engine->loose);
    memset(&engine->reopened, 0, sizeof engine->reopened);
    engine->fresh.count = engine->ended.count = engine->notified = 0;
    for (size_t i = 0; i < engine->queues.count; i++) {
        engine->queues.items[i]->settings_due = false;
    }
    for (size_t i = 0; i < engine->workers.count; i++) {
        engine->workers.items[i].due = false;
    }
    engine->close_due = false;
    cut->batch = engine->batch++;
}

qk__cut *qk__engine_cut(qk__engine *engine)
{
    qk__cut *cut = calloc(1, sizeof *cut);
    struct qk__cut_private *own = calloc(1, sizeof *own);
    if (cut == NULL || own == NULL) {
        free(cut);
        free(own);
        return NULL;
    }
    cut->private_data = own;
    qk__buffer_init(&own->ext, SIZE_MAX / 2);
    own->fresh = malloc((engine->fresh.count + 1) * sizeof *own->fresh);
    own->ended = malloc((engine->ended.count + 1) * sizeof *own->ended);
    own->runs = malloc((engine->runs.count + 1) * sizeof *own->runs);
    if (own->fresh == NULL || own->ended == NULL || own->runs == NULL ||
        !vec_reserve((void **)&cut->rows, &own->capacity,
                     engine->dirty.count + engine->loose.count + 1, sizeof *cut->rows) ||
        !run_rows(engine, cut) || !dirty_rows(engine, cut) || !carried_rows(engine, cut) ||
        !other_rows(engine, cut) || !retire_reserve(engine, engine->dirty.count + CARRY_PER_CUT)) {
        qk__engine_drop_cut(cut);
        return NULL;
    }
    fix_texts(cut);
    take(engine, cut);
    return cut;
}

static void forget(qk__engine *engine, const qk__cut *cut)
{
    const struct qk__cut_private *own = cut->private_data;
    for (size_t i = 0; i < own->fresh_count; i++) {
        struct job *job = job_at(engine, own->fresh[i]);
        job->flags &= (uint16_t)~JF_NEW;
        if (may_evict(engine, job)) {
            engine->payload_resident -= job->payload_length;
            free(job->payload);
            job->payload = NULL;
        }
    }
    for (size_t i = 0; i < cut->reopened_count; i++) {
        uint32_t index = job_find(engine, cut->reopened[i]);
        if (index != NIL && (job_at(engine, index)->flags & JF_REOPENED) == 0) {
            job_at(engine, index)->flags &= (uint16_t)~JF_UNSETTLED_REOPEN;
        }
    }
    for (size_t i = 0; i < own->ended_count; i++) {
        struct job *job = job_at(engine, own->ended[i]);
        if (job->used && qk_job_status_is_terminal(job->status) && (job->flags & JF_DIRTY) == 0) {
            job_release(engine, own->ended[i]);
        } else if (job->used && (job->flags & JF_REOPENED) != 0) {
            job->flags |= JF_UNSETTLED_REOPEN; /* it came back while its end was under way */
        }
    }
}

/* Its index may be another's by now only if it was freed, and then nothing is left to do for it. */
static void forget_runs(qk__engine *engine, const struct qk__cut_private *own)
{
    for (size_t i = 0; i < own->run_count; i++) {
        struct run *run = engine->runs.items[own->runs[i]];
        if (run == NULL) {
            continue;
        }
        if (!run->definition_due) {
            free(run->definition);
            run->definition = NULL;
        }
        run->durable_end = run->ended && !run->dirty;
        run_release_ended(engine, run);
    }
}

void qk__engine_finish(qk__engine *engine, qk__cut *cut)
{
    forget(engine, cut);
    forget_runs(engine, cut->private_data);
    qk__engine_drop_cut(cut);
}

void qk__engine_drop_cut(qk__cut *cut)
{
    if (cut == NULL) {
        return;
    }
    struct qk__cut_private *own = cut->private_data;
    for (size_t i = 0; i < own->retired_count; i++) {
        free(own->retired[i]);
    }
    for (size_t i = 0; i < own->loose_count; i++) {
        free(own->loose[i].memory);
    }
    free(own->fresh);
    free(own->ended);
    free(own->runs);
    free(own->retired);
    free(own->loose);
    qk__buffer_dispose(&own->ext);
    free(own);
    free(cut->rows);
    free(cut->reopened);
    free(cut->carried_payloads);
    free(cut);
}
