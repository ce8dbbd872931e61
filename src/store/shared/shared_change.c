/*
 * Cancel and retry of many jobs across a takeover.
 */
#include "store/shared/shared_internal.h"

struct cancel_args {
    qk_status *statuses;
    const qk_id *jobs;
    size_t count;
};

/* An attempt whose answer got lost may have done it: then these jobs are as it was wanted. */
static qk_status do_cancel(struct inner *inner, void *args, unsigned lost, qk_error *err)
{
    const struct cancel_args *a = args;
    qk_store *store = inner->store;
    qk_status rc = store->ops->cancel(store, a->statuses, a->jobs, a->count, err);
    for (size_t i = 0; lost && (!rc || rc == QK_ESTATE) && i < a->count; i++) {
        qk_job *job = NULL;
        if (a->statuses[i] == QK_ESTATE &&
            store->ops->get(store, &job, a->jobs[i], NULL) == QK_OK) {
            if (job->status == QK_JOB_CANCELLED)
                a->statuses[i] = QK_OK;
            qk_job_free(job);
        }
    }
    return rc == QK_ESTATE ? a->statuses[0] : rc;
}

qk_status shared_cancel(qk_store *base, qk_status *statuses, const qk_id *jobs, size_t count,
                        qk_error *err)
{
    struct cancel_args args = { statuses, jobs, count };
    return shared_change(shared_of(base), do_cancel, &args, REPEAT, err);
}

struct retry_args {
    qk_status *statuses;
    const qk_id *jobs;
    size_t count;
};
FORWARD(retry, a->statuses, a->jobs, a->count)

qk_status shared_retry(qk_store *base, qk_status *statuses, const qk_id *jobs, size_t count,
                       qk_error *err)
{
    struct retry_args args = { statuses, jobs, count };
    return shared_change(shared_of(base), do_retry, &args, ASK, err);
}
