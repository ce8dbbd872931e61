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
    out->slots = (uint32_t)pool->slot_count;
    for (int i = 0; i < pool->slot_count; i++) {
        qk__slot *slot = &pool->slots[i];
        pthread_mutex_lock(&slot->lock);
        out->running += slot->running;
        out->overdue += slot->running && slot->reason != QK__CUT_NONE;
        pthread_mutex_unlock(&slot->lock);
    }
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
