/*
 * The queue handle: opening, auto-migration, the guard around calls, closing.
 *
 * `calls` counts the calls inside, with CLOSING as its top bit. Invariants: a call enters only
 * while CLOSING is not set and before any fork; the store is closed only when the count is 0 after
 * CLOSING was set. The last call to leave a closing handle takes `idle_lock` before it lets the
 * count reach 0, so that close cannot free the handle under its feet. `worker_lock` guards
 * `worker_slot` only. Everything else is constant after open. Any thread; close is called by one,
 * once.
 */
#include <queuack/queue.h>

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "queue/options.h"
#include "queue/others.h"
#include "queue/queue_internal.h"
#include "queue/temp_file.h"
#include "queue/url.h"
#include "queue/validate.h"
#include "util/error.h"
#include "util/fork.h"
#include "util/id.h"

#define CLOSING (UINT64_C(1) << 63)

struct qk_queue {
    qk_store *store;
    char *path; /* as resolved; the store's own answer once open */
    char *default_queue, *temp_dir;
    char worker_id[QK_NAME_MAX + 1];
    uint32_t workers_num;
    qk__store_config config;
    qk__temp_file temp_file; /* of an auto-migrated store */
    bool auto_migrated;
    uint64_t fork_generation;

    _Atomic uint64_t calls;
    pthread_mutex_t idle_lock;
    pthread_cond_t idle;

    void (*on_close)(void *);
    void *on_close_arg;
    pthread_mutex_t worker_lock;
    void *worker_slot;
    qk__others *others; /* NULL: none were named */
};

void qk__worker_id_make(char out[QK_NAME_MAX + 1])
{
    char host[QK_NAME_MAX + 1 - 32];
    if (gethostname(host, sizeof(host)) != 0)
        host[0] = '\0';
    host[sizeof(host) - 1] = '\0';
    for (char *c = host; *c; c++) {
        if (*c <= ' ' || *c >= 0x7F)
            *c = '_';
    }
    snprintf(out, QK_NAME_MAX + 1, "%s-%ld-%08x", *host ? host : "localhost", (long)getpid(),
             (unsigned)(qk__random_u64() >> 32));
}

qk_status qk__queue_enter(qk_queue *queue, qk_error *err)
{
    if (!queue)
        return qk__error(err, QK_EINVAL, "queue: must not be NULL");
    if (queue->fork_generation != qk__fork_generation()) {
        return qk__error(err, QK_EFORKED,
                         "the queue was opened before a fork: open it again in this process");
    }
    if (atomic_fetch_add(&queue->calls, 1) & CLOSING) {
        qk__queue_leave(queue);
        return qk__error(err, QK_ECLOSED, "the queue handle is being closed");
    }
    return QK_OK;
}

void qk__queue_leave(qk_queue *queue)
{
    uint64_t calls = atomic_load(&queue->calls);
    while (!(calls & CLOSING)) {
        if (atomic_compare_exchange_weak(&queue->calls, &calls, calls - 1))
            return;
    }
    pthread_mutex_lock(&queue->idle_lock);
    if (atomic_fetch_sub(&queue->calls, 1) == (CLOSING | 1))
        pthread_cond_signal(&queue->idle);
    pthread_mutex_unlock(&queue->idle_lock);
}

bool qk__queue_closing(const qk_queue *queue)
{
    return (atomic_load(&queue->calls) & CLOSING) != 0;
}

/* Refuses new calls, ends the waiting ones and waits for all. */
static void drain_calls(qk_queue *queue)
{
    atomic_fetch_or(&queue->calls, CLOSING);
    if (queue->store->ops->stop)
        queue->store->ops->stop(queue->store);
    pthread_mutex_lock(&queue->idle_lock);
    while (atomic_load(&queue->calls) != CLOSING)
        pthread_cond_wait(&queue->idle, &queue->idle_lock);
    pthread_mutex_unlock(&queue->idle_lock);
}

static void free_handle(qk_queue *queue)
{
    qk__others_close(queue->others);
    qk__temp_file_remove(&queue->temp_file);
    pthread_cond_destroy(&queue->idle);
    pthread_mutex_destroy(&queue->idle_lock);
    pthread_mutex_destroy(&queue->worker_lock);
    free(queue->path);
    free(queue->default_queue);
    free(queue->temp_dir);
    free(queue);
}

