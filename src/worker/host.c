/*
 * The process that hosts a plugin: qk_plugin_host. It speaks with its worker as host_wire.h says.
 *
 * Two threads. The first listens: for jobs, which it hands to the second, for their cancellation, and for the
 * worker's end, with which it ends the process at once, whatever the handler does. The second runs the
 * handlers, in the one slot of a pool that is never started, and answers. `lock` guards what they share; a slot's lock
 * is taken under it.
 */
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <queuack/plugin.h>

#include "util/error.h"
#include "worker/host_wire.h"
#include "worker/worker_internal.h"

#define PROGRESS_MS 200 /* how often the latest progress is sent that was not */
#define LONGEST ((size_t)1 << 31)

typedef struct server {
    qk__link link;
    qk_queue *queue;
    qk_worker *pool;
    qk__slot *slot;
    pthread_mutex_t lock;
    pthread_cond_t wake, idle;
    qk__buffer job; /* the message about it */
    bool waiting, busy, quit; /* waiting: the job is to be taken */
    int64_t number; /* of the job that waits or runs */
    bool cancelled; /* that job */
    qk_lease lease; /* while busy */
    char worker[QK_NAME_MAX + 1];
} server;

static bool answer(server *server, qk__buffer *out, size_t began)
{
    size_t sent = 0;

    qk__message_end(out, began);
    bool good = !out->failed && qk__link_send(&server->link, out, &sent) == 1;
    qk__buffer_dispose(out);
    return good;
}

static void answer_end(server *server, qk_status code, const char *error, const char *result,
                       bool permanent)
{
    qk__buffer out;

    qk__buffer_init(&out, LONGEST);
    size_t began = qk__message_begin(&out, QK__HOST_END);
    qk__message_number(&out, code);
    qk__message_text(&out, error);
    qk__message_text(&out, result);
    qk__message_number(&out, permanent);
    if (!answer(server, &out, began))
        _exit(1); /* nobody is there, or there is no memory to say so */
}

/* Borrows from the message. False: it makes no sense. */
static bool read_claim(qk_claimed *claim, qk__message_rest *reading)
{
    memset(claim, 0, sizeof(*claim));
    claim->kind = qk__take_text(reading);
    claim->queue = qk__take_text(reading);
    claim->payload = qk__take_text(reading);
    claim->name = qk__take_text(reading);
    claim->node_name = qk__take_text(reading);
    claim->lease.worker_id = qk__take_text(reading);
    claim->lease.job = qk__take_id(reading);
    claim->lease.attempt = (int32_t)qk__take_number(reading);
    claim->run_id = qk__take_id(reading);
    claim->run_depth = (int)qk__take_number(reading);
    claim->attempts = (int32_t)qk__take_number(reading);
    claim->max_attempts = (int32_t)qk__take_number(reading);
    claim->timeout.us = qk__take_number(reading);
    claim->claimed_at.us = qk__take_number(reading);
    claim->strict = qk__take_number(reading) != 0;
    claim->payload_length = claim->payload ? strlen(claim->payload) : 0;
    return !reading->bad && claim->kind && claim->payload && claim->lease.worker_id;
}

static qk__handler *find_handler(const qk_worker *pool, const char *kind)
{
    for (size_t i = 0; i < pool->handler_count; i++) {
        if (strcmp(pool->handlers[i].kind, kind) == 0)
            return &pool->handlers[i];
    }
    return NULL;
}

/* Makes it the job that runs. */
static void begin(server *server, const qk_claimed *claim, qk__handler *handler)
{
    qk__slot *slot = server->slot;
    qk_task *task = &slot->task;

    pthread_mutex_lock(&server->lock);
    pthread_mutex_lock(&slot->lock);
    slot->handler = handler;
    task->claim = claim;
    task->permanent = task->expanded = false;
    task->progress_dirty = false;
    task->progress_sent_us = 0;
    atomic_store(&task->cancelled, server->cancelled);
    slot->running = true;
    snprintf(server->worker, sizeof(server->worker), "%s", claim->lease.worker_id);
    server->lease = (qk_lease){ claim->lease.job, claim->lease.attempt, server->worker };
    pthread_mutex_unlock(&slot->lock);
    pthread_mutex_unlock(&server->lock);
}

static void send_progress(server *server)
{
    qk_task *task = &server->slot->task;
    qk_store *store = server->pool->store;
    char message[sizeof(task->progress_message)];

    pthread_mutex_lock(&server->slot->lock);
    bool due = server->slot->running && task->progress_dirty;
    double fraction = task->progress;
    memcpy(message, task->progress_message, sizeof(message));
    task->progress_dirty = false;
    task->progress_sent_us = due ? qk__pool_now(server->pool) : task->progress_sent_us;
    pthread_mutex_unlock(&server->slot->lock);
    if (due)
        store->ops->progress(store, &server->lease, fraction, message[0] ? message : NULL, NULL);
}

