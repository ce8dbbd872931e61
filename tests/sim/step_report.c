/*
 * Reports: current, late, foreign and repeated ones; heartbeats and progress.
 */
#include "step.h"

#include <string.h>

static qk_lease lease_of(const struct known_claim *claim)
{
    return (qk_lease){ claim->id, claim->attempt, claim->worker };
}

/* Mostly a claim that holds; else any of the past, sometimes in another's name. */
static struct known_claim pick_claim(struct world *world)
{
    struct known_claim claim = { 0 };
    const struct model_job *job = chance(world, 70) ? pick_job(world, QK_JOB_CLAIMED) : NULL;
    if (job != NULL) {
        claim.id = job->id;
        claim.attempt = job->attempt;
        memcpy(claim.worker, job->worker, sizeof claim.worker);
        return claim;
    }
    if (world->claim_count > 0) {
        claim = world->claims[pick(world, world->claim_count)];
    }
    if (chance(world, 10)) {
        strcpy(claim.worker, sim_workers[pick(world, WORKERS)]);
    }
    if (chance(world, 4)) {
        claim.attempt += (int)pick(world, 3) - 1;
    }
    return claim;
}

/* As the store does: what the engine does not know is looked up once all is durable. */
static qk_status report_to_engine(struct world *world, const qk_outcome *outcome)
{
    uint64_t gate = 0;
    uint64_t batch = qk__engine_batch(world->engine);
    qk_status rc = qk__engine_complete(world->engine, world->now, outcome, &gate);
    const struct model_job *job = model_get(world->model, outcome->lease.job);
    if (rc == QK_OK && gate > batch) {
        fail(world, "the gate of a report lies ahead");
    }
    if (rc != QK_ENOTFOUND) {
        return rc;
    }
    life_flush(world);
    qk__attempt_outcome ended =
        disk_attempt(world->disk, &outcome->lease, job == NULL ? INT32_MAX : job->max_lost);
    bool same =
        (outcome->verdict == QK_VERDICT_ACK && ended == QK__ATTEMPT_DONE) ||
        (outcome->verdict == QK_VERDICT_FAIL && ended == QK__ATTEMPT_FAILED) ||
        (outcome->verdict == QK_VERDICT_NACK &&
         (ended == QK__ATTEMPT_NACKED || (outcome->no_requeue && ended == QK__ATTEMPT_FAILED)));
    return same ? QK_OK : QK_ELEASE;
}

static void settle_backoff(struct world *world, qk_id id)
{
    const struct model_job *job = model_get(world->model, id);
    qk__row row;
    if (job == NULL || !job->backoff_open) {
        return;
    }
    if (!qk__engine_get(world->engine, id, &row, NULL) || row.status != QK_JOB_DELAYED) {
        fail(world, "%s should back off", short_id(id));
    }
    if (!model_accept_backoff(world->model, id, row.execute_after_us, model_time(world))) {
        fail(world, "%s backs off for %lld us after %d failures", short_id(id),
             (long long)(row.execute_after_us - world->now.wall_us), job->failures);
    }
}

static void apply(struct world *world, const qk_outcome *outcome)
{
    static const char *const verdicts[] = { "ack", "fail", "nack" };
    struct model_outcome same = { .lease = { outcome->lease.job, outcome->lease.attempt,
                                             outcome->lease.worker_id },
                                  .verdict = outcome->verdict,
                                  .result = outcome->result,
                                  .error = outcome->error,
                                  .permanent = outcome->permanent,
                                  .delay_us = outcome->delay.us,
                                  .no_requeue = outcome->no_requeue };
    const struct model_job *job = model_get(world->model, outcome->lease.job);
    bool held = job != NULL && job->status == QK_JOB_CLAIMED &&
                job->attempt == outcome->lease.attempt &&
                strcmp(job->worker, outcome->lease.worker_id) == 0;
    uint64_t gate_needed = qk__engine_batch(world->engine);
    /* The model first: the look-up of an unknown report makes all durable, this included. */
    tick_model(world);
    qk_status expected = model_complete(world->model, &same, model_time(world));
    qk_status rc;
    if (held && expected == QK_OK) {
        uint64_t gate = 0;
        rc = qk__engine_complete(world->engine, world->now, outcome, &gate);
        if (gate < gate_needed) {
            fail(world, "the gate of a report lets its answer out too early");
        }
    } else {
        rc = report_to_engine(world, outcome);
    }
    trace(world, "%s%s%s of %s attempt %d by %s: %d", verdicts[outcome->verdict],
          outcome->permanent ? " for good" : "", outcome->no_requeue ? " without requeue" : "",
          short_id(outcome->lease.job), outcome->lease.attempt, outcome->lease.worker_id, rc);
    world->tally.late += rc == QK_ELEASE;
    world->tally.repeats += rc == QK_OK && !held;
    if (rc != expected) {
        fail(world, "the report on %s attempt %d by %s gives %d, the model says %d",
             short_id(outcome->lease.job), outcome->lease.attempt, outcome->lease.worker_id, rc,
             expected);
    }
    settle_backoff(world, outcome->lease.job);
}

