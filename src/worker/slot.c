/*
 * A slot: claims, and works through batches. Runs on the slot's own thread.
 *
 * At most one slot of a pool (the claimer) is inside store->claim; the others run jobs or wait for
 * the claimer to bring some. So an idle pool costs nothing, and a new job wakes one thread. Before
 * the claimer starts on jobs that are not certain to be over at once it wakes another slot to take
 * its place; for jobs known to be fast it comes back to claim by itself sooner than the other would
 * be awake. The keeper corrects it when that guess was wrong.
 *
 * How many jobs are claimed: as many as slots could start now, and more when jobs are fast, but not
 * more than about 50 ms of work or 16 MiB of payload, and at most twice the last number.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "util/error.h"
#include "worker/worker_internal.h"

#define ADMIT_MS 100 /* until `admit` is asked again */
#define TROUBLE_MIN_MS 50
#define TROUBLE_MAX_MS 2000

qk_status qk__slot_new(qk__slot **out, qk_worker *pool, int index)
{
    qk__slot *slot = calloc(1, sizeof(*slot));
    qk_status rc = slot ? QK_OK : QK_ENOMEM;

    if (!slot)
        return rc;
    slot->pool = pool;
    slot->index = index;
    slot->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    pthread_mutex_init(&slot->lock, NULL);
    atomic_init(&slot->task.cancelled, false);
    slot->task.slot = slot;
    slot->report = calloc(1, sizeof(*slot->report));
    slot->spare = calloc(1, sizeof(*slot->spare));
    if (!slot->report || !slot->spare)
        rc = QK_ENOMEM;
    else if (slot->wake_fd < 0)
        rc = QK_EIO;
    if (rc == QK_OK)
        *out = slot;
    else
        qk__slot_free(slot);
    return rc;
}

void qk__slot_free(qk__slot *slot)
{
    int saved = errno;

    free(slot->report);
    free(slot->spare);
    free(slot->task.result);
    free(slot->valued_payload);
    if (slot->wake_fd >= 0)
        close(slot->wake_fd);
    pthread_mutex_destroy(&slot->lock);
    free(slot);
    errno = saved;
}

/* Caller holds the pool's lock. */
static size_t claim_size(qk_worker *pool)
{
    unsigned average = atomic_load_explicit(&pool->average_us, memory_order_relaxed);
    size_t idle = pool->waiting + 1;
    size_t size = 0;

    if (average != QK__EWMA_UNKNOWN)
        size = QK__CLAIM_WORK_US / (average ? average : 1);
    if (size > 2 * pool->claim_max)
        size = 2 * pool->claim_max;
    if (pool->payload_average > 0 && size > QK__CLAIM_BYTES / pool->payload_average)
        size = QK__CLAIM_BYTES / pool->payload_average;
    if (pool->prefetch < 0 || size < idle)
        size = idle;
    if (pool->prefetch > 0 && size > idle + (size_t)pool->prefetch)
        size = idle + (size_t)pool->prefetch;
    if (size > QK__CLAIM_MAX)
        size = QK__CLAIM_MAX;
    pool->claim_max = size;
    return size;
}

/* How many waiting slots `count` new jobs are worth waking. Caller holds the pool's lock. */
static size_t helpers_wanted(const qk_worker *pool, size_t count)
{
    unsigned average = atomic_load_explicit(&pool->average_us, memory_order_relaxed);
    size_t wanted = count; /* all but the one we take, and one to claim */

    if (average < QK__FAST_US)
        wanted = count * average / 1000;
    return wanted < pool->waiting ? wanted : pool->waiting;
}

static size_t average_payload(const qk_claims *claims)
{
    size_t bytes = 0;

    for (size_t i = 0; i < claims->count; i++)
        bytes += claims->items[i].payload_length;
    return claims->count == 0 ? 0 : bytes / claims->count;
}

/* What cannot be run for lack of memory is not kept until its lease runs out. */
static void give_back(qk_worker *pool, qk_claims *claims)
{
    qk_status status;

    for (size_t i = 0; i < claims->count; i++) {
        qk_outcome back = { .lease = claims->items[i].lease, .verdict = QK_VERDICT_NACK };
        (void)pool->store->ops->complete(pool->store, &status, &back, 1, false, NULL);
    }
    qk_claims_free(claims);
}

/* Makes the claims the pool's current batch. Only the claimer calls this, and the batch before is
 * then used up. On an error the claims are gone too. */
