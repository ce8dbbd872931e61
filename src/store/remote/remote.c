/*
 * Opening and closing the remote store, and its small slots; see remote.h.
 */
#include "store/remote/remote_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/protocol.h"
#include "store/remote/wire.h"

void remote_body(const struct remote *store, qk__buffer *body)
{
    (void)store;
    qk__buffer_init(body, SIZE_MAX / 2);
}

qk_status remote_post(struct remote *store, const char *path, qk__buffer *body, json_t **json,
                      qk_error *err)
{
    const qk__call call = { .method = "POST", .path = path, .body = body };
    qk_status rc = body && body->failed ? qk__error(err, QK_ENOMEM, "out of memory")
                                        : qk__client_call(store->client, &call, json, NULL, err);
    if (body)
        qk__buffer_dispose(body);
    return rc;
}

qk_status remote_get(struct remote *store, const char *path, json_t **json, qk_error *err)
{
    const qk__call call = { .method = "GET", .path = path };
    return qk__client_call(store->client, &call, json, NULL, err);
}

qk_status remote_nonsense(qk_error *err)
{
    return qk__error(err, QK_EINTERNAL,
                     "the store's owner gave an answer that makes no sense: run the same version "
                     "everywhere");
}

int64_t remote_now(const struct remote *store)
{
    return store->clock.monotonic_us(store->clock.user);
}

static const char *remote_path(const qk_store *base)
{
    return ((const struct remote *)base)->path;
}

/* What a remote call reports is durable already. */
static qk_status remote_flush(qk_store *base, qk_error *err)
{
    (void)base;
    (void)err;
    return QK_OK;
}

/* Every byte escaped: names of queues may hold anything. */
static void queue_path(char path[PATH_ROOM], const char *queue, const char *verb)
{
    char *at = path + snprintf(path, PATH_ROOM, "/api/v1/queues/");
    for (; *queue; queue++)
        at += snprintf(at, 4, "%%%02X", (unsigned char)*queue);
    snprintf(at, (size_t)(path + PATH_ROOM - at), "/%s", verb);
}

static qk_status remote_pause(qk_store *base, const char *queue, bool paused, qk_error *err)
{
    char path[PATH_ROOM];
    queue_path(path, queue, paused ? "pause" : "resume");
    return remote_post(remote_of(base), path, NULL, NULL, err);
}

static qk_status remote_limit(qk_store *base, const char *queue, uint32_t limit, qk_error *err)
{
    char path[PATH_ROOM];
    qk__buffer body;
    queue_path(path, queue, "limit");
    remote_body(remote_of(base), &body);
    qk__buffer_printf(&body, "{\"concurrency\":%u}", limit);
    return remote_post(remote_of(base), path, &body, NULL, err);
}

/* One block: the struct, the queues, their names. */
static qk_stats *stats_block(const json_t *queues)
{
    size_t count = json_object_size(queues), text = 0;
    const char *name;
    json_t *entry;
    json_object_foreach((json_t *)(uintptr_t)queues, name, entry) text += strlen(name) + 1;
    qk_stats *stats = calloc(1, sizeof(*stats) + count * sizeof(qk_queue_stats) + text + 1);
    if (!stats)
        return NULL;
    stats->queues = (qk_queue_stats *)(stats + 1);
    char *at = (char *)(stats->queues + count);
    json_object_foreach((json_t *)(uintptr_t)queues, name, entry)
    {
        qk_queue_stats *queue = &stats->queues[stats->count++];
        queue->name = strcpy(at, name);
        at += strlen(name) + 1;
        queue->paused = json_is_true(json_object_get(entry, "paused"));
        for (int s = 0; s < QK_JOB_STATUS_COUNT; s++) {
            int64_t number = 0;
            (void)wire_get_number(&number, entry, qk_job_status_name((qk_job_status)s));
            queue->counts[s] = (uint64_t)number;
        }
    }
    return stats;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const qk_queue_stats *)a)->name, ((const qk_queue_stats *)b)->name);
}

static qk_status remote_stats(qk_store *base, qk_stats **out, qk_error *err)
{
    json_t *json = NULL;
    qk_status rc = remote_get(remote_of(base), "/api/v1/stats", &json, err);
    const json_t *queues = json_object_get(json, "queues");
    if (!rc && !json_is_object(queues))
        rc = remote_nonsense(err);
    if (!rc) {
        *out = stats_block(queues);
        if (*out)
            qsort((*out)->queues, (*out)->count, sizeof(*(*out)->queues), by_name);
        else
            rc = qk__error(err, QK_ENOMEM, "out of memory");
    }
    json_decref(json);
    return rc;
}