static void run_job(server *server, qk__message_rest *reading)
{
    qk__slot *slot = server->slot;
    qk_task *task = &slot->task;
    qk_outcome outcome = { .verdict = QK_VERDICT_FAIL };
    qk_claimed claim;

    qk__handler *handler =
        read_claim(&claim, reading) ? find_handler(server->pool, claim.kind) : NULL;
    if (!handler) {
        answer_end(server, QK_EINVAL, "this plugin has no such handler", NULL, false);
        return;
    }
    begin(server, &claim, handler);
    qk__handler_call(slot, &outcome);
    fflush(stdout);
    send_progress(server);
    pthread_mutex_lock(&slot->lock);
    slot->running = false;
    char *result = task->result;
    bool permanent = task->permanent;
    task->result = NULL;
    pthread_mutex_unlock(&slot->lock);
    if (task->upstream)
        qk__task_forget(task);
    bool good = outcome.verdict == QK_VERDICT_ACK;
    answer_end(server, good ? QK_OK : QK_EJOBFAILED, outcome.error, good ? result : NULL,
               permanent);
    free(result);
    qk__outcome_dispose(&outcome);
}

static const qk__factory *find_factory(const qk_worker *pool, const char *name)
{
    for (size_t i = 0; name && i < pool->factory_count; i++) {
        if (strcmp(pool->factories[i].route + 4, name) == 0)
            return &pool->factories[i];
    }
    return NULL;
}

static void build(server *server, qk__message_rest *reading)
{
    qk_error err = QK_ERROR_INIT;
    qk_dag *dag = NULL;
    char *text = NULL;
    const qk__factory *factory = find_factory(server->pool, qk__take_text(reading));
    qk_factory_call call = { .parent_job = qk__take_id(reading), .run = qk__take_id(reading) };
    call.node = qk__take_text(reading);
    call.params = qk__take_text(reading);
    call.depth = (int)qk__take_number(reading);
    call.queue = server->queue;
    qk_status rc = factory && !reading->bad && call.params
                       ? factory->fn(&dag, &call, factory->user, &err)
                       : qk__error(&err, QK_EINVAL, "this plugin has no such factory");
    fflush(stdout);
    if (rc == QK_OK && !dag)
        rc = qk__error(&err, QK_EINVAL, "the factory returned no DAG: return one");
    if (rc == QK_OK)
        rc = qk_dag_to_json(&text, dag, &err);
    answer_end(server, rc, err.message[0] ? err.message : NULL, text, false);
    free(text);
    qk_dag_free(dag);
}

static void *run_jobs(void *user)
{
    server *server = user;
    qk__host_op op;

    pthread_mutex_lock(&server->lock);
    for (;;) {
        while (!server->waiting && !server->quit)
            pthread_cond_wait(&server->wake, &server->lock);
        if (server->quit)
            break;
        server->waiting = false;
        server->busy = true;
        pthread_mutex_unlock(&server->lock);
        qk__message_rest reading = qk__message_read(&server->job, &op);
        (void)qk__take_number(&reading);
        if (op == QK__HOST_RUN)
            run_job(server, &reading);
        else
            build(server, &reading);
        pthread_mutex_lock(&server->lock);
        server->busy = false;
        pthread_cond_signal(&server->idle);
    }
    pthread_mutex_unlock(&server->lock);
    return NULL;
}

/* The next job, once the one before has been answered: its thread may still be about to notice. */
static void hand_over(server *server, int64_t number)
{
    pthread_mutex_lock(&server->lock);
    while (server->busy)
        pthread_cond_wait(&server->idle, &server->lock);
    qk__buffer before = server->job;
    server->job = server->link.in;
    server->link.in = before;
    qk__buffer_clear(&server->link.in);
    server->link.whole = false;
    server->number = number;
    server->cancelled = false;
    server->waiting = true;
    pthread_cond_signal(&server->wake);
    pthread_mutex_unlock(&server->lock);
}

static void cancel(server *server, int64_t number)
{
    pthread_mutex_lock(&server->lock);
    if (server->number == number) {
        server->cancelled = true;
        if (server->busy)
            atomic_store(&server->slot->task.cancelled, true);
    }
    pthread_mutex_unlock(&server->lock);
}

