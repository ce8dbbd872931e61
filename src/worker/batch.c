/*
 * Batches: the jobs of one claim, shared by the slots of a pool.
 *
 * Items are taken one by one with an atomic counter, so that a job that turns out slow holds up
 * none of the others, and a job costs no lock. Any thread with a reference may take.
 */
#include <stdlib.h>

#include "worker/worker_internal.h"

qk__batch *qk__batch_new(qk_claims *claims)
{
    qk__batch *batch = calloc(1, sizeof(*batch) + claims->count * sizeof(batch->lost[0]));

    if (!batch)
        return NULL;
    batch->claims = claims;
    atomic_init(&batch->references, 1);
    atomic_init(&batch->next, 0);
    for (size_t i = 0; i < claims->count; i++)
        atomic_init(&batch->lost[i], false);
    return batch;
}

void qk__batch_release(qk__batch *batch)
{
    if (!batch || atomic_fetch_sub(&batch->references, 1) != 1)
        return;
    qk_claims_free(batch->claims);
    free(batch);
}

bool qk__batch_exhausted(const qk__batch *batch)
{
    return atomic_load(&batch->next) >= batch->claims->count;
}

bool qk__batch_take(qk__batch *batch, size_t *index)
{
    if (qk__batch_exhausted(batch))
        return false;
    *index = atomic_fetch_add(&batch->next, 1);
    return *index < batch->claims->count;
}

bool qk__batch_waits(const qk_worker *pool)
{
    return pool->current && !qk__batch_exhausted(pool->current);
}

qk__batch *qk__batch_current(const qk_worker *pool)
{
    if (!qk__batch_waits(pool))
        return NULL;
    atomic_fetch_add(&pool->current->references, 1);
    return pool->current;
}

void qk__batch_hand_back(qk_worker *pool, qk__batch *batch, qk__report *report, bool wait)
{
    size_t index;

    while (report->count < QK__REPORT_MAX && qk__batch_take(batch, &index)) {
        qk_outcome *outcome = &report->outcomes[report->count];
        *outcome =
            (qk_outcome){ .lease = batch->claims->items[index].lease, .verdict = QK_VERDICT_NACK };
        outcome->lease.worker_id = pool->id;
        report->notes[report->count++] = 0;
        if (report->count < QK__REPORT_MAX)
            continue;
        if (wait)
            qk__outbox_put(pool, report);
        else
            qk__outbox_try_put(pool, report);
    }
    if (wait)
        qk__outbox_put(pool, report);
    else
        qk__outbox_try_put(pool, report);
}
