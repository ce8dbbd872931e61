/*
 * The end of a replay: dependencies are decided, the dead owner's claims taken back, the lanes
 * filled. Also what carries claims across a rebuild after a failed commit.
 */
#include "store/embedded/engine_internal.h"

#include <stdlib.h>
#include <string.h>

qk_status qk__engine_loaded_parents(qk__engine *engine, qk_id **out, size_t *count)
{
    qk_status rc = qk__engine_pinned(engine, out, count);
    size_t kept = 0;
    for (size_t i = 0; rc == QK_OK && i < *count; i++) {
        if (job_find(engine, (*out)[i]) == NIL) {
            (*out)[kept++] = (*out)[i];
        }
    }
    *count = kept;
    return rc;
}

static qk_status connect(qk__engine *engine, uint32_t index, const qk__cold_set *cold)
{
    struct extra *extra = job_at(engine, index)->extra;
    if (extra == NULL || extra->links == NULL || extra->links->parent_count == 0) {
        return QK_OK;
    }
    struct links *loaded = extra->links;
    qk_id *parents = malloc(loaded->parent_count * sizeof *parents);
    if (parents == NULL) {
        return QK_ENOMEM;
    }
    for (uint32_t i = 0; i < loaded->parent_count; i++) {
        parents[i] = loaded->parents[i].parent;
    }
    struct links *links = links_make(engine, parents, loaded->parent_count);
    free(parents);
    if (links == NULL) {
        return QK_ENOMEM;
    }
    /* It may be a parent itself, connected earlier: its children move along. */
    links->children = loaded->children;
    links->child_count = loaded->child_count;
    links->child_capacity = loaded->child_capacity;
    loaded->children = NULL;
    links_free(engine, loaded);
    extra->links = links;
    links_counted(engine, job_at(engine, index), 1);
    qk_id missing;
    qk_status rc = links_connect(engine, index, cold, &missing);
    return rc == QK_ENOTFOUND || rc == QK_EMPTY ? QK_OK : rc; /* waits for what is gone */
}

static int by_sequence(const void *a, const void *b)
{
    const struct job *left = *(struct job *const *)a;
    const struct job *right = *(struct job *const *)b;
    return left->seq < right->seq ? -1 : left->seq > right->seq;
}

static qk_status prepare(qk__engine *engine, uint32_t index, bool clean)
{
    struct job *job = job_at(engine, index);
    if (!clean) {
        job->flags |= JF_RECOVERED;
    }
    if (job->extra != NULL && job->extra->unique_key != NULL && !unique_insert(engine, index)) {
        return QK_ENOMEM;
    }
    if (!qk_job_status_is_terminal(job->status) && job->run != NIL && !run_of(engine, job)->known) {
        return QK_EDAMAGED; /* a job without its run */
    }
    if (job->status == QK_JOB_CLAIMED && !lease_reserve(engine)) {
        return QK_ENOMEM;
    }
    return lane_prepare(engine, job) ? QK_OK : QK_ENOMEM;
}

/* A claim of another process goes on, with its whole lease; that of this handle becomes the owner's. */
static bool keeps_claim(const qk__engine *engine, const struct job *job, qk__now now)
{
    struct extra *extra = job->extra;
    if (extra->holder.peer == 0 || extra->first_lease_us <= 0 || extra->worker == NIL) {
        return false;
    }
    if (extra->holder.peer == engine->config.peer) {
        extra->holder = (qk__holder){ 0 };
    }
    extra->lease_us = extra->first_lease_us;
    extra->deadline_us =
        extra->lease_us > INT64_MAX - now.mono_us ? INT64_MAX : now.mono_us + extra->lease_us;
    return true;
}

/* Which may have jumped since. */
static int64_t begun_by_wall(const struct extra *extra, qk__now now)
{
    int64_t gone = extra->claimed_us == 0 ? 0 : now.wall_us - extra->claimed_us;
    return now.mono_us - (gone > 0 ? gone : 0);
}

