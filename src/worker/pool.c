/*
 * The pool's life: open, register, start, run, stop, close; see queuack/worker.h.
 *
 * Order of the end: the slots end (each hands back what was not started), then the ferry (which hands
 * back the nodes that wait for other stores), then the keeper (leases
 * are renewed until no job runs), then the reporter (everything reported is durable). Whoever is
 * first in qk_worker_run or qk_worker_close does it, exactly once.
 *
 * long file: the life of a pool from open to close in the order in which it happens.
 */
#include <ctype.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "util/buffer.h"
#include "util/error.h"
#include "util/fork.h"
#include "worker/hosted.h"
#include "worker/logs.h"
#include "worker/sql_children.h"
#include "worker/values.h"
#include "worker/worker_internal.h"

#define LEASE_DEFAULT_US 30000000
#define IDLE_DEFAULT_US 5000000
#define WEIGHT_MAX 1000000

static qk_status no_memory(qk_error *err)
{
    return qk__error(err, QK_ENOMEM, "out of memory for the worker");
}

static qk_status check_options(const qk_worker_options *options, qk_error *err)
{
    if (options->version != 1)
        return qk__error(err, QK_EINVAL, "worker options must start from QK_WORKER_OPTIONS_INIT");
    if (options->concurrency < 0 || options->concurrency > QK__SLOTS_MAX)
        return qk__error(err, QK_EINVAL, "concurrency must be from 0 to %d", QK__SLOTS_MAX);
    if (options->lease.us < 0 || (options->lease.us > 0 && options->lease.us < 1000000))
        return qk__error(err, QK_EINVAL, "a worker's lease must be at least 1 s");
    if (options->min_concurrency < 0 || options->max_concurrency < 0 ||
        options->max_concurrency > QK__SLOTS_MAX || options->idle.us < 0 ||
        (options->max_concurrency > 0 && options->min_concurrency > options->max_concurrency))
        return qk__error(err, QK_EINVAL,
                         "min_concurrency must be at most max_concurrency, and that at most %d",
                         QK__SLOTS_MAX);
    if (options->queue_count > 0 && !options->queues)
        return qk__error(err, QK_EINVAL, "queues is NULL but queue_count is %zu",
                         options->queue_count);
    for (size_t i = 0; i < options->queue_count; i++) {
        const char *queue = options->queues[i];
        if (!queue || !*queue || strlen(queue) > QK_NAME_MAX)
            return qk__error(err, QK_EINVAL, "a queue's name must be 1 to %d bytes", QK_NAME_MAX);
        if (options->weights && (options->weights[i] < 1 || options->weights[i] > WEIGHT_MAX))
            return qk__error(err, QK_EINVAL, "the weight of the queue %s must be from 1 to %d",
                             queue, WEIGHT_MAX);
    }
    if (options->weights && options->queue_count == 0)
        return qk__error(err, QK_EINVAL, "weights are given, but no queues");
    return QK_OK;
}

static qk_status copy_queues(qk_worker *pool, const qk_worker_options *options)
{
    const char *fallback = qk__queue_default_queue(pool->queue);
    size_t count = options->queue_count ? options->queue_count : 1;
    qk__buffer json;

    pool->queues = calloc(count, sizeof(*pool->queues));
    if (!pool->queues)
        return QK_ENOMEM;
    qk__buffer_init(&json, SIZE_MAX);
    qk__buffer_text(&json, "[");
    for (size_t i = 0; i < count; i++) {
        const char *name = options->queue_count ? options->queues[i] : fallback;
        pool->queues[i] = strdup(name);
        if (!pool->queues[i])
            break;
        pool->queue_count++;
        qk__buffer_text(&json, i ? "," : "");
        qk__buffer_json_string(&json, name, strlen(name));
    }
    qk__buffer_text(&json, "]");
    pool->queues_json = qk__buffer_take(&json);
    return pool->queue_count == count && pool->queues_json ? QK_OK : QK_ENOMEM;
}

static void read_host(char *out, size_t size)
{
    if (gethostname(out, size) != 0 || !out[0])
        strcpy(out, "localhost");
    out[size - 1] = '\0';
    for (char *at = out; *at; at++) {
        if (!isalnum((unsigned char)*at) && *at != '.' && *at != '-')
            *at = '_';
    }
}

