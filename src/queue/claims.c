/*
 * Claims, and reporting how they went. Any thread; no state. Claims are one malloc'd block made by
 * the store.
 */
#include <queuack/job.h>

#include <stdlib.h>

#include "queue/queue_internal.h"
#include "queue/text.h"
#include "queue/validate.h"
#include "queue/wait.h"
#include "util/error.h"

#define MAX_PROGRESS_MESSAGE 1024
#define MAX_CLAIMS 100000 /* of one call: who asks for more gets these, and asks again */

static qk_status check_list(const char *field, const char *const *names, size_t count,
                            qk_error *err)
{
    if (count > 0 && !names)
        return qk__error(err, QK_EINVAL, "%s: must not be NULL when its count is not 0", field);
    for (size_t i = 0; i < count; i++) {
        qk_status rc = qk__check_name(field, names[i], err);
        if (rc)
            return rc;
    }
    return QK_OK;
}

static qk_status check_claim(const qk_claim_options *options, qk_error *err)
{
    qk_status rc =
        qk__check_version("claim options", "QK_CLAIM_OPTIONS_INIT", options->version, err);
    if (!rc)
        rc = check_list("queues", options->queues, options->queue_count, err);
    if (!rc)
        rc = check_list("kinds", options->kinds, options->kind_count, err);
    if (!rc)
        rc = qk__check_optional_name("worker_id", options->worker_id, err);
    if (!rc)
        rc = qk__check_duration("wait", options->wait, true, err);
    if (!rc)
        rc = qk__check_duration("lease", options->lease, true, err);
    if (!rc && options->max == 0)
        rc = qk__error(err, QK_EINVAL, "max: must be at least 1");
    return rc;
}

/* A lease as the store takes it: sums with a point in time must not overflow. */
static int64_t lease_us(qk_duration lease)
{
    return lease.us > QK__DURATION_MAX_US ? QK__DURATION_MAX_US : lease.us;
}

static qk_status claim(qk_claims **out, qk_queue *queue, const qk_claim_options *options,
                       size_t max, qk_error *err)
{
    qk_store *store = qk__queue_store(queue);
    const char *default_queue = qk__queue_default_queue(queue);
    bool named = options->queue_count > 0;
    qk__wait_steps steps = qk__wait_begin(queue, options->wait.us);
    qk_status rc;

    qk__claim_request request = {
        .queues = named ? options->queues : &default_queue,
        .queue_count = named ? options->queue_count : 1,
        .kinds = options->kind_count > 0 ? options->kinds : NULL,
        .kind_count = options->kind_count,
        .worker_id = options->worker_id ? options->worker_id : qk__queue_worker_id(queue),
        .max = max < MAX_CLAIMS ? max : MAX_CLAIMS,
        .lease_us = lease_us(options->lease),
        .strict = options->strict || qk__queue_strict(queue),
    };
    do {
        request.wait_us = qk__wait_step(&steps);
        rc = store->ops->claim(store, out, &request, err);
    } while (rc == QK_EMPTY && qk__wait_more(&steps));
    if (rc == QK_EMPTY && qk__queue_closing(queue))
        rc = qk__error(err, QK_ECLOSED, "the queue handle is being closed");
    return rc;
}

static qk_status claim_checked(qk_claims **out, qk_queue *queue, const qk_claim_options *options,
                               bool one, qk_error *err)
{
    static const qk_claim_options defaults = QK_CLAIM_OPTIONS_INIT;
    qk_claims *claims = NULL;

    if (!out)
        return qk__error(err, QK_EINVAL, "out: must not be NULL");
    *out = NULL;
    qk_status rc = qk__queue_enter(queue, err);
    if (rc)
        return rc;
    if (!options)
        options = &defaults;
    rc = check_claim(options, err);
    if (!rc)
        rc = claim(&claims, queue, options, one ? 1 : options->max, err);
    if (!rc)
        *out = claims;
    qk__queue_leave(queue);
    return rc;
}

qk_status qk_claim(qk_claims **out, qk_queue *queue, const qk_claim_options *options, qk_error *err)
{
    return claim_checked(out, queue, options, true, err);
}

qk_status qk_claim_batch(qk_claims **out, qk_queue *queue, const qk_claim_options *options,
                         qk_error *err)
{
    return claim_checked(out, queue, options, false, err);
}

void qk_claims_free(qk_claims *claims)
{
    free(claims);
}

static qk_status lease_lost(qk_error *err)
{
    return qk__error(err, QK_ELEASE,
                     "the lease is no longer held: the job was cancelled, ran out "
                     "of time, or is another worker's now");
}

qk_status qk_heartbeat(qk_queue *queue, const qk_lease *lease, qk_duration extend, qk_error *err)
{
    qk_status status = QK_OK;

    qk_status rc = qk__queue_enter(queue, err);
    if (rc)
        return rc;
    rc = qk__check_lease(lease, err);
    if (!rc)
        rc = qk__check_duration("extend", extend, true, err);
    if (!rc) {
        qk_store *store = qk__queue_store(queue);
        rc = store->ops->extend(store, &status, lease, 1, lease_us(extend), err);
    }
    if (!rc && status)
        rc = status == QK_ELEASE ? lease_lost(err)
                                 : qk__error(err, status, "%s", qk_status_text(status));
    qk__queue_leave(queue);
    return rc;
}

qk_status qk_progress(qk_queue *queue, const qk_lease *lease, double fraction, const char *message,
                      qk_error *err)
{
    char *cleaned = NULL;

    qk_status rc = qk__queue_enter(queue, err);
    if (rc)
        return rc;
    rc = qk__check_lease(lease, err);
    if (!rc && !(fraction >= 0.0 && fraction <= 1.0)) /* catches NaN */
        rc = qk__error(err, QK_EINVAL, "progress: must be within 0 and 1");
    if (!rc)
        rc = qk__text_clean(&cleaned, message, MAX_PROGRESS_MESSAGE, err);
    if (!rc) {
        qk_store *store = qk__queue_store(queue);
        rc = store->ops->progress(store, lease, fraction, cleaned ? cleaned : message, err);
    }
    free(cleaned);
    qk__queue_leave(queue);
    return rc;
}