static qk_status remote_wait(qk_store *base, qk_id job, int64_t timeout_us, qk_error *err)
{
    struct remote *store = remote_of(base);
    char id[QK_ID_TEXT_SIZE], path[PATH_ROOM];
    int64_t start = remote_now(store), step;
    qk_status rc;
    do {
        int64_t gone = remote_now(store) - start;
        int64_t left = timeout_us == INT64_MAX ? INT64_MAX
                       : timeout_us > gone     ? timeout_us - gone
                                               : 0;
        step = left < ROUND_US ? left : ROUND_US;
        snprintf(path, sizeof(path), "/api/v1/jobs/%s?wait=%lld.%06lld", qk_id_format(id, job),
                 (long long)(step / 1000000), (long long)(step % 1000000));
        const qk__call call = { .method = "GET", .path = path, .late_us = step, .waits = true };
        rc = qk__client_call(store->client, &call, NULL, NULL, err);
    } while (rc == QK_ETIMEDOUT &&
             (timeout_us == INT64_MAX || remote_now(store) - start < timeout_us));
    return rc;
}

static qk_status remote_worker_beat(qk_store *base, const qk__worker_info *worker, bool gone,
                                    qk_error *err)
{
    struct remote *store = remote_of(base);
    qk__buffer body;
    remote_body(store, &body);
    qk__buffer_append(&body, "{", 1);
    wire_text(&body, "id", worker->id);
    wire_text(&body, "host", worker->host);
    wire_key(&body, "queues");
    qk__buffer_text(&body, worker->queues);
    wire_number(&body, "pid", worker->pid);
    wire_number(&body, "slots", worker->slots);
    wire_number(&body, "running", worker->running);
    wire_true(&body, "gone", gone);
    qk__buffer_append(&body, "}", 1);
    return remote_post(store, "/api/v1/workers", &body, NULL, err);
}

static qk_status remote_changes(qk_store *base, uint64_t *seen, int64_t wait_us, qk_error *err)
{
    struct remote *store = remote_of(base);
    char path[PATH_ROOM];
    json_t *json = NULL;
    int64_t number = 0;
    int64_t step = wait_us < ROUND_US ? wait_us : ROUND_US;
    snprintf(path, sizeof(path), "/api/v1/changes?seen=%llu&wait=%lld.%06lld",
             (unsigned long long)*seen, (long long)(step / 1000000), (long long)(step % 1000000));
    const qk__call call = { .method = "GET", .path = path, .late_us = step, .waits = true };
    qk_status rc = qk__client_call(store->client, &call, &json, NULL, err);
    if (!rc && !wire_get_number(&number, json, "seen"))
        rc = remote_nonsense(err);
    if (!rc) {
        bool changed = json_is_true(json_object_get(json, "changed"));
        *seen = (uint64_t)number;
        rc = changed ? QK_OK : QK_ETIMEDOUT;
    }
    json_decref(json);
    return rc;
}

static int remote_wait_fd(qk_store *base)
{
    return qk__wait_pump_fd(&remote_of(base)->pump);
}

static struct claiming *first_waiting(const struct remote *store)
{
    struct claiming *entry = store->claiming;
    while (entry && entry->told)
        entry = entry->next;
    return entry;
}

/* The waits at the owner's are ended by asking him to, so that no claim gets lost on its way. */
static void remote_stop(qk_store *base)
{
    struct remote *store = remote_of(base);
    qk__client_stop(store->client);
    pthread_mutex_lock(&store->lock);
    store->stopping = true;
    for (struct claiming *entry; (entry = first_waiting(store)) != NULL;) {
        struct stopped *stopped = calloc(1, sizeof(*stopped));
        if (!stopped)
            break; /* then they end by themselves */
        snprintf(stopped->worker, sizeof(stopped->worker), "%s", entry->worker);
        stopped->next = store->stopped;
        store->stopped = stopped;
        for (struct claiming *other = entry; other; other = other->next)
            other->told = other->told || strcmp(other->worker, stopped->worker) == 0;
        pthread_mutex_unlock(&store->lock);
        remote_interrupt(base, stopped->worker, true);
        pthread_mutex_lock(&store->lock);
    }
    pthread_mutex_unlock(&store->lock);
}

