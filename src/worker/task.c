/*
 * What a running handler can ask for and say; see queuack/task.h.
 *
 * Called on the slot's thread or on others of the handler's; state is guarded by the slot's lock.
 * Progress goes to the store at most ten times a second; what comes between is kept and sent by the
 * keeper, or when the job ends.
 */
#include <stdlib.h>
#include <string.h>

#include "util/error.h"
#include "util/json.h"
#include "util/utf8.h"
#include "worker/worker_internal.h"

#define PROGRESS_EVERY_US 100000

const qk_claimed *qk_task_claim(const qk_task *task)
{
    return task->claim;
}

qk_id qk_task_job_id(const qk_task *task)
{
    return task->claim->lease.job;
}

int32_t qk_task_attempt(const qk_task *task)
{
    return task->claim->lease.attempt;
}

const char *qk_task_payload(const qk_task *task)
{
    return task->claim->payload;
}

qk_queue *qk_task_queue(const qk_task *task)
{
    return task->slot->pool->queue;
}

bool qk_task_cancelled(const qk_task *task)
{
    return atomic_load_explicit(&task->cancelled, memory_order_acquire);
}

void qk_task_permanent(qk_task *task)
{
    pthread_mutex_lock(&task->slot->lock);
    task->permanent = true;
    pthread_mutex_unlock(&task->slot->lock);
}

qk_status qk_task_result(qk_task *task, const char *json, qk_error *err)
{
    size_t limit = task->slot->pool->max_payload;
    char *copy = NULL;

    if (json) {
        size_t length = strlen(json);
        if (length > limit)
            return qk__error(err, QK_ETOOLARGE,
                             "a result of %zu bytes is larger than the limit of %zu", length,
                             limit);
        qk_status rc = qk__json_check(json, length, err);
        if (rc != QK_OK)
            return rc;
        copy = malloc(length + 1);
        if (!copy)
            return qk__error(err, QK_ENOMEM, "out of memory for a result of %zu bytes", length);
        memcpy(copy, json, length + 1);
    }
    pthread_mutex_lock(&task->slot->lock);
    char *before = task->result;
    task->result = copy;
    pthread_mutex_unlock(&task->slot->lock);
    free(before);
    return QK_OK;
}

/* Copies what fits, whole and valid characters only. */
static void copy_message(char *out, size_t size, const char *message)
{
    size_t length = strlen(message), at = 0;

    while (at < length) {
        size_t sequence = qk__utf8_sequence(message + at, length - at);
        if (at + (sequence ? sequence : 1) >= size)
            break;
        if (sequence == 0)
            out[at++] = '?';
        else
            memcpy(out + at, message + at, sequence);
        at += sequence;
    }
    out[at] = '\0';
}

qk_status qk_task_progress(qk_task *task, double fraction, const char *message, qk_error *err)
{
    qk_worker *pool = task->slot->pool;
    char copy[sizeof(task->progress_message)] = "";

    if (!(fraction >= 0.0 && fraction <= 1.0))
        return qk__error(err, QK_EINVAL, "progress must be from 0 to 1");
    if (qk_task_cancelled(task))
        return qk__error(err, QK_ELEASE, "the job was cancelled or timed out");
    if (message)
        copy_message(copy, sizeof(copy), message);

    int64_t now = qk__pool_now(pool);
    pthread_mutex_lock(&task->slot->lock);
    bool send = task->progress_sent_us == 0 || now - task->progress_sent_us >= PROGRESS_EVERY_US;
    task->progress = fraction;
    memcpy(task->progress_message, copy, sizeof(copy));
    task->progress_dirty = !send;
    if (send)
        task->progress_sent_us = now;
    pthread_mutex_unlock(&task->slot->lock);
    if (!send)
        return QK_OK;
    return pool->store->ops->progress(pool->store, &task->claim->lease, fraction,
                                      copy[0] ? copy : NULL, err);
}
