/*
 * The writer: group commit.
 *
 * The writer cuts whatever changed while the last commit was under way, so that the batch grows
 * with the load and latency stays one commit when there is none. Replay must stay under two
 * seconds, so the journal turns by rows and by commits, and at idle earlier.
 */
#include "store/embedded/embedded_internal.h"

#include "store/embedded/database.h"
#include "util/error.h"

#include <string.h>
#include <sys/eventfd.h>
#include <time.h>

#define TURN_ROWS 400000u
#define TURN_COMMITS 1500u
#define TURN_BYTES (64u << 20)
#define IDLE_TURN_ROWS 2000u
#define IDLE_US 2000000
#define COMMIT_ATTEMPTS 3
#define RETRY_US 1000000
#define LINGER_US 10000
#define LINGER_ROWS 2000u
#define GATHER_MIN 4u
#define GATHER_MAX 100u
#define GATHER_NS 3000

uint64_t present_gate(const struct embedded *store)
{
    uint64_t next = qk__engine_batch(store->engine);
    return qk__engine_dirty(store->engine) ? next : next - 1;
}

void announce(struct embedded *store)
{
    if (store->lingering ? qk__engine_dirty_count(store->engine) >= LINGER_ROWS
                         : qk__engine_dirty(store->engine)) {
        pthread_cond_signal(&store->work);
    }
    uint64_t changes = qk__engine_changes(store->engine);
    if (changes != store->seen_changes) {
        store->seen_changes = changes;
        pthread_cond_broadcast(&store->ready);
        (void)eventfd_write(store->wait_fd, 1);
    }
    const char *queue;
    uint64_t waiting;
    if (qk__engine_take_warning(store->engine, &queue, &waiting)) {
        log_backpressure(store, queue, waiting);
    }
}

void wake_all(struct embedded *store)
{
    for (size_t i = 0; i < DURABLE_WAYS; i++) {
        pthread_cond_broadcast(&store->durable[i]);
    }
    pthread_cond_broadcast(&store->state);
    pthread_cond_broadcast(&store->ready);
    pthread_cond_broadcast(&store->upkeep);
}

qk_status wait_durable(struct embedded *store, uint64_t batch, qk_error *err)
{
    for (;;) {
        for (size_t i = 0; i < store->failure_count; i++) {
            const struct failure *failure = &store->failures[i];
            if (batch > failure->after && batch <= failure->upto) {
                return qk__error(err, failure->error.code, "%s", failure->error.message);
            }
        }
        if (batch <= store->durable_batch) {
            return QK_OK;
        }
        if (store->broken) {
            return qk__error(err, store->trouble.code, "%s", store->trouble.message);
        }
        if (store->lingering) {
            pthread_cond_signal(&store->work);
        }
        store->waiting[batch % DURABLE_WAYS]++;
        wait_some(store, &store->durable[batch % DURABLE_WAYS], INT64_MAX);
        store->waiting[batch % DURABLE_WAYS]--;
    }
}

static bool turn_is_due(struct embedded *store, bool idle)
{
    uint64_t rows, commits, bytes;
    if (store->settling || store->settle_due || qk__engine_carrying(store->engine) ||
        store->journal->ops->unsettled(store->journal)) {
        return false;
    }
    store->journal->ops->size(store->journal, &rows, &commits, &bytes);
    uint64_t live = qk__engine_weight(store->engine);
    if (store->full_settle) {
        return true;
    }
    if (idle && rows > IDLE_TURN_ROWS && rows > 4 * live) {
        return true;
    }
    /* Carrying costs a row per live job: wait until the journal is worth it. */
    return rows > 2 * live && (rows >= TURN_ROWS || commits >= TURN_COMMITS || bytes >= TURN_BYTES);
}

static void turn(struct embedded *store)
{
    store->full_settle = false;
    store->journal->ops->turn(store->journal);
    qk__engine_carry_start(store->engine);
}

static uint64_t cut_bytes(const qk__cut *cut)
{
    uint64_t bytes = 0;
    for (size_t i = 0; i < cut->count; i++) {
        const qk__row *row = &cut->rows[i];
        bytes += 100 + row->payload.length + row->result.length + row->log_tail.length;
    }
    return bytes;
}

static void committed(struct embedded *store, qk__cut *cut)
{
    commit_counted(store, cut);
    store->log_commits++;
    store->log_rows += cut->count;
    store->log_bytes += cut_bytes(cut);
    store->durable_batch = cut->batch;
    store->last_commit_us = embedded_now(store).mono_us;
    store->settle_due |= cut->carry_complete;
    if (store->settle_due || checkpoint_is_due(store)) {
        pthread_cond_broadcast(&store->upkeep);
    }
    qk__engine_finish(store->engine, cut);
    store->woken = store->waiting[store->durable_batch % DURABLE_WAYS];
    pthread_cond_broadcast(&store->durable[store->durable_batch % DURABLE_WAYS]);
}

/* An error may be ambiguous: what is in the file decides. */
static bool is_there(struct embedded *store, const qk__cut *cut)
{
    uint64_t last = 0;
    return store->journal->ops->last_batch(store->journal, &last, NULL) == QK_OK &&
           last >= cut->batch;
}

