/*
 * Engine and disk against the model: every job's fields, the counts of each queue, the ended jobs.
 */
#include "sim.h"

#include <stdlib.h>
#include <string.h>

static bool text_is(qk__text text, const char *wanted)
{
    size_t length = strlen(wanted);
    return text.length == length && (length == 0 || memcmp(text.data, wanted, length) == 0);
}

static void compare_claim(struct world *world, const struct model_job *job, const qk__row *row)
{
    if (job->status == QK_JOB_CLAIMED &&
        (!text_is(row->claimed_by, job->worker) || row->claimed_us != job->claimed_us)) {
        fail(world, "%s: claimed by %.*s at %lld, the model says %s at %lld", short_id(job->id),
             (int)row->claimed_by.length, row->claimed_by.data == NULL ? "" : row->claimed_by.data,
             (long long)row->claimed_us, job->worker, (long long)job->claimed_us);
    }
    if (!qk_job_status_is_terminal(job->status) && job->status != QK_JOB_CLAIMED &&
        (row->claimed_by.data != NULL || row->claimed_us != 0)) {
        fail(world, "%s: not claimed, but says by whom", short_id(job->id));
    }
}

static void compare_texts(struct world *world, const struct model_job *job, const qk__row *row)
{
    if (job->status == QK_JOB_DELAYED && row->execute_after_us != job->execute_after_us) {
        fail(world, "%s: delayed until %lld, the model says %lld", short_id(job->id),
             (long long)row->execute_after_us, (long long)job->execute_after_us);
    }
    if (job->status == QK_JOB_FAILED && !job->error_free && !text_is(row->error, job->error)) {
        fail(world, "%s: failed with '%.*s', the model says '%s'", short_id(job->id),
             (int)row->error.length, row->error.data == NULL ? "" : row->error.data, job->error);
    }
    if (job->status == QK_JOB_DONE && !text_is(row->result, job->result)) {
        fail(world, "%s: another result", short_id(job->id));
    }
}

static void compare_names(struct world *world, const struct model_job *job, const qk__row *row)
{
    const struct known_job *known = known_find(world, job->id);
    char key[64] = "";
    char name[64] = "";
    (void)disk_ext_text(row, "uk", key, sizeof key);
    (void)disk_ext_text(row, "nm", name, sizeof name);
    bool tagged = row->ext.data != NULL && memmem(row->ext.data, row->ext.length, "[\"t\"]", 5);
    if (strcmp(key, job->unique_key) != 0 || strcmp(name, known->named ? "named" : "") != 0 ||
        tagged != known->tagged) {
        fail(world, "%s: another unique key, name or tags", short_id(job->id));
    }
}

static void compare_ext(struct world *world, const struct model_job *job, const qk__row *row)
{
    char reason[64] = "";
    int64_t lost = 0;
    (void)disk_ext_number(row, "lo", &lost);
    (void)disk_ext_text(row, "sr", reason, sizeof reason);
    if (lost != job->lost) {
        fail(world, "%s: lost %lld times, the model says %d", short_id(job->id), (long long)lost,
             job->lost);
    }
    if ((reason[0] != '\0') != (job->status == QK_JOB_SKIPPED)) {
        fail(world, "%s: a skip reason without a skip, or the reverse", short_id(job->id));
    }
    compare_names(world, job, row);
    /* Which parent failed first is told by the wall clock: after a jump another one may be named. */
    if (job->status == QK_JOB_SKIPPED && !model_accept_skip_reason(world->model, job->id, reason)) {
        fail(world, "%s: skipped for '%s', the model says '%s'", short_id(job->id), reason,
             job->skip_reason);
    }
}

static void compare_row(struct world *world, const struct model_job *job, const qk__row *row)
{
    if (row->status != job->status) {
        fail(world, "%s is %s, the model says %s", short_id(job->id),
             qk_job_status_name(row->status), qk_job_status_name(job->status));
    }
    if (row->attempt != job->attempt || row->attempts != job->attempts ||
        row->priority != job->priority || row->created_us != job->created_us) {
        fail(world, "%s: attempt %d, attempts %d, priority %d; the model says %d, %d, %d",
             short_id(job->id), row->attempt, row->attempts, row->priority, job->attempt,
             job->attempts, job->priority);
    }
    if (row->finished_us != job->ended_us) {
        fail(world, "%s: ended at %lld, the model says %lld", short_id(job->id),
             (long long)row->finished_us, (long long)job->ended_us);
    }
    compare_claim(world, job, row);
    compare_texts(world, job, row);
}

