/*
 * Looking at a pool, and the handle's own pool. Any thread.
 */
#include <stdlib.h>
#include <string.h>

#include "worker/worker_internal.h"

void qk_worker_stats_get(qk_worker_stats *out, const qk_worker *worker)
{
    /* The locks inside are not part of what const promises. */
    qk_worker *pool = (qk_worker *)(uintptr_t)worker;

    memset(out, 0, sizeof(*out));
    out->done = atomic_load(&pool->done);
    out->failed = atomic_load(&pool->failed);
    out->retried = atomic_load(&pool->retried);
    out->lost = atomic_load(&pool->lost);
    out->slots = (uint32_t)atomic_load(&pool->target);
    for (int i = 0; i < atomic_load(&pool->slot_count); i++) {
        qk__slot *slot = pool->slots[i];
        pthread_mutex_lock(&slot->lock);
        out->running += slot->running;
        out->overdue += slot->running && slot->reason != QK__CUT_NONE;
        pthread_mutex_unlock(&slot->lock);
    }
}

/* Negative: never. */
static qk_duration age(const atomic_llong *at, int64_t now)
{
    int64_t then = atomic_load(at);

    return qk_us(then == 0 ? -1 : now > then ? now - then : 0);
}

void qk_worker_health_get(qk_worker_health *out, const qk_worker *worker)
{
    qk_worker *pool = (qk_worker *)(uintptr_t)worker;
    int64_t now = qk__machine_us();
    qk_worker_stats stats;

    memset(out, 0, sizeof(*out));
    qk_worker_stats_get(&stats, worker);
    pthread_mutex_lock(&pool->lock);
    out->started = pool->state == QK__POOL_STARTED;
    out->waiting = pool->waiting + pool->claiming;
    pthread_mutex_unlock(&pool->lock);
    out->stopping = atomic_load(&pool->stopping);
    out->since_look = age(&pool->looked_at, now);
    out->since_claim = age(&pool->claimed_at, now);
    out->since_finish = age(&pool->finished_at, now);
    out->slots = stats.slots;
    out->running = stats.running;
    out->overdue = stats.overdue;
    /* An idle keeper looks every ten seconds. */
    int64_t limit = pool->lease_us / 3 > 2 * QK__BEAT_US ? pool->lease_us / 3 : 2 * QK__BEAT_US;
    out->healthy = out->started && out->since_look.us >= 0 && out->since_look.us < limit;
}

size_t qk_worker_slots_get(qk_slot_state *out, size_t max, const qk_worker *worker)
{
    qk_worker *pool = (qk_worker *)(uintptr_t)worker;
    size_t count = (size_t)atomic_load(&pool->slot_count);
    int64_t now = qk__pool_now(pool);

    for (size_t i = 0; i < count && i < max; i++) {
        qk__slot *slot = pool->slots[i];
        qk_slot_state *state = &out[i];

        memset(state, 0, sizeof(*state));
        state->slot = slot->index;
        pthread_mutex_lock(&pool->lock);
        state->live = slot->thread_state == QK__THREAD_LIVE;
        pthread_mutex_unlock(&pool->lock);
        pthread_mutex_lock(&slot->lock);
        state->running = slot->running;
        if (slot->running) {
            state->overdue = slot->reason != QK__CUT_NONE;
            state->job = slot->task.claim->lease.job;
            state->attempt = slot->task.claim->lease.attempt;
            state->pid = atomic_load(&slot->pid);
            state->running_for = qk_us(now - slot->started_us);
            state->progress = slot->task.progress_sent_us ? slot->task.progress : -1;
            if (state->progress >= 0)
                memcpy(state->progress_message, slot->task.progress_message,
                       sizeof(state->progress_message));
        }
        pthread_mutex_unlock(&slot->lock);
    }
    return count;
}

const char *qk_worker_id(const qk_worker *worker)
{
    return worker->id;
}

static void close_own(void *worker)
{
    qk_worker_close(worker);
}

/* Caller holds the handle's worker lock. */
static qk_worker *open_own(qk_queue *queue)
{
    qk_worker_options options = QK_WORKER_OPTIONS_INIT;
    qk_worker *worker = NULL;
    qk_error err = QK_ERROR_INIT;

    options.concurrency = (int)qk__queue_workers_num(queue);
    if (qk_worker_open(&worker, queue, &options, &err) != QK_OK) {
        qk__log_write(qk__queue_log(queue), QK_LOG_ERROR, "cannot make the worker pool: %s",
                      err.message);
        return NULL;
    }
    qk__queue_on_close(queue, close_own, worker);
    return worker;
}

qk_worker *qk_queue_worker(qk_queue *queue)
{
    if (!queue || qk__queue_workers_num(queue) == 0)
        return NULL;
    pthread_mutex_lock(qk__queue_worker_lock(queue));
    void **slot = qk__queue_worker_slot(queue);
    if (!*slot)
        *slot = open_own(queue);
    qk_worker *worker = *slot;
    pthread_mutex_unlock(qk__queue_worker_lock(queue));
    return worker;
}
