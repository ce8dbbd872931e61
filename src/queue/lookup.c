/*
 * Looking things up: a job, its result, waiting for it, lists, statistics. Any thread; no state.
 * What is handed out is one malloc'd block, made by the store.
 */
#include <queuack/queue.h>

#include <stdlib.h>
#include <string.h>

#include "queue/filter.h"
#include "queue/queue_internal.h"
#include "queue/validate.h"
#include "queue/wait.h"
#include "util/error.h"

qk_status qk_job_get(qk_job **out, qk_queue *queue, qk_id id, qk_error *err)
{
    qk_job *job = NULL;

    if (!out)
        return qk__error(err, QK_EINVAL, "out: must not be NULL");
    *out = NULL;
    qk_status rc = qk__queue_enter(queue, err);
    if (rc)
        return rc;
    if (qk_id_is_none(id))
        rc = qk__error(err, QK_EINVAL, "job: the id is empty");
    else
        rc = qk__queue_store(queue)->ops->get(qk__queue_store(queue), &job, id, err);
    if (!rc)
        *out = job;
    qk__queue_leave(queue);
    return rc;
}

void qk_job_free(qk_job *job)
{
    free(job);
}

qk_status qk_result(char **out, qk_queue *queue, qk_id id, qk_error *err)
{
    qk_job *job = NULL;
    char *text = NULL;

    if (!out)
        return qk__error(err, QK_EINVAL, "out: must not be NULL");
    *out = NULL;
    qk_status rc = qk_job_get(&job, queue, id, err);
    if (rc)
        return rc;
    if (job->status != QK_JOB_DONE) {
        const char *name = qk_job_status_name(job->status);
        rc = qk__error(err, QK_ESTATE, "the job is %s: only done jobs have a result",
                       name ? name : "in no known state");
    } else if (job->result) {
        text = strdup(job->result);
        if (!text)
            rc = qk__error(err, QK_ENOMEM, "out of memory");
    }
    qk_job_free(job);
    if (!rc)
        *out = text;
    return rc;
}

static qk_status wait_ended(qk_queue *queue, qk_id id, int64_t timeout_us, qk_error *err)
{
    qk_store *store = qk__queue_store(queue);
    qk__wait_steps steps = qk__wait_begin(queue, timeout_us);
    qk_status rc;
    do
        rc = store->ops->wait(store, id, qk__wait_step(&steps), err);
    while (rc == QK_ETIMEDOUT && qk__wait_more(&steps));
    if (rc == QK_ETIMEDOUT && qk__queue_closing(queue))
        rc = qk__error(err, QK_ECLOSED, "the queue handle is being closed");
    return rc;
}

qk_status qk_wait(qk_job **out, qk_queue *queue, qk_id id, qk_duration timeout, qk_error *err)
{
    if (out)
        *out = NULL;
    qk_status rc = qk__queue_enter(queue, err);
    if (rc)
        return rc;
    rc = qk__check_duration("timeout", timeout, true, err);
    if (!rc && qk_id_is_none(id))
        rc = qk__error(err, QK_EINVAL, "job: the id is empty");
    if (!rc)
        rc = wait_ended(queue, id, timeout.us, err);
    if (!rc && out)
        rc = qk__queue_store(queue)->ops->get(qk__queue_store(queue), out, id, err);
    qk__queue_leave(queue);
    return rc;
}

static qk_status list_jobs(qk_job_list **out, qk_queue *queue, const qk_job_filter *filter,
                           uint32_t only, qk_error *err)
{
    qk__filter_text text;
    qk_job_filter checked;
    qk_job_list *list = NULL;

    if (!out)
        return qk__error(err, QK_EINVAL, "out: must not be NULL");
    *out = NULL;
    qk_status rc = qk__queue_enter(queue, err);
    if (rc)
        return rc;
    rc = qk__filter_prepare(&checked, &text, filter, err);
    if (!rc && only && (checked.statuses & ~only))
        rc = qk__error(err, QK_EINVAL, "statuses: dead letters are failed jobs only");
    if (!rc) {
        if (only)
            checked.statuses = only;
        rc = qk__queue_store(queue)->ops->list(qk__queue_store(queue), &list, &checked, err);
    }
    if (!rc)
        *out = list;
    qk__queue_leave(queue);
    return rc;
}

qk_status qk_job_list_get(qk_job_list **out, qk_queue *queue, const qk_job_filter *filter,
                          qk_error *err)
{
    return list_jobs(out, queue, filter, 0, err);
}

qk_status qk_dead_letters(qk_job_list **out, qk_queue *queue, const qk_job_filter *filter,
                          qk_error *err)
{
    return list_jobs(out, queue, filter, 1u << QK_JOB_FAILED, err);
}

void qk_job_list_free(qk_job_list *list)
{
    free(list);
}

qk_status qk_stats_get(qk_stats **out, qk_queue *queue, qk_error *err)
{
    qk_stats *stats = NULL;

    if (!out)
        return qk__error(err, QK_EINVAL, "out: must not be NULL");
    *out = NULL;
    qk_status rc = qk__queue_enter(queue, err);
    if (rc)
        return rc;
    rc = qk__queue_store(queue)->ops->stats(qk__queue_store(queue), &stats, err);
    if (!rc)
        *out = stats;
    qk__queue_leave(queue);
    return rc;
}

void qk_stats_free(qk_stats *stats)
{
    free(stats);
}