static qk_queue *new_handle(const qk__store_config *config, const qk_queue_options *options)
{
    qk_queue *queue = calloc(1, sizeof(*queue));
    if (!queue)
        return NULL;
    queue->config = *config;
    queue->workers_num = options ? options->workers_num : 0;
    queue->temp_file.guard = -1;
    queue->default_queue = strdup(config->default_queue);
    queue->fork_generation = qk__fork_generation();
    qk__worker_id_make(queue->worker_id);
    /* With default attributes these cannot fail on Linux. */
    pthread_mutex_init(&queue->idle_lock, NULL);
    pthread_cond_init(&queue->idle, NULL);
    pthread_mutex_init(&queue->worker_lock, NULL);
    if (!queue->default_queue) {
        free_handle(queue);
        return NULL;
    }
    queue->config.default_queue = queue->default_queue;
    return queue;
}

/* :memory: shared by several workers goes to a file, unless that is refused. */
static qk_status migrate(qk_queue *queue, bool force_memory, qk_error *err)
{
    const qk__log *log = &queue->config.log;
    if (strcmp(queue->path, QK__MEMORY_URL) != 0 || queue->workers_num <= 1)
        return QK_OK;
    if (force_memory) {
        qk__log_event(log, QK_LOG_WARN, "store.in_memory",
                      QK__FIELDS(qk__log_number("workers", queue->workers_num)),
                      ":memory: + %u workers stays in memory (force_memory_db): nothing survives "
                      "this process",
                      queue->workers_num);
        return QK_OK;
    }
    qk_status rc = qk__temp_file_make(&queue->temp_file, queue->temp_dir, log, err);
    if (rc)
        return rc;
    char *path = strdup(queue->temp_file.path);
    if (!path)
        return qk__error(err, QK_ENOMEM, "out of memory");
    free(queue->path);
    queue->path = path;
    queue->config.must_exist = false;
    queue->auto_migrated = true;
    return QK_OK;
}

/* What only this process knows needs no sharing. */
static qk_status open_file_or_memory(qk_queue *queue, qk_error *err)
{
#ifdef QUEUACK_HTTP
    if (strcmp(queue->path, QK__MEMORY_URL) != 0 && !queue->auto_migrated)
        return qk__shared_open(&queue->store, &queue->config, err);
#endif
    return qk__embedded_open(&queue->store, &queue->config, err);
}

static qk_status open_store(qk_queue *queue, const qk_queue_options *options, qk_error *err)
{
    qk_status rc = migrate(queue, options && options->force_memory_db, err);
    if (rc)
        return rc;
    queue->config.path = queue->path;
    /* Queries of a file spill beside it, unless the caller named a folder. */
    queue->config.temp_dir = options && options->temp_dir ? queue->temp_dir : NULL;
    const qk_clock *clock = &queue->config.clock;
    int64_t began = clock->monotonic_us(clock->user);
    rc = open_file_or_memory(queue, err);
    if (rc)
        return rc;
    rc = qk__temp_file_opened(&queue->temp_file, err);
    if (rc) {
        queue->store->ops->close(queue->store);
        return rc;
    }
    if (queue->auto_migrated) {
        qk__log_event(&queue->config.log, QK_LOG_INFO, "store.auto_migrated",
                      QK__FIELDS(qk__log_text("path", queue->path),
                                 qk__log_number("workers", queue->workers_num)),
                      "AUTO-MIGRATED: :memory: + %u workers → %s", queue->workers_num, queue->path);
    }
    int64_t took = clock->monotonic_us(clock->user) - began;
    qk__log_event(&queue->config.log, QK_LOG_DEBUG, "store.opened",
                  QK__FIELDS(qk__log_text("path", queue->path), qk__log_number("took_us", took)),
                  "opened %s in %lld ms", queue->path, (long long)took / 1000);
    return QK_OK;
}