static void keep_report(struct world *world, const qk_outcome *outcome, const char *worker)
{
    size_t at =
        world->report_count < REPORTS_KEPT ? world->report_count++ : pick(world, REPORTS_KEPT);
    world->reports[at].outcome = *outcome;
    strcpy(world->reports[at].worker, worker);
    struct known_job *known = known_find(world, outcome->lease.job);
    uint64_t bit = 1ull << (outcome->lease.attempt % 64);
    known->refused |= outcome->no_requeue ? bit : 0;
    known->reported |= bit;
}

/* On the disk a refusal looks like a failure, so one attempt is never reported as both, nor both with and without requeue. */
static void make_outcome(struct world *world, qk_outcome *out, const struct known_claim *claim,
                         bool current)
{
    static const char *const errors[] = { "broke", "a longer text that says what went wrong", "" };
    *out = (qk_outcome){ .lease = lease_of(claim) };
    const struct known_job *known = known_find(world, claim->id);
    uint64_t bit = 1ull << (claim->attempt % 64);
    int dice = (int)pick(world, 100);
    out->verdict = dice < 50 || (known->refused & bit) != 0 ? QK_VERDICT_ACK
                   : dice < 80                              ? QK_VERDICT_FAIL
                                                            : QK_VERDICT_NACK;
    if (out->verdict == QK_VERDICT_ACK) {
        out->result = chance(world, 50) ? "{\"n\":1}" : NULL;
    } else if (out->verdict == QK_VERDICT_FAIL) {
        out->error = errors[pick(world, 3)];
        out->permanent = chance(world, 12);
        out->log_tail = chance(world, 30) ? "last line\n" : NULL;
        out->has_exit_code = chance(world, 30);
        out->exit_code = out->has_exit_code ? (int)pick(world, 256) : 0;
    } else {
        out->no_requeue = current && (known->reported & bit) == 0 && chance(world, 15);
        out->delay.us =
            !out->no_requeue && chance(world, 40) ? (int64_t)pick(world, 3000) * 1000 : 0;
    }
}

void step_report(struct world *world)
{
    qk_outcome outcome;
    if (world->report_count > 0 && chance(world, 12)) {
        struct known_report *report = &world->reports[pick(world, world->report_count)];
        outcome = report->outcome;
        outcome.lease.worker_id = report->worker;
        trace(world, "again:");
        apply(world, &outcome);
        return;
    }
    struct known_claim claim = pick_claim(world);
    const struct model_job *job = model_get(world->model, claim.id);
    bool current = job != NULL && job->status == QK_JOB_CLAIMED && job->attempt == claim.attempt &&
                   strcmp(job->worker, claim.worker) == 0 && job->deadline_us > world->now.mono_us;
    if (claim.attempt < 1 || known_find(world, claim.id) == NULL) {
        return;
    }
    make_outcome(world, &outcome, &claim, current);
    apply(world, &outcome);
    if (current) {
        keep_report(world, &outcome, claim.worker);
    }
}

void ack_all(struct world *world, const char *worker)
{
    for (size_t i = 0; i < model_size(world->model); i++) {
        const struct model_job *job = model_at(world->model, i);
        if (job->status == QK_JOB_CLAIMED && strcmp(job->worker, worker) == 0) {
            qk_outcome outcome = { .lease = { job->id, job->attempt, worker }, .result = "1" };
            apply(world, &outcome);
        }
    }
}

void step_heartbeat(struct world *world)
{
    struct known_claim claim = pick_claim(world);
    int64_t extend_us = chance(world, 50) ? 0 : (int64_t)(1 + pick(world, 5000)) * 1000;
    qk_lease lease = lease_of(&claim);
    struct model_lease same = { claim.id, claim.attempt, claim.worker };
    qk_status rc = qk__engine_extend(world->engine, world->now, &lease, extend_us);
    tick_model(world);
    qk_status expected = model_heartbeat(world->model, &same, extend_us, model_time(world));
    trace(world, "heartbeat of %s attempt %d for %lld: %d", short_id(claim.id), claim.attempt,
          (long long)extend_us, rc);
    world->tally.renewals += rc == QK_OK;
    if (rc != expected) {
        fail(world, "the heartbeat of %s gives %d, the model says %d", short_id(claim.id), rc,
             expected);
    }
}

void step_progress(struct world *world)
{
    struct known_claim claim = pick_claim(world);
    qk_lease lease = lease_of(&claim);
    const struct model_job *job = model_get(world->model, claim.id);
    bool held = job != NULL && job->status == QK_JOB_CLAIMED && job->attempt == claim.attempt &&
                strcmp(job->worker, claim.worker) == 0;
    qk_status rc =
        qk__engine_progress(world->engine, &lease, 0.5, chance(world, 50) ? "half way" : NULL);
    trace(world, "progress of %s: %d", short_id(claim.id), rc);
    if (rc != (held ? QK_OK : QK_ELEASE)) {
        fail(world, "progress of %s gives %d", short_id(claim.id), rc);
    }
}
