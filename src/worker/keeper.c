/*
 * The keeper: looks after what the pool has claimed, on a thread of its own. Never waits for the
 * disk.
 *
 * While something runs it looks every QK__TICK_US, or at the next timeout if that is sooner:
 *   - asks the store to renew the leases of running jobs; "lease lost" is also how it learns of a
 *     cancellation, and sets the task's cancel flag;
 *   - renews claims that have not started, every third of the lease;
 *   - timeouts: a C handler's attempt is reported as failed at once, whatever the handler goes on
 *     doing; a command is killed and reports by itself, so that its output is kept and its next
 *     attempt does not run beside it;
 *   - outcomes left gathered behind a job that turned out slow, progress not yet sent;
 *   - wakes a slot where the claimer's guess (slot.c) was wrong, or gives jobs back that no slot
 *     gets to.
 * When nothing runs it sleeps until the next heartbeat; a slot that begins a job kicks it.
 *
 * Sleep and kick: the keeper publishes `keeper_at` = never before it scans the slots, and the real
 * time after; a slot publishes its job before it reads `keeper_at`. So one of them sees the other.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "worker/spawn.h"
#include "worker/sql_children.h"
#include "worker/worker_internal.h"

#define AWAKE_US 1000000 /* goes on ticking so long after the last job */
#define STUCK_US 90000 /* jobs wait no longer for slots that are all busy */
#define CHUNK 256

typedef struct qk__keeper {
    qk_worker *pool;
    int64_t now; /* the queue's monotonic clock */
    int64_t machine_us; /* the machine's, for judging speed */
    int64_t busy_us; /* when something last ran */
    int64_t beat_us; /* when the next heartbeat is due */
    int64_t next_deadline_us;
    bool busy;
    int running;
    /* Of the running jobs that are asked about, in this round. */
    qk_lease *leases;
    qk_status *statuses;
    qk__slot **slots;
    uint64_t *run_numbers;
    size_t count;
    uint64_t *seen_runs; /* per slot: what ran at the last look */
    qk__report *report; /* timeouts, and outcomes taken over from slots */
} keeper;

qk__keeper *qk__keeper_new(qk_worker *pool)
{
    size_t slots = QK__SLOTS_MAX; /* untouched pages cost nothing */
    keeper *keeper = calloc(1, sizeof(*keeper));

    if (!keeper)
        return NULL;
    keeper->pool = pool;
    keeper->leases = calloc(slots, sizeof(*keeper->leases));
    keeper->statuses = calloc(slots, sizeof(*keeper->statuses));
    keeper->slots = calloc(slots, sizeof(qk__slot *));
    keeper->run_numbers = calloc(slots, sizeof(*keeper->run_numbers));
    keeper->seen_runs = calloc(slots, sizeof(*keeper->seen_runs));
    keeper->report = calloc(1, sizeof(*keeper->report));
    if (keeper->leases && keeper->statuses && keeper->slots && keeper->run_numbers &&
        keeper->seen_runs && keeper->report)
        return keeper;
    qk__keeper_free(keeper);
    return NULL;
}

void qk__keeper_free(keeper *keeper)
{
    if (!keeper)
        return;
    free(keeper->leases);
    free(keeper->statuses);
    free(keeper->slots);
    free(keeper->run_numbers);
    free(keeper->seen_runs);
    free(keeper->report);
    free(keeper);
}

void qk__keeper_kick(qk_worker *pool)
{
    pthread_mutex_lock(&pool->keeper_lock);
    pool->keeper_kicked = true;
    pthread_cond_signal(&pool->keeper_wake);
    pthread_mutex_unlock(&pool->keeper_lock);
}

/* Sets the cancel flag once. Caller holds the slot's lock. */
static void cut(qk__slot *slot, qk__cut_reason reason)
{
    uint64_t one = 1;

    /* A lost lease overrides: the outcome no longer counts, whatever else happened. */
    if (slot->reason == QK__CUT_NONE || reason == QK__CUT_LOST)
        slot->reason = reason;
    atomic_store_explicit(&slot->task.cancelled, true, memory_order_release);
    if (slot->wake_fd >= 0 && write(slot->wake_fd, &one, sizeof(one)) < 0) {
        /* The counter is full: it is readable already. */
    }
}

/* Fails the attempt of a C handler on its behalf. Caller holds the slot's lock. */
static void report_timeout(keeper *keeper, qk__slot *slot)
{
    const qk_claimed *claim = slot->task.claim;
    qk__report *report = keeper->report;
    qk_outcome *outcome = &report->outcomes[report->count];
    char text[64];

    snprintf(text, sizeof(text), "timeout after %g s", (double)claim->timeout.us / 1e6);
    *outcome = (qk_outcome){ .lease = claim->lease, .verdict = QK_VERDICT_FAIL };
    outcome->lease.worker_id = keeper->pool->id;
    char *copy = strdup(text);
    outcome->error = copy ? copy : qk__text_no_memory;
    outcome->permanent = slot->task.permanent;
    outcome->run_time = qk_us(qk__pool_now(keeper->pool) - slot->started_us);
    bool final = outcome->permanent || claim->attempts >= claim->max_attempts;
    report->notes[report->count++] = final ? QK__NOTE_FINAL : 0;
    slot->reported = true;
}