static void init_locks(qk_worker *pool)
{
    pthread_condattr_t attributes;

    pthread_mutex_init(&pool->lock, NULL);
    pthread_mutex_init(&pool->keeper_lock, NULL);
    pthread_mutex_init(&pool->shared_lock, NULL);
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&pool->wake, &attributes);
    pthread_cond_init(&pool->idle, &attributes);
    pthread_cond_init(&pool->wide, &attributes);
    pthread_cond_init(&pool->keeper_wake, &attributes);
    pthread_condattr_destroy(&attributes);
    atomic_init(&pool->average_us, QK__EWMA_UNKNOWN);
    atomic_init(&pool->keeper_at, QK__NEVER);
}

/* Never started, or everything joined. */
static void free_pool(qk_worker *pool)
{
    for (int i = 0; i < atomic_load(&pool->slot_count); i++)
        qk__slot_free(pool->slots[i]);
    free(pool->slots);
    free(pool->shares);
    qk__batch_release(pool->current);
    for (size_t i = 0; i < pool->queue_count; i++)
        free(pool->queues[i]);
    free(pool->queues);
    free(pool->queues_json);
    qk__handlers_free(pool);
    qk__hosted_close(pool);
    qk__plugins_close(pool);
    free(pool->factories);
    for (size_t i = 0; i < QK__SHARED_MAX; i++)
        qk__shared_drop(pool->shared[i]);
    for (size_t i = 0; i < QK__RUNS_MAX; i++)
        qk__run_info_drop(pool->run_infos[i]);
    pthread_mutex_destroy(&pool->shared_lock);
    qk__keeper_free(pool->keeper);
    qk__sql_children_close(pool->sql);
    qk__procs_close(pool->procs);
    if (pool->logs_dir >= 0)
        close(pool->logs_dir);
    qk__command_teardown(pool);
    qk__outbox_dispose(&pool->outbox);
    if (pool->ended_fd >= 0)
        close(pool->ended_fd);
    pthread_cond_destroy(&pool->wake);
    pthread_cond_destroy(&pool->idle);
    pthread_cond_destroy(&pool->wide);
    pthread_cond_destroy(&pool->keeper_wake);
    pthread_mutex_destroy(&pool->lock);
    pthread_mutex_destroy(&pool->keeper_lock);
    free(pool);
}

/* By load: from min to max, starting in between. */
static void fill_scale(qk_worker *pool, const qk_worker_options *options)
{
    long cores = options->concurrency ? options->concurrency : sysconf(_SC_NPROCESSORS_ONLN);
    int slots = cores < 1 ? 1 : cores > QK__SLOTS_MAX ? QK__SLOTS_MAX : (int)cores;

    pool->min_slots = options->min_concurrency ? options->min_concurrency : slots;
    pool->max_slots = options->max_concurrency ? options->max_concurrency : slots;
    if (slots > pool->max_slots)
        slots = pool->max_slots;
    if (slots < pool->min_slots)
        slots = pool->min_slots;
    if (pool->min_slots > slots)
        pool->min_slots = slots;
    if (pool->max_slots < slots)
        pool->max_slots = slots;
    pool->idle_us = options->idle.us ? options->idle.us : IDLE_DEFAULT_US;
    atomic_init(&pool->target, slots);
}

static void fill_pool(qk_worker *pool, qk_queue *queue, const qk_worker_options *options)
{
    pool->queue = queue;
    pool->store = qk__queue_store(queue);
    pool->clock = *qk__queue_clock(queue);
    pool->log = qk__queue_log(queue);
    pool->max_payload = qk__queue_max_payload(queue);
    pool->fork_generation = qk__fork_generation();
    pool->drain = options->drain || !qk_id_is_none(options->run);
    pool->run = options->run;
    pool->no_commands = options->no_commands;
    pool->handle_signals = options->handle_signals;
    pool->on_finished = options->on_finished;
    pool->on_finished_user = options->on_finished_user;
    pool->on_started = options->on_started;
    pool->on_started_user = options->on_started_user;
    pool->on_expanded = options->on_expanded;
    pool->on_expanded_user = options->on_expanded_user;
    pool->lease_us = options->lease.us ? options->lease.us : LEASE_DEFAULT_US;
    pool->claim_max = 1;
    pool->prefetch = options->prefetch;
    pool->admit = options->admit;
    pool->admit_user = options->admit_user;
    pool->adopt_orphans = options->adopt_orphans;
    pool->logs_dir = -1;
    fill_scale(pool, options);
    qk__worker_id_make(pool->id);
    read_host(pool->host, sizeof(pool->host));
}

