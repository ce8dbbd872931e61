/*
 * Growing and shrinking a pool while it runs: by hand (qk_worker_resize) and by load.
 *
 * Shrinking picks no slot: the next that has nothing to do ends, the claimer last, so that a pool
 * always has one. A pool that adapts grows while every slot is busy and claims come back full, and
 * gives slots back one by one while more than one has been idle for long enough: the spare one is how
 * it learns of more work.
 */
#include <errno.h>

#include "util/error.h"
#include "util/fork.h"
#include "worker/worker_internal.h"

static int first_free(const qk_worker *pool)
{
    int count = atomic_load(&pool->slot_count);

    for (int i = 0; i < count; i++) {
        if (pool->slots[i]->thread_state != QK__THREAD_LIVE)
            return i;
    }
    return count;
}

static qk_status start_slot(qk_worker *pool, int index, qk_error *err)
{
    if (index == atomic_load(&pool->slot_count)) {
        qk_status rc = qk__slot_new(&pool->slots[index], pool, index);
        if (rc != QK_OK)
            return qk__error(err, rc, "cannot make slot %d of the worker", index + 1);
        atomic_store(&pool->slot_count, index + 1);
    }
    qk__slot *slot = pool->slots[index];
    if (slot->thread_state == QK__THREAD_ENDED)
        pthread_join(slot->thread, NULL);
    slot->thread_state = QK__THREAD_NONE;
    int rc = pthread_create(&slot->thread, NULL, qk__slot_main, slot);
    if (rc != 0)
        return qk__error_errno(err, QK_ENOMEM, rc, "cannot start slot %d of the worker", index + 1);
    slot->thread_state = QK__THREAD_LIVE;
    pool->alive++;
    return QK_OK;
}

qk_status qk__scale_up(qk_worker *pool, qk_error *err)
{
    sigset_t before;
    qk_status rc = QK_OK;

    qk__signals_block(&before);
    while (rc == QK_OK && (int)pool->alive < atomic_load(&pool->target))
        rc = start_slot(pool, first_free(pool), err);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return rc;
}

bool qk__scale_retire(qk__slot *slot)
{
    qk_worker *pool = slot->pool;

    if ((int)pool->alive <= atomic_load(&pool->target) || atomic_load(&pool->stopping))
        return false;
    pool->alive--;
    atomic_store(&pool->surplus, (int)pool->alive > atomic_load(&pool->target));
    slot->thread_state = QK__THREAD_ENDED;
    return true;
}

/* Caller holds the lock. */
static qk_status set_target(qk_worker *pool, int slots, qk_error *err)
{
    qk_status rc = QK_OK;

    atomic_store(&pool->target, slots);
    if (pool->state == QK__POOL_STARTED)
        rc = qk__scale_up(pool, err);
    if (rc != QK_OK)
        atomic_store(&pool->target, pool->alive > 0 ? (int)pool->alive : 1);
    atomic_store(&pool->surplus, (int)pool->alive > atomic_load(&pool->target));
    pthread_cond_broadcast(&pool->wake);
    pthread_cond_broadcast(&pool->wide);
    return rc;
}

qk_status qk_worker_resize(qk_worker *pool, int slots, qk_error *err)
{
    if (!pool || pool->fork_generation != qk__fork_generation())
        return qk__error(err, QK_EINVAL, "the worker is NULL or belongs to another process");
    if (slots < 1 || slots > QK__SLOTS_MAX)
        return qk__error(err, QK_EINVAL, "slots must be from 1 to %d", QK__SLOTS_MAX);
    pthread_mutex_lock(&pool->lock);
    qk_status rc = QK_OK;
    if (atomic_load(&pool->stopping) || pool->state == QK__POOL_JOINED)
        rc = qk__error(err, QK_ESTATE, "the worker is stopping");
    else
        rc = set_target(pool, slots, err);
    pthread_mutex_unlock(&pool->lock);
    return rc;
}

/* Caller holds the lock. */
static void grow(qk_worker *pool, int target)
{
    int wanted = target + target / 4 + 1;

    set_target(pool, wanted < pool->max_slots ? wanted : pool->max_slots, NULL);
}

/* Caller holds the lock. */
static void shrink(qk_worker *pool, int target)
{
    set_target(pool, target - 1, NULL);
}

void qk__scale_look(qk_worker *pool, int64_t machine_us, int running)
{
    if (pool->min_slots == pool->max_slots)
        return;
    pthread_mutex_lock(&pool->lock);
    int target = atomic_load(&pool->target);
    int busy = running + atomic_load(&pool->held);
    bool more = pool->full_claim || qk__batch_waits(pool);
    bool spare = busy + 1 < target && target > pool->min_slots && !atomic_load(&pool->stopping);
    if (!spare)
        pool->idle_since_us = 0;
    else if (pool->idle_since_us == 0)
        pool->idle_since_us = machine_us;
    if (busy >= target && more && target < pool->max_slots && !atomic_load(&pool->stopping)) {
        grow(pool, target);
    } else if (spare && machine_us - pool->idle_since_us >= pool->idle_us) {
        pool->idle_since_us = machine_us;
        shrink(pool, target);
    }
    pthread_mutex_unlock(&pool->lock);
}