/* A job past its deadline, or cut short by a hard stop. Caller holds the slot's lock. */
static void check_limits(keeper *keeper, qk__slot *slot)
{
    if (slot->reported)
        return;
    bool full = keeper->report->count == QK__REPORT_MAX; /* the disk is, too: later */
    if (slot->reason == QK__CUT_NONE && keeper->now >= slot->deadline_us && !full) {
        cut(slot, QK__CUT_TIMEOUT);
        if (slot->running_handler->fn)
            report_timeout(keeper, slot);
    } else if (slot->reason == QK__CUT_NONE && atomic_load(&keeper->pool->hard)) {
        cut(slot, QK__CUT_STOP);
    }
    if (slot->reason == QK__CUT_NONE && slot->deadline_us < keeper->next_deadline_us)
        keeper->next_deadline_us = slot->deadline_us;
}

/* Puts the slot's job on the list of leases to renew. Caller holds the slot's lock. */
static void ask_about(keeper *keeper, qk__slot *slot)
{
    if (slot->reported || slot->reason == QK__CUT_LOST)
        return;
    keeper->leases[keeper->count] = slot->task.claim->lease;
    keeper->leases[keeper->count].worker_id = keeper->pool->id;
    keeper->slots[keeper->count] = slot;
    keeper->run_numbers[keeper->count] = slot->run_number;
    keeper->count++;
}

static void send_progress(qk__slot *slot, const qk_lease *lease, double fraction,
                          const char *message)
{
    qk_store *store = slot->pool->store;

    store->ops->progress(store, lease, fraction, message[0] ? message : NULL, NULL);
}

/* Looks at one slot; what needs the store is done after its lock is released. */
static void look_at_slot(keeper *keeper, qk__slot *slot)
{
    qk_worker *pool = keeper->pool;
    qk_task *task = &slot->task;
    char message[sizeof(task->progress_message)];
    bool progress = false;
    double fraction = 0;
    qk_lease lease = { 0 };

    pthread_mutex_lock(&slot->lock);
    if (slot->running) {
        keeper->running++;
        check_limits(keeper, slot);
        ask_about(keeper, slot);
        progress = task->progress_dirty && !slot->reported && slot->reason == QK__CUT_NONE;
    }
    if (progress) {
        task->progress_dirty = false;
        task->progress_sent_us = keeper->now;
        fraction = task->progress;
        memcpy(message, task->progress_message, sizeof(message));
        lease = task->claim->lease;
        lease.worker_id = pool->id;
    }
    bool slow = slot->running && keeper->seen_runs[slot->index] == slot->run_number;
    keeper->seen_runs[slot->index] = slot->run_number;
    if (slow && slot->report->count > 0 && keeper->report->count == 0) {
        qk__report *empty = keeper->report;
        keeper->report = slot->report;
        slot->report = empty;
    }
    pthread_mutex_unlock(&slot->lock);
    if (progress)
        send_progress(slot, &lease, fraction, message);
    qk__outbox_try_put(pool, keeper->report);
}

/* False: the store could not be asked; the leases are long enough to try again. */
static bool renew(qk_worker *pool, qk_status *statuses, const qk_lease *leases, size_t count)
{
    qk_status rc = pool->store->ops->extend(pool->store, statuses, leases, count, 0, NULL);

    /* A single lease's fate may also be the call's. */
    if (rc == QK_ELEASE && count == 1)
        statuses[0] = QK_ELEASE;
    return rc == QK_OK || (rc == QK_ELEASE && count == 1);
}

/* Renews what runs. */
static void renew_running(keeper *keeper)
{
    qk_worker *pool = keeper->pool;

    if (keeper->count == 0 || !renew(pool, keeper->statuses, keeper->leases, keeper->count))
        return;
    for (size_t i = 0; i < keeper->count; i++) {
        qk__slot *slot = keeper->slots[i];
        if (keeper->statuses[i] != QK_ELEASE)
            continue;
        pthread_mutex_lock(&slot->lock);
        if (slot->running && slot->run_number == keeper->run_numbers[i] && !slot->reported)
            cut(slot, QK__CUT_LOST);
        pthread_mutex_unlock(&slot->lock);
    }
}

/* Renews what has not started; items whose lease is gone are marked, so that they never start. */
static void renew_waiting(keeper *keeper, qk__batch *batch)
{
    qk_worker *pool = keeper->pool;
    qk_lease leases[CHUNK];
    qk_status statuses[CHUNK];
    size_t count = batch->claims->count;

    for (size_t from = atomic_load(&batch->next); from < count; from += CHUNK) {
        size_t some = count - from < CHUNK ? count - from : CHUNK;
        for (size_t i = 0; i < some; i++) {
            leases[i] = batch->claims->items[from + i].lease;
            leases[i].worker_id = pool->id;
        }
        if (!renew(pool, statuses, leases, some))
            return;
        for (size_t i = 0; i < some; i++) {
            if (statuses[i] == QK_ELEASE)
                atomic_store(&batch->lost[from + i], true);
        }
    }
}