static qk_status make_slots(qk_worker *pool, qk_error *err)
{
    pool->slots = calloc(QK__SLOTS_MAX, sizeof(qk__slot *));
    if (!pool->slots)
        return no_memory(err);
    for (int i = 0; i < atomic_load(&pool->target); i++) {
        qk_status rc = qk__slot_new(&pool->slots[i], pool, i);
        if (rc == QK_EIO)
            return qk__error_errno(err, rc, errno, "cannot make a slot's event descriptor");
        if (rc != QK_OK)
            return no_memory(err);
        atomic_store(&pool->slot_count, i + 1);
    }
    pool->keeper = qk__keeper_new(pool);
    return pool->keeper ? QK_OK : no_memory(err);
}

/* Without the helper everything but SQL tasks can still be run. */
static qk_status set_up_sql(qk_worker *pool, const qk_worker_options *options, qk_error *err)
{
    if (options->no_commands)
        return QK_OK;
    qk_error why = QK_ERROR_INIT;
    qk_status rc = qk__sql_children_open(&pool->sql, pool, options->sql, &why);
    if (rc == QK_ENOTFOUND && !(options->sql && options->sql->helper)) {
        qk__log_write(pool->log, QK_LOG_DEBUG, "worker %s runs no SQL tasks: %s", pool->id,
                      why.message);
        rc = QK_OK;
    }
    return rc == QK_OK ? rc : qk__error(err, rc, "%s", why.message);
}

static qk_status open_entered(qk_worker **out, qk_queue *queue, const qk_worker_options *options,
                              qk_error *err)
{
    qk_worker *pool = calloc(1, sizeof(*pool));
    qk_status rc = QK_OK;

    if (!pool)
        return no_memory(err);
    init_locks(pool);
    fill_pool(pool, queue, options);
    pool->ended_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (pool->ended_fd < 0)
        rc = qk__error_errno(err, QK_EIO, errno, "cannot make an event descriptor");
    if (qk__outbox_init(&pool->outbox) != QK_OK && rc == QK_OK)
        rc = no_memory(err);
    if (rc == QK_OK &&
        (copy_queues(pool, options) != QK_OK || qk__shares_init(pool, options->weights) != QK_OK))
        rc = no_memory(err);
    if (rc == QK_OK)
        rc = make_slots(pool, err);
    if (rc == QK_OK)
        rc = set_up_sql(pool, options, err);
    if (rc == QK_OK)
        *out = pool;
    else
        free_pool(pool);
    return rc;
}

qk_status qk_worker_open(qk_worker **out, qk_queue *queue, const qk_worker_options *options,
                         qk_error *err)
{
    const qk_worker_options defaults = QK_WORKER_OPTIONS_INIT;

    if (!out)
        return qk__error(err, QK_EINVAL, "there is no place for the worker (out is NULL)");
    qk_status rc = check_options(options ? options : &defaults, err);
    if (rc == QK_OK)
        rc = qk__queue_enter(queue, err);
    if (rc != QK_OK)
        return rc;
    rc = open_entered(out, queue, options ? options : &defaults, err);
    qk__queue_leave(queue);
    return rc;
}

void qk__pool_request(const qk_worker *pool, qk__claim_request *request)
{
    *request = (qk__claim_request){
        .queues = (const char *const *)pool->queues,
        .queue_count = pool->queue_count,
        .kinds = pool->kinds,
        .kind_count = pool->kind_count,
        .worker_id = pool->id,
        .max = 1,
        .lease_us = pool->lease_us,
        .strict = qk__queue_strict(pool->queue),
        .root_run = pool->run,
    };
}

