/*
 * The pool's life: open, register, start, run, stop, close; see queuack/worker.h.
 *
 * Order of the end: the slots end (each hands back what was not started), then the keeper (leases
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
#include <unistd.h>

#include "util/buffer.h"
#include "util/error.h"
#include "util/fork.h"
#include "worker/worker_internal.h"

#define LEASE_DEFAULT_US 30000000
#define SLOTS_MAX 4096

static qk_status no_memory(qk_error *err)
{
    return qk__error(err, QK_ENOMEM, "out of memory for the worker");
}

static qk_status check_options(const qk_worker_options *options, qk_error *err)
{
    if (options->version != 1)
        return qk__error(err, QK_EINVAL, "worker options must start from QK_WORKER_OPTIONS_INIT");
    if (options->concurrency < 0 || options->concurrency > SLOTS_MAX)
        return qk__error(err, QK_EINVAL, "concurrency must be from 0 to %d", SLOTS_MAX);
    if (options->lease.us < 0 || (options->lease.us > 0 && options->lease.us < 1000000))
        return qk__error(err, QK_EINVAL, "a worker's lease must be at least 1 s");
    if (options->queue_count > 0 && !options->queues)
        return qk__error(err, QK_EINVAL, "queues is NULL but queue_count is %zu",
                         options->queue_count);
    for (size_t i = 0; i < options->queue_count; i++) {
        const char *queue = options->queues[i];
        if (!queue || !*queue || strlen(queue) > QK_NAME_MAX)
            return qk__error(err, QK_EINVAL, "a queue's name must be 1 to %d bytes", QK_NAME_MAX);
    }
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
    pthread_cond_init(&pool->keeper_wake, &attributes);
    pthread_condattr_destroy(&attributes);
    atomic_init(&pool->average_us, QK__EWMA_UNKNOWN);
    atomic_init(&pool->keeper_at, QK__NEVER);
}

/* Never started, or everything joined. */
static void free_pool(qk_worker *pool)
{
    for (int i = 0; i < pool->slot_count && pool->slots; i++)
        qk__slot_dispose(&pool->slots[i]);
    free(pool->slots);
    qk__batch_release(pool->current);
    for (size_t i = 0; i < pool->queue_count; i++)
        free(pool->queues[i]);
    free(pool->queues);
    free(pool->queues_json);
    free(pool->kinds);
    free(pool->handlers);
    free(pool->factories);
    for (size_t i = 0; i < QK__SHARED_MAX; i++)
        qk__shared_drop(pool->shared[i]);
    pthread_mutex_destroy(&pool->shared_lock);
    qk__keeper_free(pool->keeper);
    qk__command_teardown(pool);
    qk__outbox_dispose(&pool->outbox);
    if (pool->ended_fd >= 0)
        close(pool->ended_fd);
    pthread_cond_destroy(&pool->wake);
    pthread_cond_destroy(&pool->idle);
    pthread_cond_destroy(&pool->keeper_wake);
    pthread_mutex_destroy(&pool->lock);
    pthread_mutex_destroy(&pool->keeper_lock);
    free(pool);
}

static int slot_count(const qk_worker_options *options)
{
    long cores = options->concurrency ? options->concurrency : sysconf(_SC_NPROCESSORS_ONLN);

    return cores < 1 ? 1 : cores > SLOTS_MAX ? SLOTS_MAX : (int)cores;
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
    pool->lease_us = options->lease.us ? options->lease.us : LEASE_DEFAULT_US;
    pool->claim_max = 1;
    qk__worker_id_make(pool->id);
    read_host(pool->host, sizeof(pool->host));
}

