/*
 * The keeper: settling and checkpoints, beside the writer.
 *
 * The writer turns the journal and says so by settle_due; the keeper then checkpoints and moves what
 * ended into the history. In this order while there is work: a commit waits for as long as its table
 * takes to be checkpointed, so that table should be nearly empty then (measured at 50,000 jobs/s:
 * waits of 80 ms when settling came first, 20 ms now). At quiet times settling comes first, so that
 * all ends up in the file. Runs on a thread of its own; `settling` keeps the database from being
 * replaced under it.
 */
#include "store/embedded/embedded_internal.h"

#include "store/embedded/database.h"
#include "util/error.h"

/* With a large backlog the journal does not turn; its log is checkpointed all the same. */
#define LOG_ROWS 600000u
#define LOG_COMMITS 2000u
#define LOG_BYTES (96u << 20)
#define QUIET_US 1000000 /* without a commit */
#define RETRY_US 1000000

bool checkpoint_is_due(const struct embedded *store)
{
    return store->tidy || store->log_rows >= LOG_ROWS || store->log_commits >= LOG_COMMITS ||
           store->log_bytes >= LOG_BYTES;
}

/* Calls outside wait for the milliseconds that it takes, unless somebody reads now: then nothing
 * is done. `settling` keeps the database. */
static void shrink_cache(struct embedded *store, bool whole)
{
    pthread_mutex_lock(&store->lock);
    bool alone = !store->reviving && !store->broken && store->borrowers == 0 &&
                 qk__reader_idle(store->reader);
    if (alone) {
        store->reviving = true;
        pthread_mutex_unlock(&store->lock);
        qk__database_shrink(store->database, &store->config, whole);
        pthread_mutex_lock(&store->lock);
        store->reviving = false;
        wake_all(store);
    }
    pthread_mutex_unlock(&store->lock);
}

/* All of it at quiet times, while commits wait at the gate: they would find no memory. */
static void shrink(struct embedded *store, bool quiet)
{
    if (quiet) {
        pthread_mutex_lock(&store->gate);
    }
    shrink_cache(store, quiet);
    if (quiet) {
        pthread_mutex_unlock(&store->gate);
    }
}

/* Later: nothing is lost by waiting. Releases `lock` meanwhile. */
static void put_off(struct embedded *store, bool settle, const qk_error *why)
{
    store->settle_due |= settle;
    store->settle_failures += settle;
    store->settle_trouble = *why;
    pthread_cond_broadcast(&store->upkeep);
    if (!store->suspended) { /* else a failed commit has told */
        qk__log_event(&store->config.log, QK_LOG_WARN, "store.upkeep_failed", QK__NO_FIELDS,
                      "upkeep of the journal: %s", why->message);
    }
    if (!store->stop) {
        wait_some(store, &store->upkeep, RETRY_US);
    }
}

/* See above for the order. `*settled`: settling is done, if it was due. */
static qk_status tidy_up(struct embedded *store, bool quiet, bool settle, bool *settled,
                         qk_error *err)
{
    qk__journal *journal = store->journal;
    qk_status rc = settle && quiet ? journal->ops->settle(journal, err) : QK_OK;
    *settled = rc == QK_OK && (quiet || !settle);
    rc = rc == QK_OK ? journal->ops->checkpoint(journal, quiet, err) : rc;
    if (rc == QK_OK && settle && !quiet) {
        rc = journal->ops->settle(journal, err);
        *settled = rc == QK_OK;
    }
    if (rc == QK_OK) {
        shrink(store, quiet);
    }
    return rc;
}

/* Settles if that is due, and checkpoints. Releases `lock` meanwhile. */
static void keep(struct embedded *store)
{
    qk_error err = QK_ERROR_INIT;
    bool settle = store->settle_due, settled;
    bool quiet = embedded_now(store).mono_us - store->last_commit_us > QUIET_US;
    uint64_t rows = store->log_rows;
    uint64_t commits = store->log_commits;
    uint64_t bytes = store->log_bytes;
    store->settling = true;
    store->settle_due = store->tidy = false;
    pthread_mutex_unlock(&store->lock);
    qk_status rc = tidy_up(store, quiet, settle, &settled, &err);
    pthread_mutex_lock(&store->lock);
    store->settling = false;
    if (rc == QK_OK) {
        store->counters.checkpoints++;
        store->log_rows -= rows;
        store->log_commits -= commits;
        store->log_bytes -= bytes;
        store->tidy_later |= settle && !quiet; /* what settling moved stands in the log */
    } else {
        put_off(store, !settled, &err);
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