void qk__pool_stop(qk_worker *pool, bool hard)
{
    pthread_mutex_lock(&pool->lock);
    atomic_store(&pool->stopping, true);
    if (hard)
        atomic_store(&pool->hard, true);
    pthread_cond_broadcast(&pool->wake);
    pthread_cond_broadcast(&pool->wide);
    pthread_mutex_unlock(&pool->lock);
    pool->store->ops->interrupt(pool->store, pool->id, true);
    if (hard)
        qk__keeper_kick(pool);
}

static void join_slot(qk_worker *pool, qk__slot *slot)
{
    pthread_mutex_lock(&pool->lock);
    bool started = slot->thread_state != QK__THREAD_NONE;
    pthread_mutex_unlock(&pool->lock);
    if (started)
        pthread_join(slot->thread, NULL);
    pthread_mutex_lock(&pool->lock);
    slot->thread_state = QK__THREAD_NONE;
    pthread_mutex_unlock(&pool->lock);
}

/* Joins what was started, in order. No slot can be made meanwhile: the pool is stopping. */
static void join(qk_worker *pool, bool hurry)
{
    for (int i = 0; i < atomic_load(&pool->slot_count); i++)
        join_slot(pool, pool->slots[i]);
    qk__ferry_finish(pool);
    pthread_mutex_lock(&pool->keeper_lock);
    pool->keeper_finish = true;
    pthread_cond_signal(&pool->keeper_wake);
    pthread_mutex_unlock(&pool->keeper_lock);
    pthread_join(pool->keeper_thread, NULL);
    qk__outbox_finish(&pool->outbox, hurry);
    pthread_join(pool->outbox.thread, NULL);
}

/* *started: the reporter and the keeper were, so that join must follow. */
static qk_status start_threads(qk_worker *pool, bool *started, qk_error *err)
{
    int rc = pthread_create(&pool->outbox.thread, NULL, qk__outbox_main, pool);

    if (rc != 0)
        return qk__error_errno(err, QK_ENOMEM, rc, "cannot start the worker's reporter");
    qk__keeper_announce(pool, false);
    rc = pthread_create(&pool->keeper_thread, NULL, qk__keeper_main, pool->keeper);
    if (rc != 0) {
        qk__keeper_announce(pool, true);
        qk__outbox_finish(&pool->outbox, true);
        pthread_join(pool->outbox.thread, NULL);
        return qk__error_errno(err, QK_ENOMEM, rc, "cannot start the worker's keeper");
    }
    *started = true;
    return qk__scale_up(pool, err);
}

/* What commands need. Without the folder beside the store they run all the same. */
static qk_status set_up_commands(qk_worker *pool, qk_error *err)
{
    const char *path = qk_queue_path(pool->queue);

    if (!qk__pool_runs_commands(pool))
        return QK_OK;
    if (pool->adopt_orphans && prctl(PR_SET_CHILD_SUBREAPER, 1) != 0)
        return qk__error_errno(err, QK_EIO, errno, "cannot adopt orphans");
    if (strcmp(path, ":memory:") != 0) {
        pool->logs_dir = qk__logs_dir(path, true);
        if (pool->logs_dir < 0)
            qk__log_write(pool->log, QK_LOG_WARN, "worker %s: no output is kept in %s.logs: %s",
                          pool->id, path, strerror(errno));
        pool->outbox.logs_dir = pool->logs_dir;
        pool->procs = qk__procs_open(pool->logs_dir, pool->id, QK__SLOTS_MAX, pool->log);
        qk__logs_sweep(pool->logs_dir);
    }
    return qk__command_setup(pool, err);
}

/* Caller holds the lock: the slots get under way when it is released. */
static qk_status start_locked(qk_worker *pool, bool *started, qk_error *err)
{
    qk_counters counters;
    sigset_t before;
    qk_status rc = QK_OK;

    if (pool->state != QK__POOL_OPEN)
        return qk__error(err, QK_ESTATE, "the worker was started before");
    rc = qk__handlers_seal(pool, err);
    if (rc == QK_OK)
        rc = set_up_commands(pool, err);
    if (rc != QK_OK)
        return rc;
    pool->store->ops->counters(pool->store, &counters);
    pool->outbox.commit_failures = counters.commit_failures;
    qk__signals_block(&before);
    rc = start_threads(pool, started, err);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pool->state = rc == QK_OK ? QK__POOL_STARTED : QK__POOL_JOINED;
    return rc;
}

