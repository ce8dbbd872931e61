/*
 * Enqueue: all jobs of a batch or none.
 *
 * First every job is made with all the memory it needs, which can fail and is then undone; then all
 * are placed, which cannot.
 */
#include "store/embedded/engine_internal.h"

#include "util/error.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int compare_ids(const void *a, const void *b)
{
    return memcmp(a, b, sizeof(qk_id));
}

static bool is_known(const qk__engine *engine, qk_id id, const qk__cold_set *known)
{
    return job_find(engine, id) != NIL || cold_find(known, id) != NULL;
}

/* Leaves out parents that are earlier jobs of the batch itself. */
static size_t drop_own(qk_id *missing, size_t count, const qk__new_job *jobs, size_t job_count)
{
    qk_id *own = count == 0 ? NULL : malloc(job_count * sizeof *own);
    size_t kept = 0;
    if (own == NULL) {
        return count; /* asking for too many is harmless */
    }
    for (size_t i = 0; i < job_count; i++) {
        own[i] = jobs[i].id;
    }
    qsort(own, job_count, sizeof *own, compare_ids);
    for (size_t i = 0; i < count; i++) {
        if (bsearch(&missing[i], own, job_count, sizeof *own, compare_ids) == NULL) {
            missing[kept++] = missing[i];
        }
    }
    free(own);
    return kept;
}

qk_status qk__engine_missing(const qk__engine *engine, const qk__new_job *jobs, size_t count,
                             const qk__cold_set *known, qk_id **missing, size_t *missing_count)
{
    VEC(qk_id) given = { 0 };
    VEC(qk_id) parents = { 0 };
    for (size_t i = 0; i < count; i++) {
        if (!VEC_RESERVE(given, 1) || !VEC_RESERVE(parents, jobs[i].needs_count)) {
            free(given.items);
            free(parents.items);
            return QK_ENOMEM;
        }
        if (jobs[i].id_given && !is_known(engine, jobs[i].id, known)) {
            given.items[given.count++] = jobs[i].id;
        }
        for (size_t j = 0; j < jobs[i].needs_count; j++) {
            if (!is_known(engine, jobs[i].needs[j], known)) {
                parents.items[parents.count++] = jobs[i].needs[j];
            }
        }
    }
    parents.count = drop_own(parents.items, parents.count, jobs, count);
    size_t total = given.count + parents.count;
    qk_id *grown = realloc(*missing, (*missing_count + total + 1) * sizeof **missing);
    if (grown != NULL) {
        *missing = grown;
        if (given.count > 0) {
            memcpy(grown + *missing_count, given.items, given.count * sizeof *grown);
        }
        if (parents.count > 0) {
            memcpy(grown + *missing_count + given.count, parents.items,
                   parents.count * sizeof *grown);
        }
        *missing_count += total;
    }
    free(given.items);
    free(parents.items);
    return grown == NULL ? QK_ENOMEM : QK_OK;
}

/* QK_OK with *found: the job exists already, as *out says. */
static qk_status find_existing(qk__engine *engine, qk_enqueued *out, const qk__new_job *job,
                               const qk__cold_set *cold, bool *found)
{
    const char *kind = NULL;
    const char *queue = NULL;
    uint32_t index = job_find(engine, job->id);
    *found = true;
    if (index != NIL && !job->id_given) {
        return QK_ECONFLICT; /* said to be new, and is not */
    }
    if (index != NIL) {
        const struct policy *policy = policy_of(engine, job_at(engine, index));
        kind = engine->symbols.text[policy->kind];
        queue = engine->symbols.text[engine->queues.items[policy->queue]->name];
    } else if (job->id_given) {
        const qk__cold_job *ended = cold_find(cold, job->id);
        if (ended == NULL) {
            return QK_EMPTY;
        }
        kind = ended->found ? ended->kind : NULL;
        queue = ended->queue;
    }
    *out = (qk_enqueued){ job->id, true };
    if (kind != NULL) {
        bool same = strcmp(kind, job->kind) == 0 && strcmp(queue, job->queue) == 0;
        return same ? QK_OK : QK_ECONFLICT;
    }
    uint32_t holder = job->unique_key == NULL ? NIL : unique_find(engine, job->unique_key);
    if (holder != NIL) {
        out->id = job_at(engine, holder)->id;
        return QK_OK;
    }
    *out = (qk_enqueued){ job->id, false };
    *found = false;
    return QK_OK;
}

static bool has_room(const qk__engine *engine, const struct queue *queue, const qk__new_job *job)
{
    uint64_t waiting =
        queue->counts[QK_JOB_PENDING] + queue->counts[QK_JOB_DELAYED] + queue->adding;
    return job->ignore_backpressure || waiting < engine->config.backpressure_limit;
}

