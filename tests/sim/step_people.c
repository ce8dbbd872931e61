/*
 * Enqueue, and what people do: cancel, retry, pause; and a worker's announcement.
 */
#include "step.h"

#include <stdlib.h>
#include <string.h>

#define BATCH_MAX 8
#define NEEDS_MAX 4

struct batch {
    qk__new_job jobs[BATCH_MAX];
    struct model_spec specs[BATCH_MAX];
    qk_id needs[BATCH_MAX][NEEDS_MAX];
    struct known_job *known[BATCH_MAX];
    size_t count;
};

static struct known_job *invent(struct world *world)
{
    if (world->job_count == JOBS_MAX) {
        return NULL;
    }
    uint32_t index = (uint32_t)world->job_count;
    struct known_job *job = &world->jobs[world->job_count++];
    uint64_t mixed = random_next(world);
    memcpy(job->id.bytes, &mixed, 8); /* ids sort at random */
    memcpy(job->id.bytes + 12, &index, sizeof index);
    strcpy(job->kind, sim_kinds[pick(world, KINDS)]);
    strcpy(job->queue, sim_queues[pick(world, QUEUES)]);
    job->strict = chance(world, 8);
    size_t filler = chance(world, 15) ? 200 + pick(world, 400) : 0;
    job->payload_length = (size_t)snprintf(job->payload, sizeof job->payload,
                                           "{\"n\":%u,\"f\":\"%0*d\"}", index, (int)filler, 0);
    return job;
}

static void fill_times(struct world *world, struct model_spec *spec)
{
    if (chance(world, 12)) {
        spec->delay_us = (int64_t)(1 + pick(world, 3000)) * 1000;
    } else if (chance(world, 8)) {
        spec->execute_after_us = world->now.wall_us + ((int64_t)pick(world, 4000) - 2000) * 1000;
    }
}

static void fill_limits(struct world *world, struct model_spec *spec)
{
    static const int64_t timeouts[] = { 300000000, 300000000, 1000000, 3000000, QK_FOREVER_US };
    static const int64_t bases[] = { 1000000, 1000000, 0, 2000, 400000 };
    static const double factors[] = { 2.0, 2.0, 1.0, 1.5, 10.0 };
    static const int64_t caps[] = { 3600000000, 3600000000, 1500000 };
    spec->priority = chance(world, 60) ? QK_PRIORITY_DEFAULT : (int)pick(world, 101);
    spec->max_attempts = chance(world, 60) ? 3 : 1 + (int)pick(world, 4);
    spec->max_lost = chance(world, 60) ? 3 : 1 + (int)pick(world, 4);
    spec->timeout_us = timeouts[pick(world, 5)];
    spec->backoff_base_us = bases[pick(world, 5)];
    spec->backoff_factor = factors[pick(world, 5)];
    spec->backoff_cap_us = caps[pick(world, 3)];
}

static qk_id pick_parent(struct world *world, const struct batch *batch, size_t at)
{
    size_t recent = world->job_count < 24 ? world->job_count : 24;
    if (at > 0 && chance(world, 40)) {
        return batch->specs[pick(world, at)].id;
    }
    if (chance(world, 1)) {
        return (qk_id){ { 0xff, 0xff, (uint8_t)at } }; /* unheard of */
    }
    /* May be one whose enqueue a crash undid, too. */
    size_t back = 1 + pick(world, chance(world, 70) ? recent : world->job_count);
    const struct known_job *known = &world->jobs[world->job_count - back];
    return known->exists || chance(world, 3) ? known->id : model_at(world->model, 0)->id;
}