static qk_status take_back(qk__engine *engine, uint32_t index, qk__now now)
{
    struct job *job = job_at(engine, index);
    if ((job->flags & JF_HELD) == 0) {
        job->extra->begun_us = begun_by_wall(job->extra, now);
    }
    if ((job->flags & JF_WAITING) != 0) {
        bool dirty = (job->flags & JF_DIRTY) != 0;
        node_wait(engine, index, now);
        if (!dirty) { /* nothing has changed */
            job->flags &= (uint16_t)~JF_DIRTY;
            engine->dirty.count--;
        }
        return QK_OK;
    }
    if ((job->flags & JF_HELD) != 0) {
        job->flags &= (uint16_t)~JF_HELD;
        lease_push(engine, index);
        mark_dirty(engine, index);
        return QK_OK;
    }
    if (keeps_claim(engine, job, now)) {
        lease_push(engine, index);
        mark_dirty(engine, index);
        return QK_OK;
    }
    job->extra->lease_us = job->extra->deadline_us = INT64_MAX;
    if (job->extra->worker == NIL || !attempt_due_row(engine, index, now)) {
        return job->extra->worker == NIL ? QK_EDAMAGED : QK_ENOMEM;
    }
    lease_push(engine, index);
    lose_claim(engine, index, now);
    return QK_OK;
}

/* Delayed jobs come first: what ends among the claims may skip them, and then they must have their
 * place in the heap. */
static qk_status place_all(qk__engine *engine, struct job **jobs, size_t count, qk__now now)
{
    static const uint8_t order[] = { QK_JOB_DELAYED, QK_JOB_CLAIMED, QK_JOB_PENDING };
    for (size_t turn = 0; turn < sizeof order; turn++) {
        for (size_t i = 0; i < count; i++) {
            uint32_t index = job_find(engine, jobs[i]->id);
            uint8_t status = jobs[i]->status;
            bool placed = (jobs[i]->flags & (JF_IN_LANE | JF_IN_HEAP)) != 0;
            if (status != order[turn] || placed) {
                continue;
            }
            if (status != QK_JOB_CLAIMED) {
                place(engine, index);
                continue;
            }
            qk_status rc = take_back(engine, index, now);
            if (rc != QK_OK) {
                return rc;
            }
        }
    }
    settle_dependents(engine, now);
    return QK_OK;
}

qk_status qk__engine_loaded_runs(const qk__engine *engine, qk_id **out, size_t *count)
{
    *count = 0;
    *out = malloc((engine->runs.count + 1) * sizeof **out);
    for (size_t i = 0; *out != NULL && i < engine->runs.count; i++) {
        const struct run *run = engine->runs.items[i];
        if (run != NULL && run->known && !run->ended) {
            (*out)[(*count)++] = run->id;
        }
    }
    return *out == NULL ? QK_ENOMEM : QK_OK;
}

void qk__engine_run_facts(qk__engine *engine, const qk__run_facts *facts, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct run *run = run_find(engine, facts[i].id);
        for (int s = QK_JOB_DONE; run != NULL && s < QK_JOB_STATUS_COUNT; s++) {
            run->counts[s] += facts[i].counts[s];
        }
        if (run != NULL) {
            run->bad += facts[i].bad;
        }
    }
}

/* Runs that have ended go; the others are held or not. */
static void recover_runs(qk__engine *engine)
{
    for (size_t i = 0; i < engine->runs.count; i++) {
        struct run *run = engine->runs.items[i];
        if (run != NULL && (run->ended || !run->known) && run->references == 0) {
            run_free(engine, run);
        }
    }
    for (size_t i = 0; i < engine->runs.count; i++) {
        struct run *run = engine->runs.items[i];
        if (run != NULL) {
            run->epoch = engine->epoch;
            if (run->depth == 1 || job_find(engine, run->parent_job) == NIL) {
                run_hold(engine, run);
            }
        }
    }
}

qk_status qk__engine_recover(qk__engine *engine, qk__now now, bool clean, const qk__cold_set *cold)
{
    struct job **jobs = malloc((engine->used + 1) * sizeof *jobs);
    size_t count = 0;
    qk_status rc = jobs == NULL ? QK_ENOMEM : QK_OK;
    for (uint32_t i = 0; rc == QK_OK && i < engine->chunk_count * CHUNK_JOBS; i++) {
        struct job *job = job_at(engine, i);
        if (job->used) {
            job->flags |= engine->epoch ? JF_EPOCH : 0;
            jobs[count++] = job;
            rc = prepare(engine, i, clean);
            rc = rc == QK_OK ? connect(engine, i, cold) : rc;
        }
    }
    if (rc == QK_OK) {
        recover_runs(engine);
        order_all(engine);
        qsort(jobs, count, sizeof *jobs, by_sequence);
        rc = place_all(engine, jobs, count, now);
    }
    free(jobs);
    return rc;
}