/* One warning each time a queue grows past the mark. */
static void warn_of(qk__engine *engine, uint32_t queue_index)
{
    struct queue *queue = engine->queues.items[queue_index];
    uint64_t waiting = queue->counts[QK_JOB_PENDING] + queue->counts[QK_JOB_DELAYED];
    if (waiting < engine->config.backpressure_warn) {
        queue->warned = false;
    } else if (!queue->warned) {
        queue->warned = true;
        engine->warned_queue = queue_index;
        engine->counters.backpressure_warnings++;
    }
}

uint32_t route_make(qk__engine *engine, uint32_t kind, const char *factory)
{
    char route[QK_NAME_MAX + 5];
    if (factory == NULL || kind == NIL) {
        return kind;
    }
    int length = snprintf(route, sizeof route, "dag:%s", factory);
    return symbol_make(engine, route, (size_t)length);
}

static qk_status fill_policy(qk__engine *engine, struct job *job, const qk__new_job *wanted)
{
    uint32_t kind = symbol_make(engine, wanted->kind, strlen(wanted->kind));
    struct policy policy = { .kind = kind,
                             .route = route_make(engine, kind, wanted->factory),
                             .queue = queue_make(engine, wanted->queue, strlen(wanted->queue)),
                             .max_attempts = wanted->max_attempts,
                             .max_lost = wanted->max_lost,
                             .timeout_us = wanted->timeout_us,
                             .backoff_base_us = wanted->backoff_base_us,
                             .backoff_cap_us = wanted->backoff_cap_us,
                             .backoff_factor = wanted->backoff_factor,
                             .mode = wanted->mode,
                             .continue_on_failure = wanted->continue_on_failure };
    if (policy.kind == NIL || policy.route == NIL || policy.queue == NIL) {
        return QK_ENOMEM;
    }
    job->policy = policy_make(engine, &policy);
    return job->policy == NIL || !lane_prepare(engine, job) ? QK_ENOMEM : QK_OK;
}

static qk_status fill_payload(qk__engine *engine, struct job *job, const qk__new_job *wanted)
{
    job->payload = malloc(wanted->payload_length + (wanted->payload_length == 0));
    if (job->payload == NULL) {
        return QK_ENOMEM;
    }
    memcpy(job->payload, wanted->payload, wanted->payload_length);
    job->payload_length = (uint32_t)wanted->payload_length;
    if (wanted->payload_length > QK__PAYLOAD_INLINE_MAX) {
        job->flags |= JF_LARGE | JF_PAYLOAD_DUE;
        engine->payload_resident += wanted->payload_length;
    }
    return QK_OK;
}

static qk_status fill_extra(qk__engine *engine, uint32_t index, const qk__new_job *wanted,
                            const qk__cold_set *cold, qk_id *missing)
{
    struct job *job = job_at(engine, index);
    if (wanted->unique_key == NULL && wanted->name == NULL && wanted->tags == NULL &&
        wanted->needs_count == 0 && wanted->node == NULL && job->status != QK_JOB_DELAYED) {
        return QK_OK;
    }
    struct extra *extra = job_extra(engine, job);
    if (extra == NULL) {
        return QK_ENOMEM;
    }
    extra->name = copy_text(wanted->name);
    extra->tags = copy_text(wanted->tags);
    extra->unique_key = copy_text(wanted->unique_key);
    extra->node = copy_text(wanted->node);
    extra->when = copy_text(wanted->when);
    if ((extra->name == NULL) != (wanted->name == NULL) ||
        (extra->tags == NULL) != (wanted->tags == NULL) ||
        (extra->node == NULL) != (wanted->node == NULL) ||
        (extra->when == NULL) != (wanted->when == NULL) ||
        (extra->unique_key == NULL) != (wanted->unique_key == NULL)) {
        return QK_ENOMEM;
    }
    if (wanted->needs_count > 0) {
        extra->links = links_make(engine, wanted->needs, wanted->needs_count);
        if (extra->links == NULL) {
            return QK_ENOMEM;
        }
        job->flags |= JF_EDGES_DUE;
        qk_status rc = links_connect(engine, index, cold, missing);
        if (rc != QK_OK) {
            return rc;
        }
    }
    if (extra->unique_key != NULL && !unique_insert(engine, index)) {
        free(extra->unique_key);
        extra->unique_key = NULL;
        return QK_ENOMEM;
    }
    return QK_OK;
}

