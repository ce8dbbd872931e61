/*
 * The writer: group commit. And the keeper: settling and checkpoints.
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

#define TURN_ROWS 400000u
#define TURN_COMMITS 1500u
#define TURN_BYTES (64u << 20)
/* With a large backlog the journal does not turn; its log is checkpointed all the same. */
#define LOG_ROWS 600000u
#define LOG_COMMITS 2000u
#define LOG_BYTES (96u << 20)
#define IDLE_TURN_ROWS 2000u
#define IDLE_US 2000000
#define COMMIT_ATTEMPTS 3
#define RETRY_US 1000000

uint64_t present_gate(const struct embedded *store)
{
    uint64_t next = qk__engine_batch(store->engine);
    return qk__engine_dirty(store->engine) ? next : next - 1;
}

void announce(struct embedded *store)
{
    if (qk__engine_dirty(store->engine)) {
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
        qk__log_write(&store->config.log, QK_LOG_WARN,
                      "backpressure: queue %s has %llu jobs waiting", queue,
                      (unsigned long long)waiting);
    }
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
        wait_some(store, &store->durable, INT64_MAX);
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

static bool checkpoint_is_due(const struct embedded *store)
{
    return store->log_rows >= LOG_ROWS || store->log_commits >= LOG_COMMITS ||
           store->log_bytes >= LOG_BYTES;
}

static void committed(struct embedded *store, qk__cut *cut)
{
    store->counters.commits++;
    store->log_commits++;
    store->log_rows += cut->count;
    store->log_bytes += cut_bytes(cut);
    store->counters.commit_rows += cut->count;
    store->durable_batch = cut->batch;
    store->last_commit_us = embedded_now(store).mono_us;
    store->settle_due |= cut->carry_complete;
    if (store->settle_due || checkpoint_is_due(store)) {
        pthread_cond_broadcast(&store->upkeep);
    }
    qk__engine_finish(store->engine, cut);
    pthread_cond_broadcast(&store->durable);
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
        rc = store->journal->ops->commit(store->journal, cut, err);
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

/* Settles if that is due, and checkpoints. Releases `lock` meanwhile. */
static void keep(struct embedded *store)
{
    qk_error err = QK_ERROR_INIT;
    qk__journal *journal = store->journal;
    bool settle = store->settle_due;
    uint64_t rows = store->log_rows;
    uint64_t commits = store->log_commits;
    uint64_t bytes = store->log_bytes;
    store->settling = true;
    store->settle_due = false;
    pthread_mutex_unlock(&store->lock);
    qk_status rc = settle ? journal->ops->settle(journal, &err) : QK_OK;
    pthread_mutex_lock(&store->lock);
    bool settled = rc == QK_OK;
    if (settled) {
        bool quiet = embedded_now(store).mono_us - store->last_commit_us > IDLE_US / 2;
        pthread_mutex_unlock(&store->lock);
        rc = journal->ops->checkpoint(journal, quiet, &err);
        pthread_mutex_lock(&store->lock);
    }
    store->settling = false;
    if (rc == QK_OK) {
        store->counters.checkpoints++;
        store->log_rows -= rows;
        store->log_commits -= commits;
        store->log_bytes -= bytes;
    } else {
        store->settle_due |= !settled; /* later: nothing is lost by waiting */
        store->settle_failures += !settled;
        store->settle_trouble = err;
        pthread_cond_broadcast(&store->upkeep);
        qk__log_write(&store->config.log, QK_LOG_WARN, "upkeep of the journal: %s", err.message);
        if (!store->stop) {
            wait_some(store, &store->upkeep, RETRY_US);
        }
    }
    pthread_cond_broadcast(&store->upkeep);
    pthread_cond_signal(&store->work);
}

void *keeper_main(void *argument)
{
    struct embedded *store = argument;
    qk__database_private_files();
    pthread_mutex_lock(&store->lock);
    while (!store->stop) {
        if ((store->settle_due || checkpoint_is_due(store)) && !store->broken &&
            !store->suspended) {
            keep(store);
        } else {
            wait_some(store, &store->upkeep, 3600000000);
        }
    }
    pthread_mutex_unlock(&store->lock);
    return NULL;
}

qk_status settle_all(struct embedded *store, qk_error *err)
{
    qk_status rc = enter_to_write(store, err);
    if (rc != QK_OK) {
        return rc;
    }
    rc = wait_durable(store, present_gate(store), err);
    uint64_t failures = store->settle_failures;
    store->full_settle = true; /* only the writer turns: it may be in a commit now */
    while (rc == QK_OK && !store->closing) {
        if (store->suspended || store->broken) {
            rc = qk__error(err, store->trouble.code, "%s", store->trouble.message);
        } else if (store->settle_failures != failures) {
            rc = qk__error(err, store->settle_trouble.code, "%s", store->settle_trouble.message);
        } else if (!store->full_settle && !store->settle_due && !store->settling &&
                   !qk__engine_carrying(store->engine) &&
                   !store->journal->ops->unsettled(store->journal)) {
            break;
        } else {
            pthread_cond_signal(&store->work);
            wait_some(store, &store->upkeep, 20000);
        }
    }
    if (rc == QK_OK && store->closing) {
        rc = qk__error(err, QK_ECLOSED, "the store is being closed");
    }
    leave(store);
    return rc;
}
