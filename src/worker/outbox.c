/*
 * The outbox and its reporter thread; see outbox.h.
 *
 * Invariants:
 *  1. An outcome enters `fresh` only after the store was told (or refused to listen: again is set).
 *  2. Before a flush everything in `sent` has been reported since the last failure known.
 *  3. A failure is a flush that failed, or the store's count of failed commits having risen: either
 *     may have made it forget what was reported before. Who reported before a failure and arrives
 *     after it is recognised by the epoch and reported again.
 * Reporting twice is harmless: the store gives the first answer again.
 */
#include "worker/outbox.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "util/error.h"
#include "worker/logs.h"
#include "worker/worker_internal.h"

#define CAPACITY (QK__OUTBOX_MAX + QK__OUTBOX_SPARE) /* of a pile */
#define LINGER_MS 20 /* outcomes gather this long before a flush, so that flushes are few */
#define PAUSE_MIN_MS 50
#define PAUSE_MAX_MS 2000
#define END_MS 30000 /* how long the end tries after a failure */
#define END_HURRIED_MS 5000

const char qk__text_no_memory[] = "out of memory";

static void text_free(const char *text)
{
    if (text != qk__text_no_memory)
        free((void *)(uintptr_t)text);
}

void qk__outcome_dispose(qk_outcome *outcome)
{
    if (outcome->result || outcome->error || outcome->log_tail) {
        text_free(outcome->result);
        text_free(outcome->error);
        text_free(outcome->log_tail);
        outcome->result = outcome->error = outcome->log_tail = NULL;
    }
}

static bool pile_init(qk__pile *pile)
{
    /* The pages are touched only when needed. */
    pile->outcomes = malloc(CAPACITY * sizeof(*pile->outcomes));
    pile->notes = malloc(CAPACITY);
    return pile->outcomes && pile->notes;
}

static void pile_clear(qk__pile *pile, int logs_dir)
{
    for (size_t i = 0; i < pile->count; i++) {
        const qk_lease *lease = &pile->outcomes[i].lease;
        if (pile->notes[i] & QK__NOTE_LOGGED)
            qk__log_remove(logs_dir, lease->job, lease->attempt);
        qk__outcome_dispose(&pile->outcomes[i]);
    }
    pile->count = 0;
    pile->again = false;
}

static void pile_append(qk__pile *pile, const qk_outcome *outcomes, const uint8_t *notes,
                        size_t count)
{
    memcpy(pile->outcomes + pile->count, outcomes, count * sizeof(*outcomes));
    memcpy(pile->notes + pile->count, notes, count);
    pile->count += count;
}

qk_status qk__outbox_init(qk__outbox *outbox)
{
    pthread_condattr_t attributes;

    memset(outbox, 0, sizeof(*outbox));
    outbox->logs_dir = -1;
    pthread_mutex_init(&outbox->lock, NULL);
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&outbox->work, &attributes);
    pthread_cond_init(&outbox->room, &attributes);
    pthread_condattr_destroy(&attributes);
    if (pile_init(&outbox->fresh) && pile_init(&outbox->sent))
        return QK_OK;
    return QK_ENOMEM; /* dispose frees the rest */
}

void qk__outbox_dispose(qk__outbox *outbox)
{
    qk__pile *piles[] = { &outbox->fresh, &outbox->sent };

    for (size_t i = 0; i < 2; i++) {
        pile_clear(piles[i], -1); /* not durable: their files stay */
        free(piles[i]->outcomes);
        free(piles[i]->notes);
    }
    pthread_cond_destroy(&outbox->work);
    pthread_cond_destroy(&outbox->room);
    pthread_mutex_destroy(&outbox->lock);
}

/* Adds to the pool's statistics and tells who wants to know, once. */
static void count_one(qk_worker *pool, const qk_outcome *outcome, uint8_t *note, qk_status status)
{
    if (*note & QK__NOTE_COUNTED)
        return;
    *note |= QK__NOTE_COUNTED;
    if (status == QK_ELEASE)
        atomic_fetch_add_explicit(&pool->lost, 1, memory_order_relaxed);
    else if (outcome->verdict == QK_VERDICT_ACK)
        atomic_fetch_add_explicit(&pool->done, 1, memory_order_relaxed);
    else if (outcome->verdict == QK_VERDICT_FAIL && (*note & QK__NOTE_FINAL))
        atomic_fetch_add_explicit(&pool->failed, 1, memory_order_relaxed);
    else if (outcome->verdict == QK_VERDICT_FAIL)
        atomic_fetch_add_explicit(&pool->retried, 1, memory_order_relaxed);
    if (pool->on_finished)
        pool->on_finished(pool->on_finished_user, outcome, *note & QK__NOTE_FINAL, status);
}

