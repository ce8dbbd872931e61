/*
 * What a person does to jobs and queues: cancel, retry, purge, pause, resume. Any thread; no state.
 */
#include <queuack/queue.h>

#include "queue/filter.h"
#include "queue/queue_internal.h"
#include "queue/validate.h"
#include "util/error.h"

static qk_status check_id(qk_id job, qk_error *err)
{
    return qk_id_is_none(job) ? qk__error(err, QK_EINVAL, "job: the id is empty") : QK_OK;
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

qk_status qk_cancel(qk_queue *queue, qk_id job, qk_error *err)
{
    qk_status rc = qk__queue_enter(queue, err);
    if (rc)
        return rc;
    rc = check_id(job, err);
    if (!rc)
        rc = qk__queue_store(queue)->ops->cancel(qk__queue_store(queue), job, err);
    if (!rc)
        log_job(queue, "job.cancelled", job, "cancelled");
    qk__queue_leave(queue);
    return rc;
}

qk_status qk_retry(qk_queue *queue, qk_id job, qk_error *err)
{
    qk_status rc = qk__queue_enter(queue, err);
    if (rc)
        return rc;
    rc = check_id(job, err);
    if (!rc)
        rc = qk__queue_store(queue)->ops->retry(qk__queue_store(queue), job, err);
    if (!rc)
        log_job(queue, "job.reopened", job, "retried");
    qk__queue_leave(queue);
    return rc;
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