/* Until the worker says that it is enough. */
static void listen_to_worker(server *server)
{
    for (;;) {
        struct pollfd fd = { .fd = server->link.fd, .events = POLLIN };
        int ready = poll(&fd, 1, PROGRESS_MS);
        if (ready <= 0) {
            send_progress(server);
            continue;
        }
        if (qk__link_receive(&server->link) <= 0)
            _exit(1); /* the worker is gone */
        qk__host_op op;
        qk__message_rest reading = qk__message_read(&server->link.in, &op);
        int64_t number = op == QK__HOST_QUIT ? 0 : qk__take_number(&reading);
        if (op == QK__HOST_QUIT)
            return;
        if (op == QK__HOST_CANCEL)
            cancel(server, number);
        else if (op == QK__HOST_RUN || op == QK__HOST_BUILD)
            hand_over(server, number);
        else
            _exit(1);
    }
}

static bool say_hello(server *server, qk_status code, const qk_error *err)
{
    const qk_worker *pool = server->pool;
    qk__buffer out;

    qk__buffer_init(&out, LONGEST);
    size_t began = qk__message_begin(&out, QK__HOST_HELLO);
    qk__message_number(&out, code);
    qk__message_text(&out, err->message);
    qk__message_number(&out, code == QK_OK ? (int64_t)pool->handler_count : 0);
    for (size_t i = 0; code == QK_OK && i < pool->handler_count; i++)
        qk__message_text(&out, pool->handlers[i].kind);
    qk__message_number(&out, code == QK_OK ? (int64_t)pool->factory_count : 0);
    for (size_t i = 0; code == QK_OK && i < pool->factory_count; i++)
        qk__message_text(&out, pool->factories[i].route + 4);
    return answer(server, &out, began) && code == QK_OK;
}

/* Everything that the first message asks for. */
static qk_status set_up(server *server, qk_error *err)
{
    qk__host_op op;
    qk__message_rest reading = qk__message_read(&server->link.in, &op);
    const char *version = qk__take_text(&reading);
    const char *store = qk__take_text(&reading);
    const char *plugin = qk__take_text(&reading);
    qk_queue_options options = QK_QUEUE_OPTIONS_INIT;
    qk_worker_options alone = QK_WORKER_OPTIONS_INIT;

    options.max_payload = (size_t)qk__take_number(&reading);
    options.must_exist = options.brief = true;
    alone.no_commands = qk__take_number(&reading) != 0;
    alone.concurrency = 1;
    if (reading.bad || op != QK__HOST_INIT || !version || !store || !plugin ||
        strcmp(version, QK_VERSION_STRING) != 0)
        return qk__error(err, QK_EVERSION,
                         "the worker and the host of its plugin are of different versions: install "
                         "one");
    qk_status rc = qk_queue_open(&server->queue, store, &options, err);
    if (rc == QK_OK)
        rc = qk_worker_open(&server->pool, server->queue, &alone, err);
    if (rc != QK_OK)
        return rc;
    server->slot = server->pool->slots[0];
    return qk_worker_plugin(server->pool, plugin, err);
}

/* Standard input is the socket, which nothing that the plugin starts or reads may have. */
static bool take_socket(qk__link *link)
{
    int fd = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3);
    int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
    bool good = fd >= 0 && null >= 0 && dup2(null, STDIN_FILENO) == STDIN_FILENO;

    if (null >= 0)
        close(null);
    qk__link_init(link, fd, LONGEST);
    return good && qk__link_receive(link) == 1;
}

static int serve(server *server)
{
    pthread_t thread;

    if (pthread_create(&thread, NULL, run_jobs, server) != 0)
        return 1;
    listen_to_worker(server);
    pthread_mutex_lock(&server->lock);
    server->quit = true;
    pthread_cond_signal(&server->wake);
    pthread_mutex_unlock(&server->lock);
    pthread_join(thread, NULL);
    return 0;
}

int qk_plugin_host(void)
{
    server server = { .lock = PTHREAD_MUTEX_INITIALIZER,
                      .wake = PTHREAD_COND_INITIALIZER,
                      .idle = PTHREAD_COND_INITIALIZER };
    qk_error err = QK_ERROR_INIT;
    int code = 1;

    qk__buffer_init(&server.job, LONGEST);
    if (take_socket(&server.link)) {
        qk_status rc = set_up(&server, &err);
        if (say_hello(&server, rc, &err))
            code = serve(&server);
    }
    qk_worker_close(server.pool);
    qk_queue_close(server.queue);
    qk__buffer_dispose(&server.job);
    qk__link_dispose(&server.link);
    return code;
}
