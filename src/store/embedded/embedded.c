/*
 * Opening and closing the embedded store, and the way in and out of every call.
 */
#include "store/embedded/database.h"
#include "store/embedded/embedded_internal.h"
#include "store/embedded/journal_duckdb.h"
#include "util/clock.h"
#include "util/error.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#define FAKE_CLOCK_POLL_US 2000

qk__now embedded_now(const struct embedded *store)
{
    const qk_clock *clock = &store->config.clock;
    return (qk__now){ clock->wall(clock->user).us, clock->monotonic_us(clock->user) };
}

qk_status no_memory(qk_error *err)
{
    return qk__error(err, QK_ENOMEM, "out of memory: ask for less at once");
}

qk_status enter(struct embedded *store, qk_error *err)
{
    pthread_mutex_lock(&store->lock);
    qk_status rc = QK_OK;
    while (store->reviving && !store->closing) {
        wait_some(store, &store->state, 10000);
    }
    if (store->closing) {
        rc = qk__error(err, QK_ECLOSED, "the store is being closed");
    } else if (store->broken && !mend(store)) {
        rc = qk__error(err, store->trouble.code, "%s", store->trouble.message);
    }
    if (rc != QK_OK) {
        pthread_mutex_unlock(&store->lock);
        return rc;
    }
    store->callers++;
    return QK_OK;
}

qk_status enter_to_write(struct embedded *store, qk_error *err)
{
    qk_status rc = enter(store, err);
    if (rc == QK_OK && store->suspended) {
        rc = probe_disk(store);
        if (rc != QK_OK) {
            (void)qk__error(err, rc, "%s", store->trouble.message);
            leave(store);
        }
    }
    return rc;
}

void leave(struct embedded *store)
{
    store->callers--;
    if (store->closing) {
        pthread_cond_broadcast(&store->ready);
    }
    pthread_mutex_unlock(&store->lock);
}

qk_status borrow_database(struct embedded *store, qk_error *err)
{
    qk_status rc = enter(store, err);
    if (rc == QK_OK) {
        store->borrowers++;
        leave(store);
    }
    return rc;
}

void return_database(struct embedded *store)
{
    pthread_mutex_lock(&store->lock);
    store->borrowers--;
    if (store->reviving) {
        pthread_cond_broadcast(&store->state);
    }
    pthread_mutex_unlock(&store->lock);
}

void wait_some(struct embedded *store, pthread_cond_t *condition, int64_t wait_us)
{
    struct timespec until;
    if (!store->real_clock && wait_us > FAKE_CLOCK_POLL_US) {
        wait_us = FAKE_CLOCK_POLL_US;
    }
    if (wait_us > 3600000000) {
        wait_us = 3600000000; /* callers look again after every wake-up */
    }
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += wait_us / 1000000;
    until.tv_nsec += wait_us % 1000000 * 1000;
    if (until.tv_nsec >= 1000000000) {
        until.tv_sec++;
        until.tv_nsec -= 1000000000;
    }
    pthread_cond_timedwait(condition, &store->lock, &until);
}

static void pin(void *self)
{
    struct embedded *store = self;
    pthread_mutex_lock(&store->gate);
}

static void unpin(void *self)
{
    struct embedded *store = self;
    pthread_mutex_unlock(&store->gate);
}

static void sql_refused(void *self)
{
    struct embedded *store = self;
    pthread_mutex_lock(&store->lock);
    store->counters.sql_refused++;
    pthread_mutex_unlock(&store->lock);
}

/* A query that spills fills DuckDB's own limit, measured at up to 117 % of it. */
static uint64_t growth_allowed(const struct embedded *store)
{
    uint64_t limit = store->config.query_memory;
    return limit == 0 ? 0 : limit + limit / 4 + ((uint64_t)32 << 20);
}

qk_status open_database(struct embedded *store, qk_error *err)
{
    qk__reader_host host = { store,       pin,
                             unpin,       embedded_snapshot,
                             sql_refused, growth_allowed(store) };
    qk_status rc = qk__database_open(&store->database, &store->spill, &store->config, err);
    if (rc == QK_OK) {
        const char *path = strcmp(store->path, ":memory:") == 0 ? NULL : store->path;
        rc = qk__journal_duckdb_open(&store->journal, store->database, path, &store->gate, err);
    }
    if (rc == QK_OK) {
        rc = qk__reader_open(&store->reader, store->database, &host, &store->config.clock,
                             &store->config.log, err);
    }
    return rc;
}