static void fill_needs(struct world *world, struct batch *batch, size_t at)
{
    struct model_spec *spec = &batch->specs[at];
    static const qk_dependency_mode modes[] = { QK_MODE_ALL,        QK_MODE_ALL,
                                                QK_MODE_ANY,        QK_MODE_ALL_DONE,
                                                QK_MODE_ONE_FAILED, QK_MODE_NONE_FAILED };
    bool crowded = world->few_rooms && batch->count > 1;
    spec->mode = modes[pick(world, 6)];
    spec->continue_on_failure = chance(world, 20);
    if (crowded || model_size(world->model) == 0 || !chance(world, 45)) {
        return;
    }
    size_t count = 1 + pick(world, NEEDS_MAX);
    for (size_t i = 0; i < count; i++) {
        qk_id parent = pick_parent(world, batch, at);
        if (!same_id(parent, spec->id)) {
            batch->needs[at][spec->needs_count++] = parent;
        }
    }
    spec->needs = spec->needs_count > 0 ? batch->needs[at] : NULL;
}

static void fill_identity(struct world *world, struct batch *batch, size_t at)
{
    static const char *const keys[] = { "one", "two", "three" };
    struct model_spec *spec = &batch->specs[at];
    bool again = world->job_count > 0 && chance(world, 8);
    struct known_job *known = again ? &world->jobs[pick(world, world->job_count)] : invent(world);
    known = known == NULL ? &world->jobs[0] : known;
    spec->id_given = again || known == &world->jobs[0] || chance(world, 20);
    batch->known[at] = known;
    spec->id = known->id;
    spec->kind = known->kind;
    spec->queue = again && chance(world, 10) ? sim_queues[0] : known->queue;
    spec->strict = known->strict;
    spec->ignore_backpressure = chance(world, 15);
    /* Whether a job that is skipped at birth frees its key for the next one is nobody's rule. */
    bool crowded = batch->count > 1;
    if (chance(world, 15) && (!crowded || spec->needs_count == 0)) {
        spec->unique_key = keys[pick(world, 3)];
    }
}

static void to_engine(struct batch *batch, size_t at)
{
    const struct model_spec *spec = &batch->specs[at];
    const struct known_job *known = batch->known[at];
    batch->jobs[at] = (qk__new_job){ .id = spec->id,
                                     .id_given = spec->id_given,
                                     .continue_on_failure = spec->continue_on_failure,
                                     .ignore_backpressure = spec->ignore_backpressure,
                                     .strict = spec->strict,
                                     .priority = (uint8_t)spec->priority,
                                     .mode = (uint8_t)spec->mode,
                                     .max_attempts = spec->max_attempts,
                                     .max_lost = spec->max_lost,
                                     .delay_us = spec->delay_us,
                                     .execute_after_us = spec->execute_after_us,
                                     .timeout_us = spec->timeout_us,
                                     .backoff_base_us = spec->backoff_base_us,
                                     .backoff_cap_us = spec->backoff_cap_us,
                                     .backoff_factor = spec->backoff_factor,
                                     .kind = spec->kind,
                                     .queue = spec->queue,
                                     .payload = known->payload,
                                     .payload_length = known->payload_length,
                                     .unique_key = spec->unique_key,
                                     .name = at % 3 == 0 ? "named" : NULL,
                                     .tags = at % 4 == 0 ? "[\"t\"]" : NULL,
                                     .needs = spec->needs,
                                     .needs_count = spec->needs_count };
}

/* As the store does: what the engine does not have is looked up, then it is asked again. */
static qk_status enqueue_in_engine(struct world *world, qk_enqueued *out, const struct batch *batch)
{
    qk__cold_set cold = { NULL, 0 };
    qk_id *missing = NULL;
    size_t missing_count = 0;
    size_t found = 0;
    qk_error err = QK_ERROR_INIT;
    if (qk__engine_missing(world->engine, batch->jobs, batch->count, &cold, &missing,
                           &missing_count) != QK_OK) {
        fail(world, "missing ids");
    }
    qk__cold_job *jobs = disk_cold(world->disk, missing, missing_count, &found);
    cold = (qk__cold_set){ jobs, found };
    size_t more = 0;
    qk_id *still = NULL;
    (void)qk__engine_missing(world->engine, batch->jobs, batch->count, &cold, &still, &more);
    if (more > 0) {
        fail(world, "ids are missing that were looked up");
    }
    qk_status rc =
        qk__engine_enqueue(world->engine, world->now, out, batch->jobs, batch->count, &cold, &err);
    if (rc == QK_EMPTY) {
        fail(world, "an enqueue asks for ids that it did not name");
    }
    free(missing);
    free(still);
    free(jobs);
    return rc;
}

