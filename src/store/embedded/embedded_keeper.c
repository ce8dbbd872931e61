/*
 * The keeper: settling and checkpoints, beside the writer.
 *
 * The writer turns the journal and says so by settle_due; the keeper then moves what ended into the
 * history and checkpoints. Runs on a thread of its own; `settling` keeps the database from being
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

/*
 * Unless somebody reads now. Commits wait at the gate and calls outside for the few milliseconds it
 * takes. `settling` keeps the database.
 */
static void shrink(struct embedded *store)
{
    pthread_mutex_lock(&store->gate);
    pthread_mutex_lock(&store->lock);
    bool alone = !store->reviving && !store->broken && store->borrowers == 0 &&
                 qk__reader_idle(store->reader);
    if (alone) {
        store->reviving = true;
        pthread_mutex_unlock(&store->lock);
        qk__database_shrink(store->database, &store->config);
        pthread_mutex_lock(&store->lock);
        store->reviving = false;
        wake_all(store);
    }
    pthread_mutex_unlock(&store->lock);
    pthread_mutex_unlock(&store->gate);
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
    store->settle_due = store->tidy = false;
    pthread_mutex_unlock(&store->lock);
    qk_status rc = settle ? journal->ops->settle(journal, &err) : QK_OK;
    pthread_mutex_lock(&store->lock);
    bool settled = rc == QK_OK;
    if (settled) {
        bool quiet = embedded_now(store).mono_us - store->last_commit_us > QUIET_US;
        pthread_mutex_unlock(&store->lock);
        rc = journal->ops->checkpoint(journal, quiet, &err);
        if (rc == QK_OK && quiet) {
            shrink(store);
        }
        pthread_mutex_lock(&store->lock);
    }
    store->settling = false;
    if (rc == QK_OK) {
        store->counters.checkpoints++;
        store->log_rows -= rows;
        store->log_commits -= commits;
        store->log_bytes -= bytes;
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