static qk_status publish(qk_worker *pool, qk_claims *claims, bool full)
{
    qk__batch *batch = qk__batch_new(claims);

    if (!batch) {
        give_back(pool, claims);
        return QK_ENOMEM;
    }
    batch->renewed_us = qk__pool_now(pool);
    size_t payload = average_payload(claims);
    pthread_mutex_lock(&pool->lock);
    qk__batch *before = pool->current;
    pool->current = batch;
    pool->payload_average = payload;
    pool->full_claim = full;
    for (size_t i = helpers_wanted(pool, claims->count); i > 0; i--)
        pthread_cond_signal(&pool->wake);
    pthread_mutex_unlock(&pool->lock);
    qk__batch_release(before);
    return QK_OK;
}

/* Sleeps unless the pool is stopping. Caller holds the pool's lock. */
static void sleep_ms(qk_worker *pool, int milliseconds)
{
    struct timespec until;

    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += (long)milliseconds * 1000000L;
    until.tv_sec += until.tv_nsec / 1000000000L;
    until.tv_nsec %= 1000000000L;
    while (!atomic_load(&pool->stopping)) {
        if (pthread_cond_timedwait(&pool->wake, &pool->lock, &until) == ETIMEDOUT)
            return;
    }
}

/* True once nothing is left that this pool could run or wait for. */
static bool drained(qk_worker *pool)
{
    qk__backlog backlog;
    qk__claim_request request;

    qk__pool_request(pool, &request);
    return pool->store->ops->backlog(pool->store, &backlog, &request, NULL) == QK_OK &&
           backlog.pending == 0 && backlog.delayed == 0 && backlog.claimed == 0;
}

/* Slots that neither claim nor wait. Caller holds the pool's lock. */
static unsigned at_work(const qk_worker *pool)
{
    return pool->alive - pool->waiting - (pool->claiming ? 1 : 0);
}

/* Asks for the backlog only when no slot of the pool itself keeps it from draining: that costs the
 * store a look at every job. */
static bool should_end(qk_worker *pool)
{
    pthread_mutex_lock(&pool->lock);
    bool quiet = at_work(pool) == 0;
    pthread_mutex_unlock(&pool->lock);
    return quiet && drained(pool);
}

/* What `admit` lets pass is claimed; nothing: QK_EMPTY, after a while. */
static qk_status claim(qk_worker *pool, size_t wanted, qk_error *err)
{
    qk_claims *claims = NULL;
    size_t max = qk__claim_admitted(pool, wanted);

    if (max == 0) {
        pthread_mutex_lock(&pool->lock);
        sleep_ms(pool, ADMIT_MS);
        pthread_mutex_unlock(&pool->lock);
        return QK_EMPTY;
    }
    bool ask = pool->drain || pool->admit;
    qk_status rc = qk__claim(&claims, pool, max, !ask, err);
    if (rc == QK_EMPTY && pool->drain && should_end(pool)) {
        qk__pool_stop(pool, false);
        return QK_EMPTY;
    }
    if (rc == QK_EMPTY && ask)
        rc = qk__claim(&claims, pool, pool->admit ? 1 : max, true, err);
    if (rc != QK_OK)
        return rc;
    bool full = claims->count >= max;
    rc = publish(pool, claims, full);
    return rc == QK_OK ? rc : qk__error(err, rc, "out of memory for claimed jobs");
}

/* The store cannot be asked: says so once, and waits. Caller holds no lock. */
static void in_trouble(qk_worker *pool, int *pause, const qk_error *err)
{
    if (*pause == 0 && !atomic_load(&pool->stopping))
        qk__log_write(pool->log, QK_LOG_WARN, "worker %s: cannot claim: %s", pool->id,
                      err->message);
    *pause = *pause == 0 ? TROUBLE_MIN_MS : *pause * 2;
    if (*pause > TROUBLE_MAX_MS)
        *pause = TROUBLE_MAX_MS;
    pthread_mutex_lock(&pool->lock);
    sleep_ms(pool, *pause);
    pthread_mutex_unlock(&pool->lock);
}