/* Tells the store. An error: some of it was not taken, all must be reported again. */
static qk_status report_some(qk_worker *pool, const qk_outcome *outcomes, uint8_t *notes,
                             size_t number, qk_error *err)
{
    qk_status statuses[QK__REPORT_MAX];
    qk_store *store = pool->store;
    qk_status rc = store->ops->complete(store, statuses, outcomes, number, false, err);

    /* A single outcome's fate may also be the call's. */
    if (rc != QK_OK && !(rc == QK_ELEASE && number == 1))
        return rc;
    if (rc == QK_ELEASE)
        statuses[0] = QK_ELEASE;
    rc = QK_OK;
    for (size_t i = 0; i < number; i++) {
        if (statuses[i] != QK_OK && statuses[i] != QK_ELEASE)
            rc = qk__error(err, statuses[i], "an outcome was not taken: %s",
                           qk_status_text(statuses[i]));
        else
            count_one(pool, &outcomes[i], &notes[i], statuses[i]);
    }
    return rc;
}

static qk_status report(qk_worker *pool, const qk_outcome *outcomes, uint8_t *notes, size_t number,
                        qk_error *err)
{
    for (size_t from = 0; from < number; from += QK__REPORT_MAX) {
        size_t some = number - from < QK__REPORT_MAX ? number - from : QK__REPORT_MAX;
        qk_status rc = report_some(pool, outcomes + from, notes + from, some, err);
        if (rc != QK_OK)
            return rc;
    }
    return QK_OK;
}

/* Takes in what the store was told; `epoch` is from before. Caller holds the lock. */
static void take_in(qk__outbox *outbox, qk__report *gathered, unsigned long long epoch,
                    qk_status told)
{
    if (outbox->abandoned) {
        for (size_t i = 0; i < gathered->count; i++)
            qk__outcome_dispose(&gathered->outcomes[i]);
    } else {
        if (outbox->fresh.count == 0)
            pthread_cond_signal(&outbox->work);
        pile_append(&outbox->fresh, gathered->outcomes, gathered->notes, gathered->count);
        if (told != QK_OK || epoch != atomic_load(&outbox->epoch))
            outbox->fresh.again = true;
    }
    gathered->count = 0;
}

static qk_status tell(qk_worker *pool, qk__report *gathered, unsigned long long *epoch)
{
    qk_error err = QK_ERROR_INIT;

    *epoch = atomic_load(&pool->outbox.epoch);
    return report(pool, gathered->outcomes, gathered->notes, gathered->count, &err);
}

void qk__outbox_put(qk_worker *pool, qk__report *gathered)
{
    qk__outbox *outbox = &pool->outbox;
    unsigned long long epoch;

    if (gathered->count == 0)
        return;
    qk_status told = tell(pool, gathered, &epoch);
    pthread_mutex_lock(&outbox->lock);
    while (outbox->fresh.count + gathered->count > QK__OUTBOX_MAX && !outbox->abandoned)
        pthread_cond_wait(&outbox->room, &outbox->lock);
    take_in(outbox, gathered, epoch, told);
    pthread_mutex_unlock(&outbox->lock);
}

void qk__outbox_try_put(qk_worker *pool, qk__report *gathered)
{
    qk__outbox *outbox = &pool->outbox;
    unsigned long long epoch;

    if (gathered->count == 0)
        return;
    /* Room cannot vanish between the two looks: only the keeper uses the spare part. */
    pthread_mutex_lock(&outbox->lock);
    bool room = outbox->fresh.count + gathered->count <= CAPACITY;
    pthread_mutex_unlock(&outbox->lock);
    if (!room)
        return;
    qk_status told = tell(pool, gathered, &epoch);
    pthread_mutex_lock(&outbox->lock);
    take_in(outbox, gathered, epoch, told);
    pthread_mutex_unlock(&outbox->lock);
}

/* Sleeps at most so long, or until something comes in. Caller holds the lock. */
static void sleep_ms(qk__outbox *outbox, int milliseconds)
{
    struct timespec until;

    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += (long)milliseconds * 1000000L;
    until.tv_sec += until.tv_nsec / 1000000000L;
    until.tv_nsec %= 1000000000L;
    while (!outbox->finish && outbox->fresh.count < QK__OUTBOX_MAX / 2) {
        if (pthread_cond_timedwait(&outbox->work, &outbox->lock, &until) == ETIMEDOUT)
            return;
    }
}

/* Moves what came in behind what is held. Caller holds the lock. */
static void collect(qk__outbox *outbox)
{
    if (outbox->sent.count == 0) {
        qk__pile swap = outbox->sent;
        outbox->sent = outbox->fresh;
        outbox->fresh = swap;
    } else {
        size_t room = CAPACITY - outbox->sent.count;
        size_t some = outbox->fresh.count < room ? outbox->fresh.count : room;
        qk__pile *fresh = &outbox->fresh;

        pile_append(&outbox->sent, fresh->outcomes, fresh->notes, some);
        fresh->count -= some;
        memmove(fresh->outcomes, fresh->outcomes + some, fresh->count * sizeof(*fresh->outcomes));
        memmove(fresh->notes, fresh->notes + some, fresh->count);
        outbox->sent.again |= fresh->again;
    }
    pthread_cond_broadcast(&outbox->room);
}

