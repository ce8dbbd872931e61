/*
 * What a pool asks the store for: from which queues, how many, and whether it should at all. Runs on
 * the claimer's thread, of which a pool has one at a time; so shares need no lock.
 *
 * Weights are stride scheduling: each queue has a pass that rises by jobs taken / weight, and the one
 * with the lowest pass is asked first. A queue that had nothing is moved up to where the others are,
 * so that it saves up no claims for later.
 */
#include <stdlib.h>
#include <string.h>

#include "worker/worker_internal.h"

#define WAIT_US 100000 /* a waiting claim of a draining pool */

struct qk__share {
    double pass;
    int weight;
};

qk_status qk__shares_init(qk_worker *pool, const int *weights)
{
    if (!weights)
        return QK_OK;
    pool->shares = calloc(pool->queue_count, sizeof(*pool->shares));
    if (!pool->shares)
        return QK_ENOMEM;
    for (size_t i = 0; i < pool->queue_count; i++)
        pool->shares[i].weight = weights[i];
    return QK_OK;
}

static size_t lowest(const qk_worker *pool, const bool *asked)
{
    size_t best = SIZE_MAX;

    for (size_t i = 0; i < pool->queue_count; i++) {
        if (!asked[i] && (best == SIZE_MAX || pool->shares[i].pass < pool->shares[best].pass))
            best = i;
    }
    return best;
}

static void charge(qk_worker *pool, const qk_claims *claims)
{
    for (size_t i = 0; i < claims->count; i++) {
        for (size_t j = 0; j < pool->queue_count; j++) {
            if (strcmp(pool->queues[j], claims->items[i].queue) != 0)
                continue;
            pool->shares[j].pass += 1.0 / pool->shares[j].weight;
            break;
        }
    }
}

/* Of a claim of `max` jobs, what one queue may have without the others falling behind. */
static size_t share_of(const qk_worker *pool, size_t queue, size_t max)
{
    long long total = 0;

    for (size_t i = 0; i < pool->queue_count; i++)
        total += pool->shares[i].weight;
    size_t share = (size_t)((double)max * pool->shares[queue].weight / (double)total);
    return share > 0 ? share : 1;
}

static qk_status claim_once(qk_claims **out, qk_worker *pool, const qk__claim_request *request,
                            qk_error *err)
{
    return pool->store->ops->claim(pool->store, out, request, err);
}

/* Asks one queue after the other, without waiting. */
static qk_status claim_shared(qk_claims **out, qk_worker *pool, const qk__claim_request *all,
                              bool *asked, qk_error *err)
{
    qk__claim_request request = *all;
    qk_status rc = QK_EMPTY;
    size_t queue;
    double floor = 0;

    memset(asked, 0, pool->queue_count * sizeof(*asked));
    while (rc == QK_EMPTY && (queue = lowest(pool, asked)) != SIZE_MAX) {
        asked[queue] = true;
        request.queues = all->queues + queue;
        request.queue_count = 1;
        request.max = share_of(pool, queue, all->max);
        rc = claim_once(out, pool, &request, err);
        if (rc == QK_OK)
            floor = pool->shares[queue].pass;
    }
    for (size_t i = 0; rc == QK_OK && i < pool->queue_count; i++) {
        if (pool->shares[i].pass < floor)
            pool->shares[i].pass = floor; /* it was asked before, and had nothing */
    }
    return rc;
}

static qk_status claim_by_weight(qk_claims **out, qk_worker *pool, qk__claim_request *request,
                                 qk_error *err)
{
    int64_t wait_us = request->wait_us;
    bool *asked = calloc(pool->queue_count, sizeof(*asked));

    request->wait_us = 0;
    qk_status rc = asked ? claim_shared(out, pool, request, asked, err) : QK_EMPTY;
    free(asked);
    if (rc == QK_EMPTY && wait_us != 0) {
        /* Whatever comes first; one job only, since the next may come in fair shares. */
        request->wait_us = wait_us;
        request->max = 1;
        rc = claim_once(out, pool, request, err);
    }
    if (rc == QK_OK)
        charge(pool, *out);
    return rc;
}

qk_status qk__claim(qk_claims **out, qk_worker *pool, size_t max, bool wait, qk_error *err)
{
    qk__claim_request request;
    int64_t began = qk__machine_us();

    qk__pool_request(pool, &request);
    request.max = max;
    request.wait_us = !wait ? 0 : pool->drain ? WAIT_US : INT64_MAX;
    qk_status rc = pool->shares ? claim_by_weight(out, pool, &request, err)
                                : claim_once(out, pool, &request, err);
    if (rc == QK_OK && (*out)->count == 0) {
        qk_claims_free(*out);
        rc = QK_EMPTY;
    }
    int64_t now = qk__machine_us();
    if (rc == QK_OK) {
        atomic_store_explicit(&pool->claimed_at, now, memory_order_relaxed);
        if (!wait)
            atomic_store_explicit(&pool->claim_time_us, now - began, memory_order_relaxed);
    }
    return rc;
}

size_t qk__claim_admitted(qk_worker *pool, size_t wanted)
{
    if (!pool->admit)
        return wanted;
    unsigned average = atomic_load(&pool->average_us);
    qk_worker_stats stats;
    qk_worker_stats_get(&stats, pool);
    const qk_worker_load load = {
        .wanted = wanted,
        .waiting = atomic_load(&pool->seen_waiting),
        .claimed = atomic_load(&pool->seen_claimed),
        .run_time = qk_us(average == QK__EWMA_UNKNOWN ? 0 : (int64_t)average),
        .claim_time = qk_us(atomic_load(&pool->claim_time_us)),
        .slots = (int)stats.slots,
        .running = (int)stats.running,
    };
    size_t take = pool->admit(pool->admit_user, &load);
    return take < wanted ? take : wanted;
}

void qk__claim_look(qk_worker *pool)
{
    qk_stats *stats = NULL;
    uint64_t waiting = 0, claimed = 0;

    if (pool->store->ops->stats(pool->store, &stats, NULL) != QK_OK)
        return;
    for (size_t i = 0; i < stats->count; i++) {
        for (size_t j = 0; j < pool->queue_count; j++) {
            if (strcmp(stats->queues[i].name, pool->queues[j]) != 0)
                continue;
            waiting += stats->queues[i].counts[QK_JOB_PENDING];
            claimed += stats->queues[i].counts[QK_JOB_CLAIMED];
        }
    }
    atomic_store(&pool->seen_waiting, waiting);
    atomic_store(&pool->seen_claimed, claimed);
    qk_stats_free(stats);
}
