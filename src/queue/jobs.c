/*
 * Handing jobs in. Specs are checked and completed here (spec.c) before the store sees the first of
 * them, so that a bad one never leaves half a batch behind. Any thread; no state.
 */
#include <queuack/job.h>

#include <stdlib.h>
#include <string.h>

#include "queue/queue_internal.h"
#include "queue/spec.h"
#include "util/error.h"

qk__spec_limits qk__queue_limits(const qk_queue *queue)
{
    return (qk__spec_limits){ qk__queue_default_queue(queue), qk__queue_max_payload(queue) };
}

static qk_status enqueue_prepared(qk_enqueued *out, qk_queue *queue, const qk_job_spec *specs,
                                  size_t count, qk_error *err)
{
    qk__spec_memory memory = { 0 };
    qk__spec_limits limits = qk__queue_limits(queue);
    qk_enqueued *results = out;
    size_t bad = 0;
    qk_status rc = QK_ENOMEM;
    qk__new_job *jobs = calloc(count, sizeof(*jobs));

    if (!results)
        results = calloc(count, sizeof(*results));
    if (!jobs || !results) {
        qk__error(err, QK_ENOMEM, "out of memory for a batch of %zu jobs", count);
        goto out;
    }
    qk_error problem = QK_ERROR_INIT;
    rc = qk__spec_prepare(jobs, &bad, &memory, &limits, specs, count, &problem);
    if (rc) {
        qk__error(err, rc, "job %zu: %s", bad, problem.message);
        goto out;
    }
    qk_store *store = qk__queue_store(queue);
    rc = store->ops->enqueue(store, results, jobs, count, err);
out:
    if (results != out)
        free(results);
    qk__spec_memory_dispose(&memory);
    free(jobs);
    return rc;
}

qk_status qk_enqueue_batch(qk_enqueued *out, qk_queue *queue, const qk_job_spec *specs,
                           size_t count, qk_error *err)
{
    qk_status rc = qk__queue_enter(queue, err);
    if (rc)
        return rc;
    if (count > 0 && !specs)
        rc = qk__error(err, QK_EINVAL, "specs: must not be NULL");
    else if (count > 0)
        rc = enqueue_prepared(out, queue, specs, count, err);
    qk__queue_leave(queue);
    return rc;
}

/* A single job's message does not speak of a batch. */
static void drop_batch_prefix(qk_error *err)
{
    static const char prefix[] = "job 0: ";
    const size_t length = sizeof(prefix) - 1;
    if (err && strncmp(err->message, prefix, length) == 0)
        memmove(err->message, err->message + length, strlen(err->message + length) + 1);
}

qk_status qk_enqueue(qk_id *out, qk_queue *queue, const char *kind, const char *payload,
                     const qk_job_options *options, qk_error *err)
{
    qk_job_spec spec = { kind, payload, options };
    qk_enqueued enqueued;
    qk__new_job job;
    qk__spec_memory memory = { 0 };
    size_t bad;

    qk_status rc = qk__queue_enter(queue, err);
    if (rc)
        return rc;
    memset(&enqueued, 0, sizeof(enqueued));
    qk__spec_limits limits = qk__queue_limits(queue);
    rc = qk__spec_prepare(&job, &bad, &memory, &limits, &spec, 1, err);
    if (!rc) {
        qk_store *store = qk__queue_store(queue);
        rc = store->ops->enqueue(store, &enqueued, &job, 1, err);
        if (rc)
            drop_batch_prefix(err);
    }
    if (!rc && out)
        *out = enqueued.id;
    qk__spec_memory_dispose(&memory);
    qk__queue_leave(queue);
    return rc;
}