qk_status qk__engine_give_back(qk__engine *engine, qk__now now, uint64_t peer)
{
    qk__engine_tick(engine, now); /* what has expired is lost, not given back */
    for (size_t i = 0; i < engine->leases.count; i++) {
        for (uint32_t index = engine->leases.items[i].head, next; index != NIL; index = next) {
            struct job *job = job_at(engine, index);
            next = job->next;
            if (job->extra->holder.peer != peer) {
                continue; /* another process runs it, and the next owner will hear of it */
            }
            qk_outcome back = { .lease = { job->id, job->attempt,
                                           engine->symbols.text[job->extra->worker] },
                                .verdict = QK_VERDICT_NACK };
            uint64_t gate;
            if (qk__engine_complete(engine, now, &back, &gate) != QK_OK) {
                return QK_ENOMEM;
            }
        }
    }
    return QK_OK;
}

void qk__engine_release(qk__engine *engine, qk__now now)
{
    /* Out of memory: the next owner takes them back. */
    engine->close_due = qk__engine_give_back(engine, now, 0) == QK_OK;
}

static bool is_held(const struct job *job)
{
    const struct extra *extra = job->extra;
    if (extra == NULL || (job->flags & JF_WAITING) != 0 ||
        (job->status != QK_JOB_CLAIMED && extra->closed_worker == NIL)) {
        return false;
    }
    return job->status == QK_JOB_CLAIMED || extra->closed_attempt == job->attempt;
}

static void copy_claim(const qk__engine *engine, const struct job *job, qk__held_claim *claim)
{
    const struct extra *extra = job->extra;
    uint32_t worker = job->status == QK_JOB_CLAIMED ? extra->worker : extra->closed_worker;
    int given_back =
        job->status != QK_JOB_CLAIMED && extra->closed_verdict == QK_VERDICT_NACK ? 1 : 0;
    *claim = (qk__held_claim){ .id = job->id,
                               .attempt = job->attempt,
                               .attempts = job->attempts + given_back,
                               .claimed_us = extra->claimed_us != 0 ? extra->claimed_us : 1,
                               .lease_us = extra->lease_us,
                               .holder = extra->holder,
                               .deadline_us = extra->deadline_us,
                               .begun_us = extra->begun_us };
    strncpy(claim->worker, engine->symbols.text[worker], sizeof claim->worker - 1);
}

qk_status qk__engine_held(const qk__engine *engine, qk__held_claim **out, size_t *count)
{
    qk__held_claim *claims = NULL;
    size_t capacity = 0;
    *count = 0;
    for (uint32_t i = 0; i < engine->chunk_count * CHUNK_JOBS; i++) {
        const struct job *job = job_at(engine, i);
        if (!job->used || !is_held(job)) {
            continue;
        }
        if (!vec_reserve((void **)&claims, &capacity, *count + 1, sizeof *claims)) {
            free(claims);
            return QK_ENOMEM;
        }
        copy_claim(engine, job, &claims[(*count)++]);
    }
    *out = claims;
    return QK_OK;
}

void qk__engine_hold(qk__engine *engine, const qk__held_claim *claim)
{
    uint32_t index = job_find(engine, claim->id);
    if (index == NIL) {
        return;
    }
    struct job *job = job_at(engine, index);
    if ((job->flags & JF_WAITING) != 0) {
        return;
    }
    bool same = job->status == QK_JOB_CLAIMED && job->attempt == claim->attempt;
    bool ahead = job->attempt < claim->attempt; /* the claim was not durable */
    struct extra *extra = same || ahead ? job_extra(engine, job) : NULL;
    uint32_t worker =
        extra == NULL ? NIL : symbol_make(engine, claim->worker, strlen(claim->worker));
    if (worker == NIL) {
        return; /* its report will be refused, and the job runs again */
    }
    /* How the claim ended that the disk knows is forgotten, but not that there was one. */
    if (ahead && job->status == QK_JOB_CLAIMED && extra->worker != NIL &&
        !attempt_row(engine, index, QK__ATTEMPT_LOST, (qk__now){ .wall_us = claim->claimed_us },
                     NULL)) {
        return;
    }
    if (ahead) {
        struct queue *queue = queue_of(engine, job);
        run_count(engine, job, -1);
        queue->counts[job->status]--;
        queue->counts[QK_JOB_CLAIMED]++;
        job->status = QK_JOB_CLAIMED;
        run_count(engine, job, 1);
        /* None is left charged if a person's retry, now forgotten, started the budget again. */
        job->attempts = claim->attempts > 0 ? claim->attempts : 1;
        job->attempt = claim->attempt;
        extra->claimed_us = claim->claimed_us;
    }
    extra->worker = worker;
    extra->holder = claim->holder;
    extra->lease_us = extra->first_lease_us = claim->lease_us;
    extra->deadline_us = claim->deadline_us;
    extra->begun_us = claim->begun_us;
    job->flags |= JF_HELD;
}