/* Jobs that nobody started since the last look: wakes who could, or gives them back. */
static void look_at_waiting(keeper *keeper)
{
    qk_worker *pool = keeper->pool;

    pthread_mutex_lock(&pool->lock);
    qk__batch *batch = qk__batch_current(pool);
    bool helpers = pool->waiting > 0;
    if (helpers && (batch || !pool->claiming))
        pthread_cond_signal(&pool->wake);
    pthread_mutex_unlock(&pool->lock);
    if (!batch)
        return;
    size_t next = atomic_load(&batch->next);
    if (next != batch->seen_next) {
        batch->seen_next = next;
        batch->seen_us = keeper->machine_us;
    }
    bool stuck = keeper->machine_us - batch->seen_us >= STUCK_US;
    keeper->busy = true;
    int busy = keeper->running + atomic_load(&pool->held);
    if (stuck && !helpers && busy >= atomic_load(&pool->target)) {
        qk__batch_hand_back(pool, batch, keeper->report, false);
    } else if (keeper->now - batch->renewed_us >= pool->lease_us / 3) {
        batch->renewed_us = keeper->now;
        renew_waiting(keeper, batch);
    }
    qk__batch_release(batch);
}

static void beat(keeper *keeper, bool gone)
{
    qk_worker *pool = keeper->pool;
    qk__worker_info info = {
        .id = pool->id,
        .host = pool->host,
        .queues = pool->queues_json,
        .pid = (int)getpid(),
        .slots = atomic_load(&pool->target),
        .running = keeper->running,
    };

    pool->store->ops->worker_beat(pool->store, &info, gone, NULL);
    keeper->beat_us = keeper->now + QK__BEAT_US;
}

void qk__keeper_announce(qk_worker *pool, bool gone)
{
    pool->keeper->now = qk__pool_now(pool);
    beat(pool->keeper, gone);
}

static void look(keeper *keeper)
{
    qk_worker *pool = keeper->pool;

    struct timespec machine;

    clock_gettime(CLOCK_MONOTONIC, &machine);
    keeper->machine_us = (int64_t)machine.tv_sec * 1000000 + machine.tv_nsec / 1000;
    keeper->now = qk__pool_now(pool);
    keeper->running = 0;
    keeper->count = 0;
    keeper->next_deadline_us = QK__NEVER;
    for (int i = 0; i < atomic_load(&pool->slot_count); i++)
        look_at_slot(keeper, pool->slots[i]);
    keeper->busy = keeper->running > 0;
    renew_running(keeper);
    look_at_waiting(keeper);
    if (keeper->busy)
        keeper->busy_us = keeper->now;
    qk__scale_look(pool, keeper->machine_us, keeper->running);
    if (pool->admit)
        qk__claim_look(pool);
    if (pool->adopt_orphans)
        qk__spawn_reap_adopted();
    if (qk__sql_children_look(pool->sql))
        keeper->busy = true;
    if (keeper->now >= keeper->beat_us)
        beat(keeper, false);
    atomic_store(&pool->looked_at, keeper->machine_us);
}

/* How long to sleep on the machine's clock; publishes when that is over. */
static int64_t plan(keeper *keeper)
{
    qk_worker *pool = keeper->pool;
    int64_t pause = keeper->beat_us - keeper->now;

    if (pause > QK__BEAT_US)
        pause = QK__BEAT_US;
    if (keeper->busy || keeper->now - keeper->busy_us < AWAKE_US) {
        if (pause > QK__TICK_US)
            pause = QK__TICK_US;
        int64_t due = keeper->next_deadline_us - keeper->now;
        if (keeper->next_deadline_us != QK__NEVER && pause > due)
            pause = due > 0 ? due : 0;
        atomic_store(&pool->keeper_at, keeper->now + pause);
    }
    return pause < 0 ? 0 : pause;
}

/* Sleeps so long, until kicked, or until the end. False: it is to end. */
static bool rest(keeper *keeper, int64_t pause_us)
{
    qk_worker *pool = keeper->pool;
    struct timespec until;

    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += pause_us / 1000000;
    until.tv_nsec += (pause_us % 1000000) * 1000;
    until.tv_sec += until.tv_nsec / 1000000000L;
    until.tv_nsec %= 1000000000L;
    pthread_mutex_lock(&pool->keeper_lock);
    while (!pool->keeper_kicked && !pool->keeper_finish) {
        if (pthread_cond_timedwait(&pool->keeper_wake, &pool->keeper_lock, &until) == ETIMEDOUT)
            break;
    }
    pool->keeper_kicked = false;
    bool go_on = !pool->keeper_finish;
    pthread_mutex_unlock(&pool->keeper_lock);
    return go_on;
}

void *qk__keeper_main(void *arg)
{
    keeper *keeper = arg;

    do {
        atomic_store(&keeper->pool->keeper_at, QK__NEVER);
        look(keeper);
    } while (rest(keeper, plan(keeper)));
    /* Every slot has ended. */
    keeper->running = 0;
    qk__outbox_put(keeper->pool, keeper->report);
    beat(keeper, true);
    return NULL;
}