/* A greedy query must not make a commit fail: it is interrupted, and the commit tried again. */
static qk_status commit_with_memory(struct embedded *store, const qk__cut *cut, qk_error *err)
{
    qk_status rc = QK_ENOMEM;
    for (int attempt = 0; rc == QK_ENOMEM && attempt < COMMIT_ATTEMPTS; attempt++) {
        if (attempt > 0) {
            qk__reader_interrupt(store->reader);
            if (is_there(store, cut)) {
                return QK_OK;
            }
        }
        rc = commit_timed(store, cut, err);
    }
    return rc;
}

/*
 * After a commit that failed. A database that refuses everything was made to by an earlier failure,
 * of a checkpoint say: it is opened anew and the commit tried again. If the batch is there after
 * that, its sync may have failed: its callers are told so. With `lock` held, released meanwhile.
 */
static qk_status second_look(struct embedded *store, const qk__cut *cut, qk_status rc,
                             qk_error *err)
{
    if (!database_revive(store)) {
        return !store->broken && is_there(store, cut) ? QK_OK : rc;
    }
    if (is_there(store, cut)) {
        return rc;
    }
    pthread_mutex_unlock(&store->lock);
    rc = commit_with_memory(store, cut, err);
    pthread_mutex_lock(&store->lock);
    return rc == QK_OK || is_there(store, cut) ? QK_OK : rc;
}

/*
 * Many callers that wait for a commit each tend to come back together. Without a pause the next
 * batch would be the few that were first, and the rest would wait for two commits (measured with 64
 * callers: 23,000 jobs/s without, 36,000 with it). One caller alone never waits for this.
 */
static void let_callers_return(struct embedded *store)
{
    size_t woken = store->woken > GATHER_MAX ? GATHER_MAX : store->woken;
    store->woken = 0;
    if (woken < GATHER_MIN || qk__engine_dirty_count(store->engine) >= woken) {
        return;
    }
    struct timespec pause = { 0, (long)woken * GATHER_NS };
    pthread_mutex_unlock(&store->lock);
    nanosleep(&pause, NULL);
    pthread_mutex_lock(&store->lock);
}

/* Claims that run ahead of the disk wait a little for their outcome, so that one row tells both, and
 * outcomes that a pool will flush later wait for others: a pool that runs commands would otherwise
 * cause a commit per command. */
static void linger(struct embedded *store)
{
    uint64_t next = qk__engine_batch(store->engine);
    if (store->waiting[next % DURABLE_WAYS] == 0 && !store->stop && !store->full_settle &&
        !qk__engine_carrying(store->engine) &&
        qk__engine_dirty_count(store->engine) < LINGER_ROWS) {
        store->lingering = true;
        wait_some(store, &store->work, LINGER_US);
        store->lingering = false;
    }
}

static void write_batch(struct embedded *store)
{
    qk_error err = QK_ERROR_INIT;
    qk__cut *cut = qk__engine_cut(store->engine);
    if (cut == NULL) {
        wait_some(store, &store->work, 10000); /* no memory now: what changed stays dirty */
        return;
    }
    pthread_mutex_unlock(&store->lock);
    qk_status rc = commit_with_memory(store, cut, &err);
    pthread_mutex_lock(&store->lock);
    if (rc != QK_OK) {
        rc = second_look(store, cut, rc, &err);
    }
    if (rc == QK_OK) {
        committed(store, cut);
    } else {
        commit_failed(store, cut, &err);
    }
    if (!store->stop && !store->broken && turn_is_due(store, false)) {
        turn(store);
    }
}

static bool pass_idle_time(struct embedded *store)
{
    qk__now now = embedded_now(store);
    int64_t wait = qk__engine_next_tick(store->engine, now);
    int64_t idle_for = now.mono_us - store->last_commit_us;
    if ((store->full_settle || idle_for >= IDLE_US) && turn_is_due(store, true)) {
        turn(store);
        return true;
    }
    store->tidy_later |= store->log_rows > IDLE_TURN_ROWS;
    if (idle_for >= IDLE_US && store->tidy_later && !store->settling) {
        store->tidy = true;
        store->tidy_later = false;
        pthread_cond_broadcast(&store->upkeep);
    }
    if (idle_for < IDLE_US && wait > IDLE_US - idle_for) {
        wait = IDLE_US - idle_for + 1000;
    }
    if (wait > 0) {
        wait_some(store, &store->work, wait);
    }
    return false;
}

void *writer_main(void *argument)
{
    struct embedded *store = argument;
    qk__database_private_files();
    pthread_mutex_lock(&store->lock);
    for (;;) {
        if (!store->broken) {
            qk__engine_tick(store->engine, embedded_now(store));
            announce(store);
        }
        if (store->broken ? store->stop : store->stop && !qk__engine_dirty(store->engine)) {
            break;
        }
        if (store->broken) {
            wait_some(store, &store->work, RETRY_US);
            (void)mend(store);
        } else if (store->suspended && !store->stop) {
            wait_some(store, &store->work, RETRY_US / 10);
            if (store->suspended && !store->broken && !store->stop) {
                (void)probe_disk(store);
            }
        } else if (qk__engine_dirty(store->engine)) {
            let_callers_return(store);
            linger(store);
            write_batch(store);
            if (store->stop && store->suspended) {
                break; /* closing on a full disk: callers were told */
            }
        } else {
            (void)pass_idle_time(store);
        }
    }
    pthread_mutex_unlock(&store->lock);
    return NULL;
}