/* Leases that a failure brought back must not run out while the disk is full. */
static void keep_leases(qk_worker *pool, const qk__pile *pile)
{
    qk_lease leases[QK__REPORT_MAX];
    qk_status statuses[QK__REPORT_MAX];

    for (size_t from = 0; from < pile->count; from += QK__REPORT_MAX) {
        size_t some = pile->count - from < QK__REPORT_MAX ? pile->count - from : QK__REPORT_MAX;
        for (size_t i = 0; i < some; i++)
            leases[i] = pile->outcomes[from + i].lease;
        pool->store->ops->extend(pool->store, statuses, leases, some, 0, NULL);
    }
}

/* Makes `sent` durable and lets go of it; or marks it to be reported again. */
static qk_status settle(qk_worker *pool, qk_error *err)
{
    qk__outbox *outbox = &pool->outbox;
    qk__pile *sent = &outbox->sent;
    qk_counters counters;
    qk_status rc = QK_OK;

    if (sent->again)
        rc = report(pool, sent->outcomes, sent->notes, sent->count, err);
    if (rc == QK_OK)
        rc = pool->store->ops->flush(pool->store, err);
    pool->store->ops->counters(pool->store, &counters);
    bool forgot = counters.commit_failures != outbox->commit_failures;
    outbox->commit_failures = counters.commit_failures;
    if (rc != QK_OK || forgot) {
        atomic_fetch_add(&outbox->epoch, 1);
        sent->again = true;
        keep_leases(pool, sent);
        return rc;
    }
    pile_clear(sent, outbox->logs_dir);
    return QK_OK;
}

/* Nothing is left, or the end has been tried for long enough. Caller holds the lock. */
static bool finished(qk_worker *pool, int tried_ms)
{
    qk__outbox *outbox = &pool->outbox;
    size_t left = outbox->fresh.count + outbox->sent.count;

    if (!outbox->finish || (left && tried_ms < (outbox->hurry ? END_HURRIED_MS : END_MS)))
        return false;
    if (left)
        qk__log_write(pool->log, QK_LOG_ERROR,
                      "worker %s: %zu outcomes could not be made durable; their jobs may run again",
                      pool->id, left);
    outbox->left = left;
    outbox->abandoned = true;
    pthread_cond_broadcast(&outbox->room);
    return true;
}

static void wait_for_work(qk__outbox *outbox)
{
    while (outbox->fresh.count == 0 && !outbox->finish)
        pthread_cond_wait(&outbox->work, &outbox->lock);
    sleep_ms(outbox, LINGER_MS);
}

/* A pause after a failure that even the end respects: it must not spin on a full disk. */
static void pause_ms(qk__outbox *outbox, int milliseconds)
{
    struct timespec pause = { milliseconds / 1000, (milliseconds % 1000) * 1000000L };

    pthread_mutex_unlock(&outbox->lock);
    nanosleep(&pause, NULL);
    pthread_mutex_lock(&outbox->lock);
}

void *qk__outbox_main(void *arg)
{
    qk_worker *pool = arg;
    qk__outbox *outbox = &pool->outbox;
    int pause = 0, tried = 0;

    pthread_mutex_lock(&outbox->lock);
    for (;;) {
        if (pause == 0) {
            wait_for_work(outbox);
        } else {
            pause_ms(outbox, pause);
            tried = outbox->finish ? tried + pause : 0;
        }
        if (finished(pool, tried))
            break;
        collect(outbox);
        pthread_mutex_unlock(&outbox->lock);
        qk_error err = QK_ERROR_INIT;
        qk_status rc = settle(pool, &err);
        if (rc != QK_OK)
            outbox->error = err;
        if (rc != QK_OK && pause == 0)
            qk__log_write(pool->log, QK_LOG_WARN,
                          "worker %s: outcomes are held until they can be stored: %s", pool->id,
                          err.message);
        pthread_mutex_lock(&outbox->lock);
        if (outbox->sent.count == 0)
            pause = tried = 0;
        else
            pause = pause == 0 ? PAUSE_MIN_MS : pause * 2 < PAUSE_MAX_MS ? pause * 2 : PAUSE_MAX_MS;
    }
    pthread_mutex_unlock(&outbox->lock);
    return NULL;
}

void qk__outbox_finish(qk__outbox *outbox, bool hurry)
{
    pthread_mutex_lock(&outbox->lock);
    outbox->finish = true;
    outbox->hurry = outbox->hurry || hurry;
    pthread_cond_signal(&outbox->work);
    pthread_mutex_unlock(&outbox->lock);
}
