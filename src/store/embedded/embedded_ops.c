/*
 * Commands that change jobs: enqueue, reports, cancel, retry, pause.
 *
 * Each applies itself to the engine under `lock`, then waits for the batch that makes it durable.
 */
#include "store/embedded/embedded_internal.h"

#include "store/embedded/embedded_retry.h"

#include "util/error.h"

#include <stdlib.h>
#include <string.h>

/* With wait = false a reporter may run ahead of the disk by this many rows. */
#define RUN_AHEAD_ROWS 32768

/* QK_EMPTY: facts had to be read, try again. */
static qk_status enqueue_locked(struct embedded *store, qk_enqueued *out, const qk__new_job *jobs,
                                size_t count, qk__cold_set *cold, bool *held, qk_error *err)
{
    bool read = false;
    qk_status rc = cold_for_jobs(store, jobs, count, cold, held, &read, err);
    if (read) {
        return rc == QK_OK ? QK_EMPTY : rc;
    }
    if (rc == QK_OK) {
        rc = qk__engine_enqueue(store->engine, embedded_now(store), out, jobs, count, cold, err);
    }
    if (rc != QK_EMPTY) {
        facts_release(store, held);
    }
    announce(store);
    if (rc == QK_OK) {
        rc = wait_durable(store, present_gate(store), err);
    }
    leave(store);
    return rc;
}

qk_status embedded_enqueue(qk_store *base, qk_enqueued *out, const qk__new_job *jobs, size_t count,
                           qk_error *err)
{
    struct embedded *store = embedded_of(base);
    qk__cold_set cold = { NULL, 0 };
    bool held = false;
    qk_status rc = QK_EMPTY;
    while (rc == QK_EMPTY) {
        rc = enter_to_write(store, err);
        rc = rc == QK_OK ? enqueue_locked(store, out, jobs, count, &cold, &held, err) : rc;
    }
    facts_release(store, &held);
    cold_dispose(&cold);
    return rc;
}

static qk_status lease_error(qk_error *err, qk_status rc, const qk_lease *lease)
{
    char id[QK_ID_TEXT_SIZE];
    if (rc == QK_ELEASE) {
        return qk__error(err, rc,
                         "lease lost: attempt %d of job %s is no longer held by this worker",
                         (int)lease->attempt, qk_id_format(id, lease->job));
    }
    return rc == QK_ENOMEM ? no_memory(err) : rc;
}

/* The attempt ended earlier: the same report gets the first answer. Without `lock`. */
static qk_status repeated_report(struct embedded *store, const qk_outcome *outcome, qk_error *err)
{
    bool found = false;
    qk__attempt_outcome ended = QK__ATTEMPT_RUNNING;
    qk_status rc = borrow_database(store, err);
    if (rc == QK_OK) {
        rc = qk__reader_attempt(store->reader, &found, &ended, &outcome->lease, err);
        return_database(store);
    }
    if (rc != QK_OK) {
        return rc;
    }
    bool same =
        (outcome->verdict == QK_VERDICT_ACK && ended == QK__ATTEMPT_DONE) ||
        (outcome->verdict == QK_VERDICT_FAIL && ended == QK__ATTEMPT_FAILED) ||
        (outcome->verdict == QK_VERDICT_NACK &&
         (ended == QK__ATTEMPT_NACKED || (outcome->no_requeue && ended == QK__ATTEMPT_FAILED)));
    return found && same ? QK_OK : QK_ELEASE;
}

/* Applies outcomes; those about jobs not in memory become QK_ENOTFOUND. With `lock` held. */
static uint64_t apply_outcomes(struct embedded *store, qk_status *statuses,
                               const qk_outcome *outcomes, size_t count)
{
    uint64_t gate = 0;
    qk__now now = embedded_now(store);
    for (size_t i = 0; i < count; i++) {
        qk__row row;
        uint64_t own = 0;
        statuses[i] = qk__engine_complete(store->engine, now, &outcomes[i], &own);
        if (statuses[i] == QK_OK && outcomes[i].verdict == QK_VERDICT_ACK &&
            qk__engine_get(store->engine, outcomes[i].lease.job, &row, NULL)) {
            qk__upstream_cache_put(&store->upstreams, &row);
        }
        if (statuses[i] == QK_OK && own > gate) {
            gate = own;
        }
    }
    return gate;
}

static qk_status settle_repeats(struct embedded *store, qk_status *statuses,
                                const qk_outcome *outcomes, size_t count, qk_error *err)
{
    qk_status rc = QK_OK;
    for (size_t i = 0; rc == QK_OK && i < count; i++) {
        if (statuses[i] == QK_ENOTFOUND) {
            statuses[i] = repeated_report(store, &outcomes[i], err);
            rc = statuses[i] == QK_OK || statuses[i] == QK_ELEASE ? QK_OK : statuses[i];
        }
    }
    return rc;
}