/* The claimer's turn; `max` was fixed when it took the place. */
static void claim_turn(qk__slot *slot, size_t max, int *pause)
{
    qk_worker *pool = slot->pool;
    qk_error err = QK_ERROR_INIT;

    qk__slot_report(slot);
    qk_status rc = claim(pool, max, &err);
    if (rc == QK_ECLOSED)
        qk__pool_stop(pool, false);
    else if (rc != QK_OK && rc != QK_EMPTY)
        in_trouble(pool, pause, &err);
    else
        *pause = 0;
    pthread_mutex_lock(&pool->lock);
    pool->claiming = false;
    if (rc != QK_OK)
        pool->full_claim = false;
    pthread_mutex_unlock(&pool->lock);
}

/* Waits for the claimer. Caller holds the lock, which is released meanwhile. */
static void follow(qk__slot *slot)
{
    qk_worker *pool = slot->pool;

    pool->waiting++;
    pthread_cond_wait(&pool->wake, &pool->lock);
    pool->waiting--;
}

/* Before it waits: reports, and if it was the last to work, looks whether the pool has drained, which
 * is what the claimer is then waiting for. Caller holds the lock, which is released meanwhile. */
static void report_unlocked(qk__slot *slot)
{
    qk_worker *pool = slot->pool;

    pthread_mutex_unlock(&pool->lock);
    qk__slot_report(slot);
    pthread_mutex_lock(&pool->lock);
    if (!pool->drain || at_work(pool) > 1)
        return;
    pthread_mutex_unlock(&pool->lock);
    if (drained(pool))
        qk__pool_stop(pool, false);
    pthread_mutex_lock(&pool->lock);
}

/* A batch with something left in it, with a reference; NULL when the slot is to end: the pool stops,
 * or has become smaller (*retired). */
static qk__batch *next_batch(qk__slot *slot, bool *retired)
{
    qk_worker *pool = slot->pool;
    qk__batch *batch = NULL;
    int pause = 0;
    bool reported = false;

    pthread_mutex_lock(&pool->lock);
    while (!atomic_load(&pool->stopping)) {
        *retired = qk__scale_retire(slot);
        if (*retired)
            break;
        batch = qk__batch_current(pool);
        if (batch)
            break;
        if (!pool->claiming) {
            pool->claiming = true;
            size_t max = claim_size(pool);
            pthread_mutex_unlock(&pool->lock);
            claim_turn(slot, max, &pause);
            pthread_mutex_lock(&pool->lock);
        } else if (!reported) {
            report_unlocked(slot);
            reported = true;
        } else {
            follow(slot);
        }
    }
    pthread_mutex_unlock(&pool->lock);
    return batch;
}

static bool is_surplus(const qk_worker *pool)
{
    return atomic_load_explicit(&pool->surplus, memory_order_relaxed);
}

static void work_through(qk__slot *slot)
{
    qk_worker *pool = slot->pool;
    size_t index;

    slot->measured_ns = 0; /* waiting is not run time */
    while (!atomic_load_explicit(&pool->stopping, memory_order_relaxed) && !is_surplus(pool) &&
           qk__slot_enter(slot) && qk__batch_take(slot->batch, &index)) {
        if (atomic_load_explicit(&slot->batch->lost[index], memory_order_relaxed))
            atomic_fetch_add(&pool->lost, 1);
        else
            qk__slot_run(slot, &slot->batch->claims->items[index]);
    }
    qk__slot_leave(slot);
}

/* The last slot to end tells who waits for the pool. */
static void end(qk_worker *pool)
{
    uint64_t one = 1;

    pthread_mutex_lock(&pool->lock);
    bool last = --pool->alive == 0;
    pthread_mutex_unlock(&pool->lock);
    if (last && write(pool->ended_fd, &one, sizeof(one)) < 0)
        qk__log_write(pool->log, QK_LOG_ERROR, "worker %s: cannot signal its end", pool->id);
}

/* What nobody will start goes back. */
static void hand_back_rest(qk__slot *slot)
{
    qk_worker *pool = slot->pool;

    pthread_mutex_lock(&pool->lock);
    qk__batch *rest = qk__batch_current(pool);
    pthread_mutex_unlock(&pool->lock);
    if (rest)
        qk__batch_hand_back(pool, rest, slot->spare, true);
    qk__batch_release(rest);
}

void *qk__slot_main(void *arg)
{
    qk__slot *slot = arg;
    bool retired = false;

    while ((slot->batch = next_batch(slot, &retired)) != NULL) {
        work_through(slot);
        qk__batch_release(slot->batch);
    }
    qk__slot_report(slot);
    if (retired)
        return NULL;
    hand_back_rest(slot);
    end(slot->pool);
    return NULL;
}