/* A job that left the memory must be on the disk, once, as the model has it. */
static void compare_ended(struct world *world, const struct model_job *job)
{
    size_t copies = 0;
    const qk__row *row = disk_ended(world->disk, job->id, &copies);
    if (row == NULL || copies != 1) {
        fail(world, "%s is not in memory and %zu times among the ended", short_id(job->id), copies);
    }
    compare_row(world, job, row);
    compare_ext(world, job, row);
}

/* What a skip says must be looked at in the step that made it. */
static bool is_new_skip(const struct model_job *job, const qk__row *row, const struct world *world)
{
    return job->status == QK_JOB_SKIPPED && row->finished_us == world->now.wall_us;
}

static bool compare_in_memory(struct world *world, const struct model_job *job, bool thorough)
{
    qk__row row;
    qk__buffer ext;
    qk__buffer_init(&ext, 1u << 20);
    bool found = qk__engine_get(world->engine, job->id, &row, NULL);
    if (found) {
        compare_row(world, job, &row);
        if (thorough || is_new_skip(job, &row, world)) {
            (void)qk__engine_get(world->engine, job->id, &row, &ext);
            compare_ext(world, job, &row);
        }
    }
    qk__buffer_dispose(&ext);
    return found;
}

static int by_place(const void *a, const void *b)
{
    uint64_t left = (*(const struct model_job *const *)a)->seq;
    uint64_t right = (*(const struct model_job *const *)b)->seq;
    return left < right ? -1 : left > right;
}

static void compare_counts(struct world *world)
{
    static const qk_job_status live[] = { QK_JOB_PENDING, QK_JOB_DELAYED, QK_JOB_CLAIMED };
    uint64_t seen = 0;
    for (size_t i = 0; i < qk__engine_queue_count(world->engine); i++) {
        qk__engine_queue queue;
        qk__engine_queue_at(world->engine, i, &queue);
        for (size_t k = 0; k < 3; k++) {
            uint64_t wanted = model_count(world->model, queue.name, live[k]);
            seen += wanted;
            if (queue.counts[live[k]] != wanted) {
                fail(world, "%s has %llu %s jobs, the model %llu", queue.name,
                     (unsigned long long)queue.counts[live[k]], qk_job_status_name(live[k]),
                     (unsigned long long)wanted);
            }
        }
        if (queue.paused != model_is_paused(world->model, queue.name)) {
            fail(world, "queue %s: paused is %d", queue.name, queue.paused);
        }
    }
    for (size_t k = 0; k < 3; k++) {
        seen -= model_count(world->model, NULL, live[k]);
    }
    if (seen != 0) {
        fail(world, "a queue is missing");
    }
}

/* Only the order of two places means something. */
static void compare_places(struct world *world)
{
    const struct model_job *jobs[JOBS_MAX];
    size_t count = 0;
    for (size_t i = 0; i < model_size(world->model); i++) {
        const struct model_job *job = model_at(world->model, i);
        if (!qk_job_status_is_terminal(job->status)) {
            jobs[count++] = job;
        }
    }
    qsort(jobs, count, sizeof *jobs, by_place);
    uint64_t last = 0;
    for (size_t i = 0; i < count; i++) {
        qk__row row;
        if (!qk__engine_get(world->engine, jobs[i]->id, &row, NULL) || row.seq <= last) {
            fail(world, "%s comes before %s, the model says after", short_id(jobs[i]->id),
                 i == 0 ? "all" : short_id(jobs[i - 1]->id));
        }
        last = row.seq;
    }
}

void compare_all(struct world *world, bool thorough)
{
    size_t in_memory = 0;
    /* In order of creation, so that a cause is settled before what hangs on it. */
    for (size_t i = 0; i < model_size(world->model); i++) {
        const struct model_job *job = model_at(world->model, i);
        bool found = compare_in_memory(world, job, thorough);
        in_memory += found;
        if (!found && !qk_job_status_is_terminal(job->status)) {
            fail(world, "%s is lost", short_id(job->id));
        }
        if (!found && thorough) {
            compare_ended(world, job);
        }
    }
    if (in_memory != qk__engine_live(world->engine)) {
        fail(world, "the engine has %zu jobs, the model knows %zu of them",
             qk__engine_live(world->engine), in_memory);
    }
    compare_counts(world);
    if (thorough) {
        compare_places(world);
    }
}

void compare_durable(struct world *world)
{
    struct model *present = world->model;
    world->model = world->durable;
    for (size_t i = 0; i < model_size(world->durable); i++) {
        const struct model_job *job = model_at(world->durable, i);
        size_t copies = 0;
        if (qk_job_status_is_terminal(job->status)) {
            compare_ended(world, job);
        } else if (disk_ended(world->disk, job->id, &copies) != NULL) {
            fail(world, "%s lives and is among the ended", short_id(job->id));
        }
    }
    world->model = present;
}