static qk_status make_slots(qk_worker *pool, int count, qk_error *err)
{
    pool->slots = calloc((size_t)count, sizeof(*pool->slots));
    if (!pool->slots)
        return no_memory(err);
    for (int i = 0; i < count; i++) {
        qk_status rc = qk__slot_init(&pool->slots[i], pool, i);
        pool->slot_count++;
        if (rc == QK_EIO)
            return qk__error_errno(err, rc, errno, "cannot make a slot's event descriptor");
        if (rc != QK_OK)
            return no_memory(err);
    }
    pool->keeper = qk__keeper_new(pool);
    return pool->keeper ? QK_OK : no_memory(err);
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
    if (rc == QK_OK && copy_queues(pool, options) != QK_OK)
        rc = no_memory(err);
    if (rc == QK_OK)
        rc = make_slots(pool, slot_count(options), err);
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

static qk_status add_handler(qk_worker *pool, const char *kind, qk_handler_fn fn, void *user,
                             qk_error *err)
{
    if (pool->state != QK__POOL_OPEN)
        return qk__error(err, QK_ESTATE, "handlers must be registered before the worker starts");
    for (size_t i = 0; i < pool->handler_count; i++) {
        if (strcmp(pool->handlers[i].kind, kind) == 0)
            return qk__error(err, QK_ECONFLICT, "the kind %s has a handler already", kind);
    }
    if (pool->handler_count == pool->handler_capacity) {
        size_t capacity = pool->handler_capacity ? 2 * pool->handler_capacity : 8;
        qk__handler *handlers = realloc(pool->handlers, capacity * sizeof(*handlers));
        if (!handlers)
            return no_memory(err);
        pool->handlers = handlers;
        pool->handler_capacity = capacity;
    }
    qk__handler *handler = &pool->handlers[pool->handler_count++];
    strcpy(handler->kind, kind);
    handler->fn = fn;
    handler->user = user;
    atomic_init(&handler->average_us, QK__EWMA_UNKNOWN);
    return QK_OK;
}

qk_status qk_worker_handle(qk_worker *pool, const char *kind, qk_handler_fn handler, void *user,
                           qk_error *err)
{
    if (!pool || !kind || !handler)
        return qk__error(err, QK_EINVAL, "worker, kind and handler must not be NULL");
    if (!*kind || strlen(kind) > QK_NAME_MAX)
        return qk__error(err, QK_EINVAL, "a kind must be 1 to %d bytes", QK_NAME_MAX);
    if (strcmp(kind, "command") == 0 && !pool->no_commands)
        return qk__error(err, QK_ECONFLICT,
                         "the kind command is built in; open the worker with no_commands to "
                         "handle it yourself");
    pthread_mutex_lock(&pool->lock);
    qk_status rc = add_handler(pool, kind, handler, user, err);
    pthread_mutex_unlock(&pool->lock);
    return rc;
}

static int compare_handlers(const void *a, const void *b)
{
    return strcmp(((const qk__handler *)a)->kind, ((const qk__handler *)b)->kind);
}

qk__handler *qk__pool_handler(const qk_worker *pool, const char *kind)
{
    size_t low = 0, high = pool->handler_count;

    while (low < high) {
        size_t middle = (low + high) / 2;
        int order = strcmp(pool->handlers[middle].kind, kind);
        if (order == 0)
            return &pool->handlers[middle];
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
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

/* The kinds to claim, in the order that lookups need. Caller holds the lock. */
static qk_status seal_handlers(qk_worker *pool, qk_error *err)
{
    if (!pool->no_commands) {
        qk_status rc = add_handler(pool, "command", NULL, NULL, err);
        if (rc != QK_OK && rc != QK_ECONFLICT)
            return rc;
    }
    if (pool->handler_count == 0 && pool->factory_count == 0)
        return qk__error(err, QK_EINVAL,
                         "the worker has no handlers: register one with qk_worker_handle");
    qk_status rc = add_handler(pool, "dag", qk__subdag_run, pool, err);
    if (rc != QK_OK && rc != QK_ECONFLICT)
        return rc;
    qsort(pool->handlers, pool->handler_count, sizeof(*pool->handlers), compare_handlers);
    free(pool->kinds);
    pool->kind_count = pool->handler_count + pool->factory_count;
    pool->kinds = calloc(pool->kind_count, sizeof(*pool->kinds));
    if (!pool->kinds)
        return no_memory(err);
    for (size_t i = 0; i < pool->handler_count; i++)
        pool->kinds[i] = pool->handlers[i].kind;
    for (size_t i = 0; i < pool->factory_count; i++)
        pool->kinds[pool->handler_count + i] = pool->factories[i].route;
    return QK_OK;
}

void qk__pool_stop(qk_worker *pool, bool hard)
{
    pthread_mutex_lock(&pool->lock);
    atomic_store(&pool->stopping, true);
    if (hard)
        atomic_store(&pool->hard, true);
    pthread_cond_broadcast(&pool->wake);
    pthread_mutex_unlock(&pool->lock);
    pool->store->ops->interrupt(pool->store, pool->id, true);
    if (hard)
        qk__keeper_kick(pool);
}

/* Joins what was started, in order. `slots`: how many threads there are. */
static void join(qk_worker *pool, int slots, bool hurry)
{
    for (int i = 0; i < slots; i++)
        pthread_join(pool->slots[i].thread, NULL);
    pthread_mutex_lock(&pool->keeper_lock);
    pool->keeper_finish = true;
    pthread_cond_signal(&pool->keeper_wake);
    pthread_mutex_unlock(&pool->keeper_lock);
    pthread_join(pool->keeper_thread, NULL);
    qk__outbox_finish(&pool->outbox, hurry);
    pthread_join(pool->outbox.thread, NULL);
}

static qk_status start_threads(qk_worker *pool, int *slots, qk_error *err)
{
    int rc = pthread_create(&pool->outbox.thread, NULL, qk__outbox_main, pool);

    if (rc != 0)
        return qk__error_errno(err, QK_ENOMEM, rc, "cannot start the worker's reporter");
    rc = pthread_create(&pool->keeper_thread, NULL, qk__keeper_main, pool->keeper);
    if (rc != 0) {
        qk__outbox_finish(&pool->outbox, true);
        pthread_join(pool->outbox.thread, NULL);
        return qk__error_errno(err, QK_ENOMEM, rc, "cannot start the worker's keeper");
    }
    pool->alive = (unsigned)pool->slot_count;
    for (*slots = 0; *slots < pool->slot_count; (*slots)++) {
        qk__slot *slot = &pool->slots[*slots];
        rc = pthread_create(&slot->thread, NULL, qk__slot_main, slot);
        if (rc != 0)
            return qk__error_errno(err, QK_ENOMEM, rc, "cannot start slot %d of the worker",
                                   *slots + 1);
    }
    return QK_OK;
}

/* Caller holds the lock: the slots get under way when it is released. *slots: how many were started
 * before an error; stays negative if no thread was. */
static qk_status start_locked(qk_worker *pool, int *slots, qk_error *err)
{
    qk_counters counters;
    sigset_t before;
    qk_status rc = QK_OK;

    if (pool->state != QK__POOL_OPEN)
        return qk__error(err, QK_ESTATE, "the worker was started before");
    rc = seal_handlers(pool, err);
    if (rc == QK_OK && !pool->no_commands)
        rc = qk__command_setup(pool, err);
    if (rc != QK_OK)
        return rc;
    pool->store->ops->counters(pool->store, &counters);
    pool->outbox.commit_failures = counters.commit_failures;
    qk__signals_block(&before);
    rc = start_threads(pool, slots, err);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pool->state = rc == QK_OK ? QK__POOL_STARTED : QK__POOL_JOINED;
    return rc;
}

qk_status qk_worker_start(qk_worker *pool, qk_error *err)
{
    int slots = -1;

    if (!pool)
        return qk__error(err, QK_EINVAL, "the worker is NULL");
    qk_status rc = qk__queue_enter(pool->queue, err);
    if (rc != QK_OK)
        return rc;
    pthread_mutex_lock(&pool->lock);
    rc = start_locked(pool, &slots, err);
    pthread_mutex_unlock(&pool->lock);
    if (rc != QK_OK && slots >= 0) {
        qk__pool_stop(pool, true);
        join(pool, slots, true);
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
        join(pool, pool->slot_count, hurry);
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