/* A crash forgot the job and its id is used again: reports of its first life are nobody's. */
static void forget_reports(struct world *world, qk_id id)
{
    size_t kept = 0;
    for (size_t i = 0; i < world->report_count; i++) {
        if (!same_id(world->reports[i].outcome.lease.job, id)) {
            world->reports[kept++] = world->reports[i];
        }
    }
    world->report_count = kept;
}

static void note_enqueued(struct world *world, const struct batch *batch, const qk_enqueued *out,
                          const struct model_enqueued *wanted)
{
    for (size_t i = 0; i < batch->count; i++) {
        trace(world, "  %s%s in %s, priority %d, mode %d", short_id(out[i].id),
              out[i].duplicate ? " again" : "", batch->jobs[i].queue, batch->jobs[i].priority,
              batch->jobs[i].mode);
        for (size_t k = 0; k < batch->jobs[i].needs_count; k++) {
            trace(world, "    needs %s", short_id(batch->jobs[i].needs[k]));
        }
        if (!same_id(out[i].id, wanted[i].id) || out[i].duplicate != wanted[i].duplicate) {
            fail(world, "enqueue says %s%s, the model %s%s", short_id(out[i].id),
                 out[i].duplicate ? " again" : "", short_id(wanted[i].id),
                 wanted[i].duplicate ? " again" : "");
        }
        world->tally.duplicates += out[i].duplicate;
        if (!out[i].duplicate) {
            batch->known[i]->named = batch->jobs[i].name != NULL;
            batch->known[i]->tagged = batch->jobs[i].tags != NULL;
            batch->known[i]->maybe_recovered = false;
            forget_reports(world, out[i].id);
            batch->known[i]->born = qk__engine_batch(world->engine);
            batch->known[i]->exists = true;
            batch->known[i]->recovered = false;
            batch->known[i]->refused = batch->known[i]->reported = 0;
        }
    }
}

void step_enqueue(struct world *world)
{
    struct batch batch = { .count = chance(world, 55) ? 1 : 2 + pick(world, BATCH_MAX - 1) };
    qk_enqueued out[BATCH_MAX];
    struct model_enqueued wanted[BATCH_MAX];
    for (size_t i = 0; i < batch.count; i++) {
        batch.specs[i] = (struct model_spec)MODEL_SPEC_INIT;
        fill_identity(world, &batch, i);
        fill_times(world, &batch.specs[i]);
        fill_limits(world, &batch.specs[i]);
        if (batch.count == 1 || batch.specs[i].unique_key == NULL) {
            fill_needs(world, &batch, i);
        }
        to_engine(&batch, i);
    }
    size_t before[QUEUES];
    for (int i = 0; i < QUEUES; i++) {
        before[i] = waiting_in(world, sim_queues[i]);
    }
    qk_status rc = enqueue_in_engine(world, out, &batch);
    qk_status expected =
        model_enqueue(world->model, wanted, NULL, batch.specs, batch.count, model_time(world));
    trace(world, "enqueue %zu: %d", batch.count, rc);
    if (rc != expected) {
        fail(world, "enqueue gives %d, the model says %d", rc, expected);
    }
    if (rc == QK_OK) {
        note_enqueued(world, &batch, out, wanted);
    }
    world->tally.unfit += rc != QK_OK;
    check_warning(world, before);
}

static qk_id pick_id(struct world *world, const struct model_job *job)
{
    if (job != NULL && !chance(world, 4)) {
        return job->id;
    }
    return world->job_count > 0 ? world->jobs[pick(world, world->job_count)].id
                                : (qk_id){ { 0xfe } };
}

