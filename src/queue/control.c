/*
 * What a person does to jobs and queues: cancel, retry, purge, pause, resume. Any thread; no state.
 */
#include <queuack/queue.h>

#include <stdlib.h>

#include "queue/filter.h"
#include "queue/queue_internal.h"
#include "queue/validate.h"
#include "util/error.h"

typedef qk_status (*change_fn)(qk_store *store, qk_status *statuses, const qk_id *jobs,
                               size_t count, qk_error *err);

static qk_status check_ids(const qk_id *jobs, size_t count, qk_error *err)
{
    for (size_t i = 0; i < count; i++) {
        if (qk_id_is_none(jobs[i]))
            return count == 1 ? qk__error(err, QK_EINVAL, "job: the id is empty")
                              : qk__error(err, QK_EINVAL, "job %zu: the id is empty", i);
    }
    return QK_OK;
}

/* What a person did to a job. */
static void log_job(const qk_queue *queue, const char *event, qk_id job, const char *verb)
{
    char id[QK_ID_TEXT_SIZE];
    if (!qk__log_wants(qk__queue_log(queue), QK_LOG_INFO))
        return;
    qk_id_format(id, job);
    qk__log_event(qk__queue_log(queue), QK_LOG_INFO, event, QK__FIELDS(qk__log_text("job", id)),
                  "%s job %s", verb, id);
}

static qk_status change(qk_queue *queue, bool cancel, qk_status *statuses, const qk_id *jobs,
                        size_t count, qk_error *err)
{
    qk_error first = QK_ERROR_INIT; /* of those refused */
    qk_status rc = qk__queue_enter(queue, err);
    if (rc)
        return rc;
    qk_store *store = qk__queue_store(queue);
    for (size_t i = 0; i < count; i++)
        statuses[i] = QK_OK;
    change_fn fn = cancel ? store->ops->cancel : store->ops->retry;
    rc = check_ids(jobs, count, &first);
    if (!rc && count > 0)
        rc = fn(store, statuses, jobs, count, &first);
    for (size_t i = 0; !rc && i < count; i++) {
        if (!statuses[i])
            log_job(queue, cancel ? "job.cancelled" : "job.reopened", jobs[i],
                    cancel ? "cancelled" : "retried");
    }
    qk__queue_leave(queue);
    if (err && first.code)
        *err = first;
    return rc;
}

static qk_status change_batch(qk_queue *queue, bool cancel, qk_status *statuses, const qk_id *jobs,
                              size_t count, qk_error *err)
{
    qk_status *own = statuses ? statuses : calloc(count + 1, sizeof(*own));
    if (!own)
        return qk__error(err, QK_ENOMEM, "out of memory for %zu jobs", count);
    qk_status rc = change(queue, cancel, own, jobs, count, err);
    if (count == 1 && rc && rc == own[0])
        rc = QK_OK; /* of a batch of one as of any other */
    if (!statuses)
        free(own);
    return rc;
}

qk_status qk_cancel(qk_queue *queue, qk_id job, qk_error *err)
{
    qk_status status = QK_OK;
    return change(queue, true, &status, &job, 1, err);
}

qk_status qk_retry(qk_queue *queue, qk_id job, qk_error *err)
{
    qk_status status = QK_OK;
    return change(queue, false, &status, &job, 1, err);
}

qk_status qk_cancel_batch(qk_queue *queue, qk_status *statuses, const qk_id *jobs, size_t count,
                          qk_error *err)
{
    return change_batch(queue, true, statuses, jobs, count, err);
}

qk_status qk_retry_batch(qk_queue *queue, qk_status *statuses, const qk_id *jobs, size_t count,
                         qk_error *err)
{
    return change_batch(queue, false, statuses, jobs, count, err);
}

qk_status qk_purge(size_t *out, qk_queue *queue, const qk_job_filter *filter, qk_error *err)
{
    qk__filter_text text;
    qk_job_filter checked;
    size_t count = 0;

    qk_status rc = qk__queue_enter(queue, err);
    if (rc)
        return rc;
    rc = qk__filter_prepare(&checked, &text, filter, err);
    if (!rc && (checked.statuses & ~QK__TERMINAL_STATUSES))
        rc = qk__error(err, QK_EINVAL,
                       "statuses: only done, failed, skipped and cancelled jobs can "
                       "be purged");
    if (!rc) {
        if (checked.statuses == 0)
            checked.statuses = QK__TERMINAL_STATUSES;
        rc = qk__queue_store(queue)->ops->purge(qk__queue_store(queue), &count, &checked, err);
    }
    if (!rc)
        qk__log_event(qk__queue_log(queue), QK_LOG_INFO, "jobs.purged",
                      QK__FIELDS(qk__log_number("count", (int64_t)count)), "purged %zu jobs",
                      count);
    if (!rc && out)
        *out = count;
    qk__queue_leave(queue);
    return rc;
}

static qk_status set_paused(qk_queue *queue, const char *name, bool paused, qk_error *err)
{
    qk_status rc = qk__queue_enter(queue, err);
    if (rc)
        return rc;
    rc = qk__check_name("queue", name, err);
    if (!rc)
        rc = qk__queue_store(queue)->ops->pause(qk__queue_store(queue), name, paused, err);
    if (!rc)
        qk__log_event(qk__queue_log(queue), QK_LOG_INFO, paused ? "queue.paused" : "queue.resumed",
                      QK__FIELDS(qk__log_text("queue", name)), "%s queue %s",
                      paused ? "paused" : "resumed", name);
    qk__queue_leave(queue);
    return rc;
}

qk_status qk_queue_pause(qk_queue *queue, const char *name, qk_error *err)
{
    return set_paused(queue, name, true, err);
}

qk_status qk_queue_resume(qk_queue *queue, const char *name, qk_error *err)
{
    return set_paused(queue, name, false, err);
}

qk_status qk_queue_limit(qk_queue *queue, const char *name, uint32_t concurrency, qk_error *err)
{
    qk_status rc = qk__queue_enter(queue, err);
    if (rc)
        return rc;
    rc = qk__check_name("queue", name, err);
    if (!rc)
        rc = qk__queue_store(queue)->ops->limit(qk__queue_store(queue), name, concurrency, err);
    qk__queue_leave(queue);
    return rc;
}