qk_status qk_queue_open(qk_queue **out, const char *url, const qk_queue_options *options,
                        qk_error *err)
{
    qk__store_config config;

    if (!out)
        return qk__error(err, QK_EINVAL, "out: must not be NULL");
    *out = NULL;
    qk__fork_watch();
    qk_status rc = qk__options_apply(&config, options, err);
    if (rc)
        return rc;
    qk_queue *queue = new_handle(&config, options);
    if (!queue)
        return qk__error(err, QK_ENOMEM, "out of memory");
    rc = qk__url_resolve(&queue->path, url, err);
    if (!rc && options)
        rc = qk__others_new(&queue->others, options, err);
    if (!rc)
        rc = qk__temp_dir_resolve(&queue->temp_dir, config.temp_dir, err);
    if (!rc)
        rc = open_store(queue, options, err);
    if (rc) {
        free_handle(queue);
        return rc;
    }
    *out = queue;
    return QK_OK;
}

void qk_queue_close(qk_queue *queue)
{
    /* In a forked child the handle's locks and threads are the parent's: nothing can be freed. */
    if (!queue || queue->fork_generation != qk__fork_generation())
        return;
    if (queue->on_close)
        queue->on_close(queue->on_close_arg);
    drain_calls(queue);
    queue->store->ops->close(queue->store);
    qk__log_event(&queue->config.log, QK_LOG_DEBUG, "store.closed",
                  QK__FIELDS(qk__log_text("path", queue->path)), "closed %s", queue->path);
    free_handle(queue);
}

qk_status qk_queue_other(qk_queue **out, qk_queue *queue, const char *alias, qk_error *err)
{
    if (!out || !alias)
        return qk__error(err, QK_EINVAL, "out and alias must not be NULL");
    *out = NULL;
    qk_status rc = qk__queue_enter(queue, err);
    if (rc)
        return rc;
    rc = qk__others_get(out, queue->others, alias, err);
    qk__queue_leave(queue);
    return rc;
}

const char *qk_queue_path(const qk_queue *queue)
{
    return queue ? queue->path : NULL;
}

bool qk_queue_owns(const qk_queue *queue)
{
    qk_store *store = queue ? queue->store : NULL;
    return store && (!store->ops->owns || store->ops->owns(store));
}

bool qk_queue_auto_migrated(const qk_queue *queue)
{
    return queue && queue->auto_migrated;
}

int qk_queue_wait_fd(qk_queue *queue)
{
    if (qk__queue_enter(queue, NULL))
        return -1;
    int fd = queue->store->ops->wait_fd(queue->store);
    qk__queue_leave(queue);
    return fd;
}

void qk_counters_get(qk_counters *out, qk_queue *queue)
{
    if (!out)
        return;
    memset(out, 0, sizeof(*out));
    if (qk__queue_enter(queue, NULL))
        return;
    queue->store->ops->counters(queue->store, out);
    out->auto_migrations = queue->auto_migrated;
    qk__queue_leave(queue);
}

qk_store *qk__queue_store(qk_queue *queue)
{
    return queue->store;
}

const char *qk__queue_default_queue(const qk_queue *queue)
{
    return queue->default_queue;
}

const char *qk__queue_worker_id(const qk_queue *queue)
{
    return queue->worker_id;
}

uint32_t qk__queue_workers_num(const qk_queue *queue)
{
    return queue->workers_num;
}

size_t qk__queue_max_payload(const qk_queue *queue)
{
    return queue->config.max_payload;
}

const qk_clock *qk__queue_clock(const qk_queue *queue)
{
    return &queue->config.clock;
}

const qk__log *qk__queue_log(const qk_queue *queue)
{
    return &queue->config.log;
}

const char *qk__queue_temp_dir(const qk_queue *queue)
{
    return queue->temp_dir;
}

bool qk__queue_strict(const qk_queue *queue)
{
    return queue->config.strict;
}

void qk__queue_on_close(qk_queue *queue, void (*fn)(void *arg), void *arg)
{
    queue->on_close = fn;
    queue->on_close_arg = arg;
}

void **qk__queue_worker_slot(qk_queue *queue)
{
    return &queue->worker_slot;
}

pthread_mutex_t *qk__queue_worker_lock(qk_queue *queue)
{
    return &queue->worker_lock;
}