void step_cancel(struct world *world)
{
    static const int wanted[] = { QK_JOB_PENDING, QK_JOB_CLAIMED, QK_JOB_DELAYED, -1 };
    qk_id id = pick_id(world, pick_job(world, wanted[pick(world, 4)]));
    qk_status rc = qk__engine_cancel(world->engine, world->now, id);
    if (rc == QK_ENOTFOUND && disk_ended(world->disk, id, NULL) != NULL) {
        rc = QK_ESTATE;
    }
    tick_model(world);
    const struct model_job *job = model_get(world->model, id);
    bool waits = job != NULL && job->status != QK_JOB_CLAIMED;
    qk_status expected = model_cancel(world->model, id, model_time(world));
    trace(world, "cancel %s: %d", short_id(id), rc);
    world->tally.cancelled_waiting += rc == QK_OK && waits;
    if (rc != expected) {
        fail(world, "cancel of %s gives %d, the model says %d", short_id(id), rc, expected);
    }
}

static qk_status retry_in_engine(struct world *world, qk_id id)
{
    qk_id parents[64];
    qk__row row;
    size_t count = 0;
    size_t found = 0;
    const qk__row *found_row = NULL;
    const qk__row *ended = NULL;
    const struct model_job *job = model_get(world->model, id);
    if (!qk__engine_get(world->engine, id, &row, NULL)) {
        found_row = disk_ended(world->disk, id, NULL);
        if (found_row == NULL) {
            qk__engine_tick(world->engine, world->now);
            return QK_ENOTFOUND;
        }
        row = *found_row;
        row.payload = row.payload.data == NULL ? disk_payload(world->disk, id) : row.payload;
        ended = &row;
        count = disk_parents(world->disk, id, parents, 64);
    } else {
        for (size_t i = 0; job != NULL && i < job->needs_count; i++) {
            parents[count++] = job->needs[i]; /* its edges may not be on the disk yet */
        }
    }
    qk__cold_job *jobs = disk_cold(world->disk, parents, count, &found);
    qk__cold_set cold = { jobs, found };
    qk_status rc = qk__engine_retry(world->engine, world->now, id, ended, parents, count, &cold);
    free(jobs);
    return rc;
}

void step_retry(struct world *world)
{
    static const int wanted[] = { QK_JOB_FAILED, QK_JOB_FAILED, QK_JOB_SKIPPED, QK_JOB_CANCELLED,
                                  -1 };
    if (chance(world, 30)) {
        life_flush(world);
    }
    qk_id id = pick_id(world, pick_job(world, wanted[pick(world, 5)]));
    qk_status rc = retry_in_engine(world, id);
    tick_model(world);
    qk_status expected = model_retry(world->model, id, model_time(world));
    trace(world, "retry %s: %d", short_id(id), rc);
    if (rc != expected) {
        fail(world, "retry of %s gives %d, the model says %d", short_id(id), rc, expected);
    }
    world->tally.retries += rc == QK_OK;
    world->tally.retries_refused += rc == QK_ESTATE;
    if (rc == QK_OK) {
        struct known_job *known = known_find(world, id);
        known->maybe_recovered |= known->recovered;
        known->recovered = false; /* forgotten when the job left the memory */
    }
}

void set_paused(struct world *world, const char *queue, bool paused)
{
    trace(world, "%s %s", paused ? "pause" : "resume", queue);
    if (qk__engine_pause(world->engine, queue, paused) != QK_OK) {
        fail(world, "pause");
    }
    world->tally.pauses += paused;
    if (paused) {
        model_pause(world->model, queue);
    } else {
        model_resume(world->model, queue);
    }
}

void step_pause(struct world *world)
{
    set_paused(world, sim_queues[pick(world, QUEUES)], chance(world, 40));
}

void step_beat(struct world *world)
{
    qk__worker_info info = { .id = sim_workers[pick(world, WORKERS)],
                             .host = "here",
                             .queues = "[\"alpha\"]",
                             .pid = 1,
                             .slots = 2 };
    if (qk__engine_worker(world->engine, world->now, &info, chance(world, 20)) != QK_OK) {
        fail(world, "a worker's announcement");
    }
}