/* The owner need not remember for ever whom we stopped. */
static void forget_stopped(struct remote *store)
{
    while (store->stopped) {
        struct stopped *stopped = store->stopped;
        store->stopped = stopped->next;
        remote_interrupt(&store->base, stopped->worker, false);
        free(stopped);
    }
}

static void remote_close(qk_store *base)
{
    struct remote *store = remote_of(base);
    if (store->client)
        qk__client_stop(store->client);
    qk__wait_pump_dispose(&store->pump);
    forget_stopped(store);
    qk__client_free(store->client);
    pthread_mutex_destroy(&store->lock);
    free(store->path);
    free(store->default_queue);
    free(store);
}

static const struct qk_store_ops operations = {
    .close = remote_close,
    .path = remote_path,
    .enqueue = remote_enqueue,
    .claim = remote_claim,
    .interrupt = remote_interrupt,
    .complete = remote_complete,
    .flush = remote_flush,
    .extend = remote_extend,
    .progress = remote_progress,
    .cancel = remote_cancel,
    .retry = remote_retry,
    .purge = remote_purge,
    .pause = remote_pause,
    .limit = remote_limit,
    .backup = remote_backup,
    .metrics = remote_metrics,
    .submit_run = remote_submit_run,
    .expand = remote_expand,
    .add_nodes = remote_add_nodes,
    .run_get = remote_run_get,
    .run_list = remote_run_list,
    .run_tree = remote_run_tree,
    .run_node = remote_run_node,
    .run_wait = remote_run_wait,
    .run_cancel = remote_run_cancel,
    .run_pause = remote_run_pause,
    .run_retry = remote_run_retry,
    .upstream = remote_upstream,
    .result = remote_result,
    .get = remote_get_job,
    .list = remote_list,
    .stats = remote_stats,
    .counters = remote_counters,
    .wait = remote_wait,
    .backlog = remote_backlog,
    .worker_beat = remote_worker_beat,
    .rows_open = remote_rows_open,
    .release = remote_release,
    .changes = remote_changes,
    .wait_fd = remote_wait_fd,
    .stop = remote_stop,
};

/* The listener must have the same file open that the caller means. */
static qk_status check_identity(const qk__remote_options *options, const json_t *health,
                                qk_error *err)
{
    int64_t protocol = 0, device = 0, inode = 0, pid = 0;
    (void)wire_get_number(&pid, health, "pid");
    if (!wire_get_number(&protocol, health, "protocol") || protocol != QK__PROTOCOL) {
        const char *version = json_string_value(json_object_get(health, "version"));
        return qk__error(err, QK_EVERSION,
                         "the process that owns %s (Queuack %.20s, pid %lld) speaks another "
                         "protocol than this one (%s): run the same version everywhere",
                         options->path, version ? version : "?", (long long)pid, QK_VERSION_STRING);
    }
    (void)wire_get_number(&device, health, "device");
    (void)wire_get_number(&inode, health, "inode");
    if (options->inode && inode &&
        ((uint64_t)inode != options->inode || (uint64_t)device != options->device))
        return qk__error(err, QK_EREFUSED,
                         "%s was put in the place of the file that process %lld still has open "
                         "under that name: end that process first",
                         options->path, (long long)pid);
    return QK_OK;
}

qk_status qk__remote_open(qk_store **out, const qk__remote_options *options, qk_error *err)
{
    json_t *health = NULL;
    *out = NULL;
    struct remote *store = calloc(1, sizeof(*store));
    if (!store)
        return qk__error(err, QK_ENOMEM, "out of memory");
    store->base.ops = &operations;
    pthread_mutex_init(&store->lock, NULL);
    store->peer = options->peer;
    store->clock = options->clock;
    store->max_body =
        options->max_payload * 4 > QK__BODY_MIN ? options->max_payload * 4 : QK__BODY_MIN;
    store->path = strdup(options->path);
    store->default_queue = strdup(options->default_queue);
    qk_status rc =
        store->path && store->default_queue && qk__wait_pump_init(&store->pump, &store->base)
            ? QK_OK
            : qk__error(err, QK_ENOMEM, "out of memory");
    if (!rc)
        rc = qk__client_new(&store->client, options->socket, options->patience_us, err);
    if (!rc) {
        const qk__call call = { .method = "GET", .path = "/healthz", .hasty = true };
        rc = qk__client_call(store->client, &call, &health, NULL, err);
    }
    if (!rc)
        rc = check_identity(options, health, err);
    json_decref(health);
    if (rc) {
        remote_close(&store->base);
        return rc;
    }
    *out = &store->base;
    return QK_OK;
}