qk_status qk_worker_start(qk_worker *pool, qk_error *err)
{
    bool started = false;

    if (!pool)
        return qk__error(err, QK_EINVAL, "the worker is NULL");
    qk_status rc = qk__queue_enter(pool->queue, err);
    if (rc != QK_OK)
        return rc;
    pthread_mutex_lock(&pool->lock);
    rc = start_locked(pool, &started, err);
    pthread_mutex_unlock(&pool->lock);
    if (rc != QK_OK && started) {
        qk__pool_stop(pool, true);
        join(pool, true);
    }
    qk__queue_leave(pool->queue);
    return rc;
}

/* The first caller joins everything. */
static void join_once(qk_worker *pool, bool hurry)
{
    pthread_mutex_lock(&pool->lock);
    bool first = pool->state == QK__POOL_STARTED;
    if (first)
        pool->state = QK__POOL_JOINED;
    pthread_mutex_unlock(&pool->lock);
    if (first)
        join(pool, hurry);
}

static void wait_for_slots(qk_worker *pool)
{
    struct pollfd ended = { .fd = pool->ended_fd, .events = POLLIN };

    while (poll(&ended, 1, -1) < 0 && errno == EINTR) {
    }
}

/* Starts it if need be, waits for the slots. */
static qk_status start_and_wait(qk_worker *pool, const qk__signals *signals, bool *hard,
                                qk_error *err)
{
    qk_status rc = QK_OK;

    pthread_mutex_lock(&pool->lock);
    qk__pool_state state = pool->state;
    pthread_mutex_unlock(&pool->lock);
    if (state == QK__POOL_OPEN)
        rc = qk_worker_start(pool, err);
    else if (state == QK__POOL_JOINED)
        rc = qk__error(err, QK_ESTATE, "the worker has ended; open a new one");
    if (rc == QK_OK && signals)
        *hard = qk__signals_serve(signals, pool);
    else if (rc == QK_OK)
        wait_for_slots(pool);
    return rc;
}

static qk_status run(qk_worker *pool, qk_error *err)
{
    qk__signals signals;
    bool hard = false;
    qk_status rc = pool->handle_signals ? qk__signals_open(&signals, err) : QK_OK;

    if (rc != QK_OK)
        return rc;
    rc = start_and_wait(pool, pool->handle_signals ? &signals : NULL, &hard, err);
    if (pool->handle_signals)
        qk__signals_close(&signals);
    if (rc != QK_OK)
        return rc;
    join_once(pool, hard || atomic_load(&pool->hard));
    if (pool->outbox.left > 0)
        return qk__error(err, pool->outbox.error.code, "%zu outcomes could not be stored: %s",
                         pool->outbox.left, pool->outbox.error.message);
    if (hard)
        return qk__error(err, QK_EINTERRUPTED, "the worker was interrupted");
    return QK_OK;
}

qk_status qk_worker_run(qk_worker *pool, qk_error *err)
{
    if (!pool)
        return qk__error(err, QK_EINVAL, "the worker is NULL");
    pthread_mutex_lock(&pool->lock);
    pool->runs++;
    pthread_mutex_unlock(&pool->lock);
    qk_status rc = run(pool, err);
    pthread_mutex_lock(&pool->lock);
    pool->runs--;
    pthread_cond_broadcast(&pool->idle);
    pthread_mutex_unlock(&pool->lock);
    return rc;
}

void qk_worker_stop(qk_worker *pool, bool hard)
{
    if (pool && pool->fork_generation == qk__fork_generation())
        qk__pool_stop(pool, hard);
}

void qk_worker_close(qk_worker *pool)
{
    /* In a forked child the threads do not exist and the locks may be held for ever. */
    if (!pool || pool->fork_generation != qk__fork_generation())
        return;
    qk__pool_stop(pool, false);
    pthread_mutex_lock(&pool->lock);
    while (pool->runs > 0)
        pthread_cond_wait(&pool->idle, &pool->lock);
    pthread_mutex_unlock(&pool->lock);
    join_once(pool, atomic_load(&pool->hard));
    pool->store->ops->interrupt(pool->store, pool->id, false);
    free_pool(pool);
}
