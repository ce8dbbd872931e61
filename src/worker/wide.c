/*
 * Jobs that need several slots.
 *
 * Such a job runs in one slot and holds others, which then run nothing: active slots + held slots
 * never exceed what the pool should have. A slot is active while it takes and runs jobs; it says so
 * first and looks at `held` then, while who wants slots raises `held` first and counts active slots
 * then, so that one of them sees the other, and a job costs one atomic load where no job is wide.
 *
 * One job gathers at a time, and while it does no slot starts another job: a stream of small ones
 * would keep it waiting for ever. It waits for running jobs only, so two cannot wait for each other.
 */
#include <errno.h>

#include "worker/worker_internal.h"

/* Caller holds the pool's lock. */
static int count_active(const qk_worker *pool)
{
    int count = 0, slots = atomic_load(&pool->slot_count);

    for (int i = 0; i < slots; i++)
        count += atomic_load(&pool->slots[i]->active);
    return count;
}

/* Caller holds the pool's lock. */
static bool must_wait(const qk_worker *pool)
{
    int held = atomic_load(&pool->held);

    return held > 0 && !atomic_load(&pool->stopping) &&
           (pool->gathering || count_active(pool) + 1 + held > atomic_load(&pool->target));
}

static void tell(qk_worker *pool)
{
    pthread_mutex_lock(&pool->lock);
    pthread_cond_broadcast(&pool->wide);
    pthread_mutex_unlock(&pool->lock);
}

bool qk__slot_enter(qk__slot *slot)
{
    qk_worker *pool = slot->pool;

    atomic_store(&slot->active, true);
    if (atomic_load(&pool->held) == 0)
        return true;
    atomic_store(&slot->active, false);
    pthread_mutex_lock(&pool->lock);
    pthread_cond_broadcast(&pool->wide);
    while (must_wait(pool))
        pthread_cond_wait(&pool->wide, &pool->lock);
    atomic_store(&slot->active, true);
    pthread_mutex_unlock(&pool->lock);
    return !atomic_load(&pool->stopping);
}

void qk__slot_leave(qk__slot *slot)
{
    atomic_store(&slot->active, false);
    if (atomic_load(&slot->pool->held) > 0)
        tell(slot->pool);
}

/* Sets what the job holds to what it can get: a pool may shrink while it waits. Caller holds the
 * lock. */
static bool has_gathered(qk__slot *slot, int slots)
{
    qk_worker *pool = slot->pool;
    int most = atomic_load(&pool->target);
    int extra = (slots < most ? slots : most) - 1;

    atomic_fetch_add(&pool->held, extra - slot->extra);
    slot->extra = extra;
    return count_active(pool) + atomic_load(&pool->held) <= most;
}

/* Cancels are set without telling anybody here. */
static void wait_a_little(qk_worker *pool)
{
    struct timespec until;

    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += (long)QK__TICK_US * 1000;
    until.tv_sec += until.tv_nsec / 1000000000L;
    until.tv_nsec %= 1000000000L;
    pthread_cond_timedwait(&pool->wide, &pool->lock, &until);
}

/* The job's time starts, or waits to. */
static void set_deadline(qk__slot *slot, bool started)
{
    const qk_claimed *claim = slot->task.claim;
    int64_t now = qk__pool_now(slot->pool);

    pthread_mutex_lock(&slot->lock);
    slot->deadline_us = QK__NEVER;
    if (started) {
        slot->started_us = now;
        if (claim->timeout.us > 0 && claim->timeout.us < QK__NEVER - now)
            slot->deadline_us = now + claim->timeout.us;
    }
    pthread_mutex_unlock(&slot->lock);
    if (started && atomic_load(&slot->pool->keeper_at) > slot->deadline_us)
        qk__keeper_kick(slot->pool);
}

static bool give_up(const qk__slot *slot)
{
    return atomic_load(&slot->task.cancelled) || atomic_load(&slot->pool->stopping);
}

bool qk__slots_gather(qk__slot *slot, int slots)
{
    qk_worker *pool = slot->pool;
    bool good = false;

    set_deadline(slot, false);
    pthread_mutex_lock(&pool->lock);
    /* Two that gathered at once would each count the other as active. */
    atomic_store(&slot->active, false);
    pthread_cond_broadcast(&pool->wide);
    while (pool->gathering && !give_up(slot))
        wait_a_little(pool);
    atomic_store(&slot->active, true);
    if (!give_up(slot)) {
        pool->gathering = true;
        while (!(good = has_gathered(slot, slots)) && !give_up(slot))
            wait_a_little(pool);
        pool->gathering = false;
        pthread_cond_broadcast(&pool->wide);
    }
    pthread_mutex_unlock(&pool->lock);
    if (good)
        set_deadline(slot, true);
    else
        qk__slots_release(slot);
    return good;
}

void qk__slots_release(qk__slot *slot)
{
    qk_worker *pool = slot->pool;

    pthread_mutex_lock(&pool->lock);
    atomic_fetch_sub(&pool->held, slot->extra);
    slot->extra = 0;
    pthread_cond_broadcast(&pool->wide);
    pthread_mutex_unlock(&pool->lock);
}
