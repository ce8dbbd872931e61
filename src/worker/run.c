/*
 * Running one job in a slot, and gathering outcomes.
 *
 * The slot's thread; what the keeper also looks at is touched under the slot's lock: twice per job,
 * uncontended. A job whose outcome the keeper has reported (timeout) or that lost its lease leaves
 * nothing here.
 *
 * Outcomes gather only behind jobs known to be fast: before a job that is slow, or of a kind not
 * seen yet, what has gathered is reported, so that no finished job waits for a running one.
 */
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "worker/clean.h"
#include "worker/hosted.h"
#include "worker/logs.h"
#include "worker/worker_internal.h"

static _Thread_local qk_task *current_task;

qk_task *qk_task_current(void)
{
    return current_task;
}

void qk__slot_report(qk__slot *slot)
{
    pthread_mutex_lock(&slot->lock);
    qk__report *gathered = slot->report;
    slot->report = slot->spare;
    pthread_mutex_unlock(&slot->lock);
    qk__outbox_put(slot->pool, gathered);
    slot->spare = gathered;
}

static int64_t machine_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

/* Moves an average by an eighth towards the sample. Races between slots lose a sample, no more. */
static void learn(atomic_uint *average, unsigned sample)
{
    unsigned old = atomic_load_explicit(average, memory_order_relaxed);
    unsigned fresh = sample;

    if (old != QK__EWMA_UNKNOWN)
        fresh = (unsigned)((int64_t)old + ((int64_t)sample - (int64_t)old) / 8);
    if (fresh != old)
        atomic_store_explicit(average, fresh, memory_order_relaxed);
}

static bool is_fast(const atomic_uint *average)
{
    return atomic_load_explicit(average, memory_order_relaxed) < QK__FAST_US;
}

/* Of an earlier command's cancellation. */
static void forget_wake_up(qk__slot *slot)
{
    uint64_t count;

    while (read(slot->wake_fd, &count, sizeof(count)) > 0) {
    }
}

/* Publishes the job as running. Returns by when the keeper must have looked. */
static int64_t begin(qk__slot *slot, const qk_claimed *claim)
{
    qk_task *task = &slot->task;
    int64_t now = qk__pool_now(slot->pool);

    pthread_mutex_lock(&slot->lock);
    slot->running = true;
    slot->reported = false;
    slot->reason = QK__CUT_NONE;
    slot->running_handler = slot->handler;
    slot->run_number++;
    slot->started_us = now;
    slot->deadline_us = QK__NEVER;
    if (claim->timeout.us > 0 && claim->timeout.us < QK__NEVER - now)
        slot->deadline_us = now + claim->timeout.us;
    task->claim = claim;
    atomic_store_explicit(&task->cancelled, false, memory_order_relaxed);
    task->permanent = task->expanded = task->later = false;
    task->progress_dirty = false;
    task->progress_sent_us = 0;
    int64_t by = slot->deadline_us < now + QK__TICK_US ? slot->deadline_us : now + QK__TICK_US;
    pthread_mutex_unlock(&slot->lock);
    return by;
}

void qk__handler_call(qk__slot *slot, qk_outcome *outcome)
{
    qk_error err;
    err.code = QK_OK;
    err.system_errno = 0;
    err.message[0] = '\0';

    qk_status rc = qk__slot_put_values(slot, &err);
    current_task = &slot->task;
    if (rc == QK_OK)
        rc = slot->handler->fn(&slot->task, slot->handler->user, &err);
    current_task = NULL;
    if (rc == QK_OK) {
        outcome->verdict = QK_VERDICT_ACK;
        return;
    }
    outcome->verdict = QK_VERDICT_FAIL;
    err.message[sizeof(err.message) - 1] = '\0';
    outcome->error = qk__clean_string(err.message[0] ? err.message : qk_status_text(rc));
}

qk__cut_reason qk__slot_cut_reason(qk__slot *slot)
{
    pthread_mutex_lock(&slot->lock);
    qk__cut_reason reason = slot->reason;
    pthread_mutex_unlock(&slot->lock);
    return reason;
}

/* Adds to what has gathered. Caller holds the slot's lock; there is room. */
static void gather(qk__slot *slot, const qk_outcome *outcome)
{
    const qk_claimed *claim = slot->task.claim;
    qk__report *report = slot->report;
    bool final = outcome->permanent || claim->attempts >= claim->max_attempts;

    report->outcomes[report->count] = *outcome;
    report->notes[report->count] =
        (uint8_t)((final ? QK__NOTE_FINAL : 0) | (slot->logged ? QK__NOTE_LOGGED : 0));
    report->count++;
}

