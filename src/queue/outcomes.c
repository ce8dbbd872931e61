/*
 * Outcomes: ack, fail, nack, one by one or many in a commit. Any thread; no state.
 *
 * An outcome that is not acceptable in itself is answered for itself and does not keep the others
 * from being reported: losing results because a neighbour's was not JSON would run them all again.
 */
#include <queuack/job.h>

#include <stdlib.h>
#include <string.h>

#include "queue/queue_internal.h"
#include "queue/text.h"
#include "queue/validate.h"
#include "util/error.h"

#define MAX_TEXT ((size_t)64 << 10)

static qk_status check_outcome(size_t max_payload, const qk_outcome *outcome, qk_error *err)
{
    qk_status rc = qk__check_lease(&outcome->lease, err);
    if (rc)
        return rc;
    switch (outcome->verdict) {
    case QK_VERDICT_ACK:
        if (!outcome->result)
            return QK_OK;
        return qk__check_json("result", outcome->result, strlen(outcome->result), max_payload, err);
    case QK_VERDICT_FAIL:
        return QK_OK;
    case QK_VERDICT_NACK:
        return qk__check_duration("delay", outcome->delay, false, err);
    }
    return qk__error(err, QK_EINVAL, "verdict: %d is none", (int)outcome->verdict);
}

qk_status qk__outcome_fit(qk_outcome *out, qk__outcome_scratch *scratch, size_t max_payload,
                          const qk_outcome *outcome, qk_error *err)
{
    qk_status rc = check_outcome(max_payload, outcome, err);
    if (!rc)
        rc = qk__text_clean(&scratch->error, outcome->error, MAX_TEXT, err);
    if (!rc)
        rc = qk__text_clean_tail(&scratch->log_tail, outcome->log_tail, MAX_TEXT, err);
    if (rc)
        return rc;
    *out = *outcome;
    if (scratch->error)
        out->error = scratch->error;
    if (scratch->log_tail)
        out->log_tail = scratch->log_tail;
    if (out->verdict == QK_VERDICT_FAIL && !out->error)
        out->error = "failed";
    return QK_OK;
}

qk_status qk__outcome_prepare(qk_outcome *out, qk__outcome_scratch *scratch, const qk_queue *queue,
                              const qk_outcome *outcome, qk_error *err)
{
    return qk__outcome_fit(out, scratch, qk__queue_max_payload(queue), outcome, err);
}

void qk__outcome_scratch_dispose(qk__outcome_scratch *scratch)
{
    free(scratch->error);
    free(scratch->log_tail);
    scratch->error = scratch->log_tail = NULL;
}

static qk_status refused(qk_status status, qk_error *err)
{
    if (status == QK_ELEASE) {
        return qk__error(err, status,
                         "the lease is no longer held: the job was cancelled, ran out "
                         "of time, or is another worker's now");
    }
    return qk__error(err, status, "%s", qk_status_text(status));
}

static qk_status complete_one(qk_queue *queue, const qk_outcome *outcome, qk_error *err)
{
    qk__outcome_scratch scratch = { 0 };
    qk_outcome prepared;
    qk_status status = QK_OK;

    qk_status rc = qk__queue_enter(queue, err);
    if (rc)
        return rc;
    rc = qk__outcome_prepare(&prepared, &scratch, queue, outcome, err);
    if (!rc) {
        qk_store *store = qk__queue_store(queue);
        rc = store->ops->complete(store, &status, &prepared, 1, true, err);
    }
    if (!rc && status)
        rc = refused(status, err);
    qk__outcome_scratch_dispose(&scratch);
    qk__queue_leave(queue);
    return rc;
}

/* An outcome of `lease`, which may be NULL: the check then finds an empty one. */
static qk_outcome outcome_of(const qk_lease *lease, qk_verdict verdict)
{
    qk_outcome outcome;
    memset(&outcome, 0, sizeof(outcome));
    if (lease)
        outcome.lease = *lease;
    outcome.verdict = verdict;
    return outcome;
}

qk_status qk_ack(qk_queue *queue, const qk_lease *lease, const char *result, qk_error *err)
{
    qk_outcome outcome = outcome_of(lease, QK_VERDICT_ACK);
    outcome.result = result;
    return complete_one(queue, &outcome, err);
}