void close_database(struct embedded *store)
{
    qk__reader_close(store->reader);
    store->reader = NULL;
    if (store->journal != NULL) {
        store->journal->ops->close(store->journal);
        store->journal = NULL;
    }
    if (store->database != NULL) {
        qk__database_close(&store->database, &store->spill);
        store->database = NULL;
    }
}

static void init_locks(struct embedded *store)
{
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_mutex_init(&store->gate, NULL);
    pthread_mutex_init(&store->cold, NULL);
    pthread_rwlock_init(&store->facts, NULL);
    pthread_mutexattr_t spinning;
    pthread_mutexattr_init(&spinning); /* it is held for microseconds, by many */
    pthread_mutexattr_settype(&spinning, PTHREAD_MUTEX_ADAPTIVE_NP);
    pthread_mutex_init(&store->lock, &spinning);
    pthread_mutexattr_destroy(&spinning);
    pthread_cond_init(&store->work, &monotonic);
    for (size_t i = 0; i < DURABLE_WAYS; i++) {
        pthread_cond_init(&store->durable[i], &monotonic);
    }
    pthread_cond_init(&store->state, &monotonic);
    pthread_cond_init(&store->ready, &monotonic);
    pthread_cond_init(&store->upkeep, &monotonic);
    pthread_condattr_destroy(&monotonic);
}

static void free_store(struct embedded *store)
{
    close_database(store);
    qk__engine_free(store->engine);
    qk__upstream_cache_free(&store->upstreams);
    qk__file_lock_release(&store->file);
    if (store->wait_fd >= 0) {
        close(store->wait_fd);
    }
    for (size_t i = 0; i < store->interrupted_count; i++) {
        free(store->interrupted[i]);
    }
    free(store->interrupted);
    free(store->held);
    free(store->bases);
    pthread_mutex_destroy(&store->gate);
    pthread_mutex_destroy(&store->cold);
    pthread_rwlock_destroy(&store->facts);
    pthread_mutex_destroy(&store->lock);
    pthread_cond_destroy(&store->work);
    for (size_t i = 0; i < DURABLE_WAYS; i++) {
        pthread_cond_destroy(&store->durable[i]);
    }
    pthread_cond_destroy(&store->state);
    pthread_cond_destroy(&store->ready);
    pthread_cond_destroy(&store->upkeep);
    free(store);
}

static void embedded_stop(qk_store *base)
{
    struct embedded *store = embedded_of(base);
    pthread_mutex_lock(&store->lock);
    store->stopping = true;
    pthread_cond_broadcast(&store->ready);
    if (store->reader != NULL) {
        qk__reader_interrupt(store->reader);
    }
    pthread_mutex_unlock(&store->lock);
}

static bool is_memory(const struct embedded *store)
{
    return strcmp(store->path, ":memory:") == 0;
}

static void embedded_close(qk_store *base)
{
    struct embedded *store = embedded_of(base);
    pthread_mutex_lock(&store->lock);
    store->closing = true;
    wake_all(store);
    while (store->callers > 0) {
        wait_some(store, &store->ready, 10000);
    }
    store->stopping = true;
    if (!store->broken && store->engine != NULL) {
        qk__engine_release(store->engine, embedded_now(store));
    }
    store->stop = true;
    pthread_cond_broadcast(&store->work);
    pthread_mutex_unlock(&store->lock);
    if (store->writer_runs) {
        pthread_join(store->writer, NULL);
    }
    pthread_mutex_lock(&store->lock);
    pthread_cond_broadcast(&store->upkeep);
    pthread_mutex_unlock(&store->lock);
    if (store->keeper_runs) {
        pthread_join(store->keeper, NULL);
    }
    free_store(store);
}

static const char *embedded_path(const qk_store *base)
{
    return ((const struct embedded *)base)->path;
}

static int embedded_wait_fd(qk_store *base)
{
    return embedded_of(base)->wait_fd;
}