/* Fits the outcome to how the run was cut short, if it was. Caller holds the slot's lock. */
static void judge(qk__slot *slot, qk_outcome *outcome)
{
    qk_task *task = &slot->task;

    outcome->run_time = qk_us(qk__pool_now(slot->pool) - slot->started_us);
    if (outcome->verdict == QK_VERDICT_ACK && !outcome->result) {
        outcome->result = task->result;
        task->result = NULL;
    }
    if (outcome->verdict == QK_VERDICT_FAIL)
        outcome->permanent = outcome->permanent || task->permanent;
    /* Not its fault: it was told to stop because the pool goes away. */
    if (outcome->verdict == QK_VERDICT_FAIL && slot->reason == QK__CUT_STOP) {
        qk__outcome_dispose(outcome);
        outcome->verdict = QK_VERDICT_NACK;
        outcome->permanent = outcome->has_exit_code = false;
    }
    if (outcome->verdict == QK_VERDICT_FAIL && task->later) {
        qk__outcome_dispose(outcome);
        outcome->verdict = QK_VERDICT_NACK;
        outcome->delay = qk_seconds(1);
    }
    if (slot->reason == QK__CUT_LOST && !task->expanded)
        atomic_fetch_add(&slot->pool->lost, 1);
}

/* Ends the run. Returns how many outcomes have gathered; *progress: there is some to be sent. */
static size_t finish(qk__slot *slot, qk_outcome *outcome, bool *progress)
{
    qk_task *task = &slot->task;

    pthread_mutex_lock(&slot->lock);
    judge(slot, outcome);
    bool counts = !slot->reported && slot->reason != QK__CUT_LOST && !task->expanded;
    if (counts)
        gather(slot, outcome);
    slot->running = false;
    *progress = counts && task->progress_dirty;
    char *unused = task->result;
    task->result = NULL;
    size_t gathered = slot->report->count;
    pthread_mutex_unlock(&slot->lock);
    free(unused);
    if (!counts && slot->logged)
        qk__log_remove(slot->pool->logs_dir, outcome->lease.job, outcome->lease.attempt);
    slot->logged = false;
    if (!counts)
        qk__outcome_dispose(outcome);
    return gathered;
}

static void send_progress(qk__slot *slot, const qk_claimed *claim)
{
    const qk_task *task = &slot->task;
    qk_store *store = slot->pool->store;

    store->ops->progress(store, &claim->lease, task->progress,
                         task->progress_message[0] ? task->progress_message : NULL, NULL);
}

static void execute(qk__slot *slot, qk_outcome *outcome)
{
    if (slot->handler->fn)
        qk__handler_call(slot, outcome);
    else if (slot->handler->sql)
        qk__sql_run(slot, outcome);
    else if (slot->handler->hosted)
        qk__hosted_run(slot, outcome);
    else
        qk__command_run(slot, outcome);
}

void qk__slot_run(qk__slot *slot, const qk_claimed *claim)
{
    qk_worker *pool = slot->pool;
    bool progress;

    if (!slot->handler || strcmp(slot->handler->kind, claim->kind) != 0)
        slot->handler = qk__pool_handler(pool, claim->kind);
    qk_outcome outcome = { .lease = claim->lease };
    outcome.lease.worker_id = pool->id;
    if (!is_fast(&slot->handler->average_us)) {
        qk__slot_report(slot);
        slot->measured_ns = machine_ns();
    } else if (slot->measured_ns == 0) {
        slot->measured_ns = machine_ns();
    }

    if (!slot->handler->fn)
        forget_wake_up(slot);
    int64_t by = begin(slot, claim);
    if (atomic_load(&pool->keeper_at) > by)
        qk__keeper_kick(pool);
    if (pool->on_started)
        pool->on_started(pool->on_started_user, claim);
    execute(slot, &outcome);
    size_t gathered = finish(slot, &outcome, &progress);
    if (slot->task.upstream)
        qk__task_forget(&slot->task);

    int64_t ended = machine_ns();
    int64_t sample = (ended - slot->measured_ns) / 1000;
    unsigned clipped = sample > 1000000000 ? 1000000000u : (unsigned)sample;
    slot->measured_ns = ended;
    learn(&slot->handler->average_us, clipped);
    learn(&pool->average_us, clipped);
    atomic_store_explicit(&pool->finished_at, ended / 1000, memory_order_relaxed);
    if (progress)
        send_progress(slot, claim);
    if (gathered == QK__REPORT_MAX || clipped >= QK__FAST_US)
        qk__slot_report(slot);
}