qk_status qk_fail(qk_queue *queue, const qk_lease *lease, const char *error, bool permanent,
                  qk_error *err)
{
    qk_outcome outcome = outcome_of(lease, QK_VERDICT_FAIL);
    outcome.error = error;
    outcome.permanent = permanent;
    return complete_one(queue, &outcome, err);
}

qk_status qk_nack(qk_queue *queue, const qk_lease *lease, qk_duration delay, bool requeue,
                  qk_error *err)
{
    qk_outcome outcome = outcome_of(lease, QK_VERDICT_NACK);
    outcome.delay = delay;
    outcome.no_requeue = !requeue;
    return complete_one(queue, &outcome, err);
}

/* Buffers of a batch: the outcomes that are acceptable, and which ones they were. */
typedef struct batch {
    qk_outcome *prepared;
    qk__outcome_scratch *scratch;
    size_t *index;
    qk_status *answers; /* the store's, of the prepared ones */
    size_t count; /* of them */
} batch;

static bool batch_init(batch *batch, size_t count)
{
    batch->count = 0;
    batch->prepared = calloc(count, sizeof(*batch->prepared));
    batch->scratch = calloc(count, sizeof(*batch->scratch));
    batch->index = calloc(count, sizeof(*batch->index));
    batch->answers = calloc(count, sizeof(*batch->answers));
    return batch->prepared && batch->scratch && batch->index && batch->answers;
}

static void batch_dispose(batch *batch, size_t count)
{
    for (size_t i = 0; batch->scratch && i < count; i++)
        qk__outcome_scratch_dispose(&batch->scratch[i]);
    free(batch->prepared);
    free(batch->scratch);
    free(batch->index);
    free(batch->answers);
}

/* The first refusal, if not one outcome was taken. Writes it to err. */
static qk_status judge(const batch *batch, qk_status first_bad, qk_error *first_problem,
                       qk_error *err)
{
    for (size_t i = 0; i < batch->count; i++) {
        if (batch->answers[i] == QK_OK)
            return QK_OK;
    }
    if (first_bad)
        return qk__error(err, first_bad, "%s", first_problem->message);
    return refused(batch->answers[0], err);
}

static qk_status complete_many(qk_queue *queue, qk_status *statuses, const qk_outcome *outcomes,
                               size_t count, qk_error *err)
{
    batch batch;
    qk_error problem = QK_ERROR_INIT, first_problem = QK_ERROR_INIT;
    qk_status rc = QK_OK, first_bad = QK_OK;
    qk_store *store = qk__queue_store(queue);

    if (!batch_init(&batch, count)) {
        rc = qk__error(err, QK_ENOMEM, "out of memory for a batch of %zu outcomes", count);
        goto out;
    }
    for (size_t i = 0; i < count; i++) {
        qk_status fit = qk__outcome_prepare(&batch.prepared[batch.count], &batch.scratch[i], queue,
                                            &outcomes[i], &problem);
        if (statuses)
            statuses[i] = fit;
        if (fit == QK_OK) {
            batch.index[batch.count++] = i;
        } else if (!first_bad) {
            first_bad = fit;
            qk__error(&first_problem, fit, "outcome %zu: %s", i, problem.message);
        }
    }
    if (batch.count > 0)
        rc = store->ops->complete(store, batch.answers, batch.prepared, batch.count, true, err);
    for (size_t i = 0; statuses && i < batch.count; i++)
        statuses[batch.index[i]] = rc ? rc : batch.answers[i];
    if (!rc)
        rc = judge(&batch, first_bad, &first_problem, err);
out:
    batch_dispose(&batch, count);
    return rc;
}

qk_status qk_complete_batch(qk_queue *queue, qk_status *statuses, const qk_outcome *outcomes,
                            size_t count, qk_error *err)
{
    qk_status rc = qk__queue_enter(queue, err);
    if (rc)
        return rc;
    if (count > 0 && !outcomes)
        rc = qk__error(err, QK_EINVAL, "outcomes: must not be NULL");
    else if (count > 0)
        rc = complete_many(queue, statuses, outcomes, count, err);
    qk__queue_leave(queue);
    return rc;
}