static const struct qk_store_ops embedded_ops = {
    .close = embedded_close,
    .path = embedded_path,
    .enqueue = embedded_enqueue,
    .submit_run = embedded_submit_run,
    .expand = embedded_expand,
    .upstream = embedded_upstream,
    .result = embedded_result,
    .add_nodes = embedded_add_nodes,
    .run_get = embedded_run_get,
    .run_list = embedded_run_list,
    .run_tree = embedded_run_tree,
    .run_node = embedded_run_node,
    .run_wait = embedded_run_wait,
    .run_cancel = embedded_run_cancel,
    .run_pause = embedded_run_pause,
    .run_retry = embedded_run_retry,
    .claim = embedded_claim,
    .interrupt = embedded_interrupt,
    .complete = embedded_complete,
    .flush = embedded_flush,
    .extend = embedded_extend,
    .progress = embedded_progress,
    .cancel = embedded_cancel,
    .retry = embedded_retry,
    .purge = embedded_purge,
    .pause = embedded_pause,
    .limit = embedded_limit,
    .backup = embedded_backup,
    .get = embedded_get,
    .list = embedded_list,
    .stats = embedded_stats,
    .counters = embedded_counters,
    .metrics = embedded_metrics,
    .wait = embedded_wait,
    .backlog = embedded_backlog,
    .worker_beat = embedded_worker_beat,
    .rows_open = embedded_rows_open,
    .release = embedded_release,
    .changes = embedded_changes,
    .wait_fd = embedded_wait_fd,
    .stop = embedded_stop,
};

/* Strings of the configuration are the caller's; keep copies. */
static qk_status copy_config(struct embedded *store, const qk__store_config *config, qk_error *err)
{
    const char *temp_dir = config->temp_dir == NULL ? "/tmp" : config->temp_dir;
    if (strlen(config->path) >= sizeof store->path - 16 ||
        strlen(temp_dir) >= sizeof store->temp_dir || strlen(config->default_queue) > QK_NAME_MAX) {
        return qk__error(err, QK_EINVAL, "the path is too long: use a shorter one");
    }
    strcpy(store->path, config->path);
    strcpy(store->temp_dir, temp_dir);
    strcpy(store->default_queue, config->default_queue);
    store->config = *config;
    store->config.path = store->path;
    store->config.temp_dir = config->temp_dir == NULL ? NULL : store->temp_dir;
    store->config.default_queue = store->default_queue;
    store->real_clock = config->clock.wall == qk__clock_system().wall;
    return QK_OK;
}

static qk_status start_threads(struct embedded *store, qk_error *err)
{
    store->writer_runs = pthread_create(&store->writer, NULL, writer_main, store) == 0;
    store->keeper_runs =
        store->writer_runs && pthread_create(&store->keeper, NULL, keeper_main, store) == 0;
    return store->keeper_runs ? QK_OK : qk__error(err, QK_ENOMEM, "cannot start a thread");
}

/*
 * A row of this owner, so that the journal no longer ends with the last one's close: a job that kills
 * us before the first commit must be recovered as after any unclean end, strictly, or it would do so
 * for ever. On a full disk the store opens all the same, for reading; commands probe again.
 */
static void mark_open(struct embedded *store)
{
    if (is_memory(store)) {
        return;
    }
    pthread_mutex_lock(&store->lock);
    store->suspended = true;
    (void)probe_disk(store);
    pthread_mutex_unlock(&store->lock);
}

static qk_status refuse_missing(const struct embedded *store, qk_error *err)
{
    if (store->config.must_exist && !is_memory(store) && access(store->path, F_OK) != 0) {
        return qk__error(err, QK_ENOTFOUND, "%s does not exist: check the path", store->path);
    }
    return QK_OK;
}

qk_status qk__embedded_open(qk_store **out, const qk__store_config *config, qk_error *err)
{
    struct embedded *store = calloc(1, sizeof *store);
    bool clean = true;
    *out = NULL;
    if (store == NULL) {
        return no_memory(err);
    }
    store->base.ops = &embedded_ops;
    store->file.fd = -1;
    init_locks(store);
    store->wait_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    qk_status rc = copy_config(store, config, err);
    rc = rc == QK_OK ? refuse_missing(store, err) : rc;
    if (rc == QK_OK && !is_memory(store)) {
        rc = qk__file_lock_take(&store->file, store->path, config->owner_wait_us, err);
    }
    rc = rc == QK_OK ? open_database(store, err) : rc;
    rc = rc == QK_OK ? engine_rebuild(store, &clean, err) : rc;
    if (rc == QK_OK) {
        mark_open(store);
        rc = start_threads(store, err);
    }
    if (rc != QK_OK) {
        embedded_close(&store->base);
        return rc;
    }
    *out = &store->base;
    return QK_OK;
}
