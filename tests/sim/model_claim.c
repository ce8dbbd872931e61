/*
 * Reference model: claims, reports and heartbeats.
 *
 * Fencing: a report is taken only from the worker and attempt that hold the lease. The history of
 * attempts, which is never cut, answers repeated reports.
 */
#include "model_internal.h"

#include <stdlib.h>
#include <string.h>

#define DEFAULT_LEASE_US (300 * 1000000LL)

static bool is_wanted(const struct model_claim_spec *spec, const char *kind)
{
    for (size_t i = 0; i < spec->kind_count; i++)
        if (strcmp(spec->kinds[i], kind) == 0)
            return true;
    return spec->kind_count == 0;
}

static bool goes_before(const struct model_job *a, const struct model_job *b)
{
    if (a->priority != b->priority)
        return a->priority > b->priority;
    return a->seq < b->seq;
}

static struct model_job *best_of(struct model *model, const char *queue,
                                 const struct model_claim_spec *spec)
{
    struct model_job *best = NULL;
    for (size_t i = 0; i < model->count; i++) {
        struct model_job *job = &model->jobs[i];
        if (strcmp(job->queue, queue) != 0 || !is_wanted(spec, job->kind))
            continue;
        if (model_is_ready(model, job->id) && (!best || goes_before(job, best)))
            best = job;
    }
    return best;
}

static void open_attempt(struct model_job *job, const char *worker)
{
    job->history = model_grow(job->history, job->history_count + 1, sizeof *job->history);
    struct model_attempt *attempt = &job->history[job->history_count++];
    *attempt = (struct model_attempt){ .attempt = job->attempt, .ending = MODEL_OPEN };
    model_text(attempt->worker, sizeof attempt->worker, worker);
}

void model_close_attempt(struct model_job *job, enum model_ending ending, qk_verdict verdict)
{
    struct model_attempt *attempt = &job->history[job->history_count - 1];
    attempt->ending = ending;
    attempt->verdict = verdict;
}

static void take(struct model *model, struct model_job *job, const struct model_claim_spec *spec,
                 struct model_now now)
{
    job->status = QK_JOB_CLAIMED;
    job->attempt++;
    job->attempts++;
    job->claimed_us = now.wall_us;
    job->lease_us = spec->lease_us;
    if (!job->lease_us)
        job->lease_us = job->timeout_us == QK_FOREVER_US ? DEFAULT_LEASE_US : job->timeout_us;
    job->deadline_us = model_add_us(now.mono_us, job->lease_us);
    job->leased = ++model->next_lease;
    model_text(job->worker, sizeof job->worker, spec->worker);
    open_attempt(job, spec->worker);
}

static size_t claim_from(struct model *model, struct model_claimed *out, size_t room,
                         const char *queue, const struct model_claim_spec *spec,
                         struct model_now now)
{
    if (model_is_paused(model, queue))
        return 0;
    size_t count = 0;
    while (count < room) {
        struct model_job *job = best_of(model, queue, spec);
        if (!job)
            break;
        take(model, job, spec, now);
        out[count++] = (struct model_claimed){ job->id,           job->attempt,    job->attempts,
                                               job->max_attempts, job->timeout_us, job->strict };
    }
    return count;
}

size_t model_claim(struct model *model, struct model_claimed *out,
                   const struct model_claim_spec *spec, struct model_now now)
{
    if (spec->queue_count == 0)
        return claim_from(model, out, spec->max, "default", spec, now);
    size_t count = 0;
    for (size_t i = 0; i < spec->queue_count; i++)
        count += claim_from(model, out + count, spec->max - count, spec->queues[i], spec, now);
    return count;
}

int model_position(const struct model *model, qk_id id)
{
    const struct model_job *self = model_find(model, id);
    if (!model_is_ready(model, id))
        return -1;
    int before = 0;
    for (size_t i = 0; i < model->count; i++) {
        const struct model_job *job = &model->jobs[i];
        if (strcmp(job->queue, self->queue) == 0 && model_is_ready(model, job->id) &&
            goes_before(job, self))
            before++;
    }
    return before;
}

static struct model_job *holder_of(struct model *model, const struct model_lease *lease)
{
    struct model_job *job = model_find(model, lease->job);
    bool current = job && job->status == QK_JOB_CLAIMED && job->attempt == lease->attempt &&
                   strcmp(job->worker, lease->worker) == 0;
    return current ? job : NULL;
}