static qk_status throttle(struct embedded *store, qk_error *err)
{
    qk_status rc = QK_OK;
    while (rc == QK_OK && qk__engine_dirty_count(store->engine) > RUN_AHEAD_ROWS) {
        rc = wait_durable(store, store->durable_batch + 1, err);
    }
    return rc;
}

qk_status embedded_complete(qk_store *base, qk_status *statuses, const qk_outcome *outcomes,
                            size_t count, bool wait, qk_error *err)
{
    struct embedded *store = embedded_of(base);
    qk_status *own = statuses == NULL ? malloc((count + 1) * sizeof *own) : statuses;
    if (own == NULL) {
        return no_memory(err);
    }
    qk_status rc = enter_to_write(store, err);
    if (rc == QK_OK) {
        uint64_t gate = apply_outcomes(store, own, outcomes, count);
        bool repeats = false;
        for (size_t i = 0; i < count; i++) {
            repeats = repeats || own[i] == QK_ENOTFOUND;
        }
        announce(store);
        if (repeats) { /* the first report may still be on its way to the disk */
            gate = present_gate(store);
        }
        rc = wait || repeats ? wait_durable(store, gate, err) : throttle(store, err);
        leave(store);
        if (rc == QK_OK && repeats) {
            rc = settle_repeats(store, own, outcomes, count, err);
        }
    }
    if (rc == QK_OK && count == 1) {
        rc = lease_error(err, own[0], &outcomes[0].lease);
    }
    if (statuses == NULL) {
        free(own);
    }
    return rc;
}

qk_status embedded_flush(qk_store *base, qk_error *err)
{
    struct embedded *store = embedded_of(base);
    qk_status rc = enter_to_write(store, err);
    if (rc == QK_OK) {
        announce(store);
        rc = wait_durable(store, present_gate(store), err);
        leave(store);
    }
    return rc;
}

qk_status embedded_extend(qk_store *base, qk_status *statuses, const qk_lease *leases, size_t count,
                          int64_t extend_us, qk_error *err)
{
    struct embedded *store = embedded_of(base);
    qk_status rc = enter(store, err);
    if (rc != QK_OK) {
        return rc;
    }
    qk__now now = embedded_now(store);
    for (size_t i = 0; i < count; i++) {
        qk_status each = qk__engine_extend(store->engine, now, &leases[i], extend_us);
        if (statuses != NULL) {
            statuses[i] = each;
        }
        rc = count == 1 ? lease_error(err, each, &leases[0]) : QK_OK;
    }
    announce(store);
    leave(store);
    return rc;
}

qk_status embedded_progress(qk_store *base, const qk_lease *lease, double fraction,
                            const char *message, qk_error *err)
{
    struct embedded *store = embedded_of(base);
    qk_status rc = enter(store, err);
    if (rc == QK_OK) {
        rc = lease_error(err, qk__engine_progress(store->engine, lease, fraction, message), lease);
        leave(store);
    }
    return rc;
}

/* With `lock` held: what was changed is announced, waited for, and the store left. */
static qk_status settings_changed(struct embedded *store, qk_status rc, qk_error *err)
{
    announce(store);
    rc = rc == QK_OK ? wait_durable(store, present_gate(store), err) : no_memory(err);
    leave(store);
    return rc;
}

qk_status embedded_pause(qk_store *base, const char *queue, bool paused, qk_error *err)
{
    struct embedded *store = embedded_of(base);
    qk_status rc = enter_to_write(store, err);
    return rc != QK_OK
               ? rc
               : settings_changed(store, qk__engine_pause(store->engine, queue, paused), err);
}

qk_status embedded_limit(qk_store *base, const char *queue, uint32_t limit, qk_error *err)
{
    struct embedded *store = embedded_of(base);
    qk_status rc = enter_to_write(store, err);
    return rc != QK_OK
               ? rc
               : settings_changed(store, qk__engine_limit(store->engine, queue, limit), err);
}

qk_status embedded_worker_beat(qk_store *base, const qk__worker_info *worker, bool gone,
                               qk_error *err)
{
    struct embedded *store = embedded_of(base);
    qk_status rc = enter(store, err);
    if (rc == QK_OK) {
        rc = qk__engine_worker(store->engine, embedded_now(store), worker, gone);
        announce(store);
        leave(store);
    }
    return rc == QK_ENOMEM ? no_memory(err) : rc;
}