static qk_status make_job(qk__engine *engine, qk__now now, uint32_t *out, const qk__new_job *wanted,
                          struct run *run, const qk__cold_set *cold, qk_id *missing)
{
    uint32_t index = job_new(engine, wanted->id);
    *out = index;
    if (index == NIL) {
        return QK_ENOMEM;
    }
    struct job *job = job_at(engine, index);
    int64_t due = wanted->delay_us > 0 ? now.wall_us + wanted->delay_us : wanted->execute_after_us;
    job->created_us = now.wall_us;
    job->priority = wanted->priority;
    job->status = due > now.wall_us ? QK_JOB_DELAYED : QK_JOB_PENDING;
    job->flags =
        (uint16_t)(JF_NEW | (wanted->strict ? JF_STRICT : 0) | (engine->epoch ? JF_EPOCH : 0));
    qk_status rc = fill_policy(engine, job, wanted);
    if (rc == QK_OK && run != NULL) {
        rc = run_attach(engine, run, index, false) ? QK_OK : QK_ENOMEM;
    }
    if (rc == QK_OK) {
        rc = fill_payload(engine, job, wanted);
    }
    if (rc == QK_OK) {
        rc = fill_extra(engine, index, wanted, cold, missing);
    }
    if (rc == QK_OK && !has_room(engine, queue_of(engine, job), wanted)) {
        rc = QK_EBACKPRESSURE;
    }
    if (rc == QK_OK) {
        queue_of(engine, job)->adding++;
        if (job->status == QK_JOB_DELAYED) {
            job->extra->execute_after_us = due;
        }
    }
    return rc;
}

static void undo_job(qk__engine *engine, uint32_t index)
{
    struct job *job = job_at(engine, index);
    if (job->extra != NULL && job->extra->unique_key != NULL) {
        unique_remove(engine, index);
    }
    job_release(engine, index);
}

static void place_job(qk__engine *engine, uint32_t index)
{
    struct job *job = job_at(engine, index);
    struct queue *queue = queue_of(engine, job);
    queue->adding--;
    queue->counts[job->status]++;
    warn_of(engine, policy_of(engine, job)->queue);
    run_count(engine, job, 1);
    job->seq = ++engine->seq;
    job->born = (uint32_t)engine->batch;
    engine->fresh.items[engine->fresh.count++] = index;
    engine->counters.enqueued++;
    links_counted(engine, job, 1);
    mark_dirty(engine, index);
    place(engine, index);
}

/* Parents of the batch itself are not asked for: one that is not made before its child, or not at
 * all because it is a duplicate, is no job. */
static bool is_of_batch(const qk__new_job *jobs, size_t count, qk_id id)
{
    for (size_t i = 0; i < count; i++) {
        if (compare_ids(&jobs[i].id, &id) == 0) {
            return true;
        }
    }
    return false;
}

static qk_status explain(qk_error *err, qk_status rc, const qk__new_job *job, size_t index,
                         size_t count, qk_id missing)
{
    char text[QK_ID_TEXT_SIZE];
    char where[32] = "";
    if (count > 1) {
        snprintf(where, sizeof where, "job %zu: ", index);
    }
    switch (rc) {
    case QK_EBACKPRESSURE:
        return qk__error(err, rc, "%squeue '%s' is full: wait until it empties", where, job->queue);
    case QK_ECONFLICT:
        return qk__error(err, rc, "%sid %s exists with another kind or queue: use a new id", where,
                         qk_id_format(text, job->id));
    case QK_ENOTFOUND:
        return qk__error(err, rc, "%sparent %s does not exist: enqueue it first", where,
                         qk_id_format(text, missing));
    case QK_EINVAL:
        return qk__error(err, rc, "%sjob %s needs itself: remove that dependency", where,
                         qk_id_format(text, missing));
    case QK_ENOMEM:
        return qk__error(err, rc, "%sout of memory: enqueue fewer jobs at once", where);
    default:
        return rc;
    }
}

qk_status enqueue_jobs(qk__engine *engine, qk__now now, qk_enqueued *out, const qk__new_job *jobs,
                       size_t count, struct run *run, const qk__cold_set *cold, qk_error *err)
{
    uint32_t *made = malloc((count + 1) * sizeof *made);
    size_t made_count = 0;
    qk_status rc = made == NULL ? QK_ENOMEM : QK_OK;
    qk_id missing = { { 0 } };
    size_t i = 0;
    for (; rc == QK_OK && i < count; i++) {
        bool found = false;
        rc = find_existing(engine, &out[i], &jobs[i], cold, &found);
        if (rc == QK_OK && !found) {
            rc = make_job(engine, now, &made[made_count], &jobs[i], run, cold, &missing);
            made_count += made[made_count] != NIL;
            if (rc == QK_EMPTY && is_of_batch(jobs, count, missing)) {
                rc = QK_ENOTFOUND;
            }
        }
    }
    if (rc != QK_OK) {
        for (size_t k = 0; k < engine->queues.count; k++) {
            engine->queues.items[k]->adding = 0;
        }
        while (made_count > 0) {
            undo_job(engine, made[--made_count]);
        }
        explain(err, rc, &jobs[i > 0 ? i - 1 : 0], i > 0 ? i - 1 : 0, count, missing);
    }
    for (size_t k = 0; k < made_count; k++) {
        place_job(engine, made[k]);
    }
    settle_dependents(engine, now);
    free(made);
    return rc;
}

qk_status qk__engine_enqueue(qk__engine *engine, qk__now now, qk_enqueued *out,
                             const qk__new_job *jobs, size_t count, const qk__cold_set *cold,
                             qk_error *err)
{
    return enqueue_jobs(engine, now, out, jobs, count, NULL, cold, err);
}