static bool was_reported(const struct model *model, const struct model_outcome *outcome)
{
    const struct model_job *job = model_find(model, outcome->lease.job);
    for (size_t i = 0; job && i < job->history_count; i++) {
        const struct model_attempt *attempt = &job->history[i];
        if (attempt->attempt == outcome->lease.attempt && attempt->ending == MODEL_REPORTED &&
            attempt->verdict == outcome->verdict &&
            strcmp(attempt->worker, outcome->lease.worker) == 0)
            return true;
    }
    return false;
}

static void apply_ack(struct model *model, struct model_job *job,
                      const struct model_outcome *outcome)
{
    model_text(job->result, sizeof job->result, outcome->result);
    job->error[0] = '\0';
    model_end(model, job, QK_JOB_DONE);
}

static void give_back(struct model_job *job)
{
    job->status = QK_JOB_PENDING;
    job->worker[0] = '\0';
}

static void apply_fail(struct model *model, struct model_job *job,
                       const struct model_outcome *outcome)
{
    job->failures++;
    model_text(job->error, sizeof job->error, outcome->error);
    if (outcome->permanent || job->attempts >= job->max_attempts) {
        model_end(model, job, QK_JOB_FAILED);
        return;
    }
    give_back(job);
    if (job->backoff_base_us > 0) {
        job->status = QK_JOB_DELAYED;
        job->execute_after_us = 0;
        job->backoff_open = true;
    }
}

static void apply_nack(struct model *model, struct model_job *job,
                       const struct model_outcome *outcome, struct model_now now)
{
    job->attempts--;
    if (outcome->no_requeue) {
        job->error[0] = '\0';
        job->error_free = true;
        model_end(model, job, QK_JOB_FAILED);
        return;
    }
    give_back(job);
    if (outcome->delay_us > 0) {
        job->status = QK_JOB_DELAYED;
        job->execute_after_us = model_add_us(now.wall_us, outcome->delay_us);
    }
}

qk_status model_complete(struct model *model, const struct model_outcome *outcome,
                         struct model_now now)
{
    struct model_job *job = holder_of(model, &outcome->lease);
    if (!job)
        return was_reported(model, outcome) ? QK_OK : QK_ELEASE;
    model_next_moment(model, now);
    model_close_attempt(job, MODEL_REPORTED, outcome->verdict);
    if (outcome->verdict == QK_VERDICT_ACK)
        apply_ack(model, job, outcome);
    else if (outcome->verdict == QK_VERDICT_FAIL)
        apply_fail(model, job, outcome);
    else
        apply_nack(model, job, outcome, now);
    model_settle(model);
    return QK_OK;
}

qk_status model_heartbeat(struct model *model, const struct model_lease *lease, int64_t extend_us,
                          struct model_now now)
{
    struct model_job *job = holder_of(model, lease);
    if (!job)
        return QK_ELEASE;
    job->deadline_us = model_add_us(now.mono_us, extend_us ? extend_us : job->lease_us);
    job->leased = ++model->next_lease;
    return QK_OK;
}

static void add_lost_attempt(struct model_job *job, int attempt)
{
    job->history = model_grow(job->history, job->history_count + 1, sizeof *job->history);
    job->history[job->history_count++] =
        (struct model_attempt){ .attempt = attempt, .ending = MODEL_LOST };
}

bool model_hold(struct model *model, const struct model_held *claim)
{
    struct model_job *job = model_find(model, claim->lease.job);
    if (!job || model_is_terminal(job) || claim->lease.attempt < job->attempt ||
        (claim->lease.attempt == job->attempt && job->status != QK_JOB_CLAIMED))
        return false;
    if (claim->lease.attempt > job->attempt) {
        if (job->status == QK_JOB_CLAIMED)
            model_close_attempt(job, MODEL_LOST, QK_VERDICT_ACK);
        job->attempts = claim->attempts;
        job->failures = claim->attempts - 1;
        while (++job->attempt < claim->lease.attempt)
            add_lost_attempt(job, job->attempt);
        open_attempt(job, claim->lease.worker);
        job->claimed_us = claim->claimed_us;
        job->status = QK_JOB_CLAIMED;
    }
    model_text(job->worker, sizeof job->worker, claim->lease.worker);
    job->lease_us = claim->lease_us;
    job->deadline_us = claim->deadline_us;
    job->held = true;
    return true;
}
