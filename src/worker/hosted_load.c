/*
 * Loading plugins into processes of their own, and keeping these; see hosted.h.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "util/error.h"
#include "worker/hosted.h"

#define QUIT_MS 5000 /* for a plugin's own clean-up */

size_t qk__hosted_longest(const qk_worker *pool)
{
    size_t least = (size_t)64 << 20;

    return pool->max_payload > least / 4 ? 4 * pool->max_payload : least;
}

void qk__hosted_describe(char *text, size_t size, int status)
{
    if (status < 0) {
        snprintf(text, size, "its end is unknown: the application reaps all children");
    } else if (WIFSIGNALED(status)) {
        const char *name = sigabbrev_np(WTERMSIG(status));
        snprintf(text, size, "killed by signal %d (SIG%s)", WTERMSIG(status), name ? name : "?");
    } else {
        snprintf(text, size, "exit code %d", WEXITSTATUS(status));
    }
}

static char *const *environment(const qk_worker *pool)
{
    return pool->environment ? pool->environment : environ;
}

/* The first message: what to load. */
static void put_init(qk__buffer *out, const qk__hosted *hosted)
{
    const qk_worker *pool = hosted->pool;
    size_t began = qk__message_begin(out, QK__HOST_INIT);

    qk__message_text(out, QK_VERSION_STRING);
    qk__message_text(out, qk_queue_path(pool->queue));
    qk__message_text(out, hosted->path);
    qk__message_number(out, (int64_t)pool->max_payload);
    qk__message_number(out, pool->no_commands);
    qk__message_end(out, began);
}

/* A process that has loaded the plugin; what it said of that is in link.in. */
static qk_status start(qk__host **out, qk__hosted *hosted, qk_error *err)
{
    qk__buffer init;
    qk__host *host = NULL;
    char text[96];

    qk_status rc = qk__host_start(&host, hosted->argv, environment(hosted->pool),
                                  qk__hosted_longest(hosted->pool), err);
    if (rc != QK_OK)
        return rc;
    qk__buffer_init(&init, (size_t)1 << 20);
    put_init(&init, hosted);
    const qk__host_call call = { .out = &init, .cancel_fd = -1, .limit_ms = QK__HOST_LOAD_MS };
    bool answered = !init.failed && qk__host_ask(host, &call);
    qk__buffer_dispose(&init);
    if (!answered) {
        qk__hosted_describe(text, sizeof(text), qk__host_reap(host));
        return qk__error(err, QK_EINVAL, "the plugin %s ended its process while it was loaded: %s",
                         hosted->path, text);
    }
    *out = host;
    return QK_OK;
}

/* QK_OK, or what loading failed with; *reading is then at the list of kinds. */
static qk_status read_hello(qk__message_rest *reading, const qk__host *host, qk_error *err)
{
    qk__host_op op;

    *reading = qk__message_read(&host->link.in, &op);
    qk_status code = (qk_status)qk__take_number(reading);
    const char *message = qk__take_text(reading);
    if (reading->bad || op != QK__HOST_HELLO)
        return qk__error(err, QK_EINVAL,
                         "the process of a plugin gives no sensible answer: run it "
                         "with the same version of Queuack");
    return code == QK_OK ? QK_OK : qk__error(err, code, "%s", message ? message : "no reason");
}

qk_status qk__hosted_take(qk__host **out, qk__hosted *hosted, qk_error *err)
{
    qk__message_rest reading;
    qk__host *host;

    for (;;) {
        pthread_mutex_lock(&hosted->lock);
        host = hosted->idle;
        if (host) {
            hosted->idle = host->next;
            hosted->idle_count--;
        }
        pthread_mutex_unlock(&hosted->lock);
        if (!host || qk__host_is_idle(host))
            break;
        (void)qk__host_reap(host); /* it died while nobody used it */
    }
    if (host) {
        *out = host;
        return QK_OK;
    }
    qk_status rc = start(&host, hosted, err);
    if (rc == QK_OK && (rc = read_hello(&reading, host, err)) != QK_OK)
        (void)qk__host_reap(host);
    *out = rc == QK_OK ? host : NULL;
    return rc;
}

void qk__hosted_give_back(qk__hosted *hosted, qk__host *host)
{
    size_t most = (size_t)atomic_load(&hosted->pool->target);

    pthread_mutex_lock(&hosted->lock);
    bool keep = hosted->idle_count < most;
    if (keep) {
        host->next = hosted->idle;
        hosted->idle = host;
        hosted->idle_count++;
    }
    pthread_mutex_unlock(&hosted->lock);
    if (keep)
        return;
    qk__host_quit(host);
    qk__host_await(host, QUIT_MS);
    (void)qk__host_reap(host);
}

int64_t qk__hosted_number(qk__hosted *hosted)
{
    pthread_mutex_lock(&hosted->lock);
    int64_t number = ++hosted->number;
    pthread_mutex_unlock(&hosted->lock);
    return number;
}

static qk_status add_factory(qk__hosted *hosted, const char *name, qk_error *err)
{
    qk__hosted_factory *factory = calloc(1, sizeof(*factory) + strlen(name) + 1);

    if (!factory)
        return qk__error(err, QK_ENOMEM, "out of memory for a plugin");
    factory->hosted = hosted;
    strcpy(factory->name, name);
    factory->next = hosted->factories;
    hosted->factories = factory;
    return qk_worker_factory(hosted->pool, name, qk__hosted_build, factory, err);
}

/* Registers what the process said it has. */
static qk_status add_all(qk__hosted *hosted, qk__message_rest *reading, qk_error *err)
{
    qk_status rc = QK_OK;
    int64_t kinds = qk__take_number(reading);

    for (int64_t i = 0; i < kinds && rc == QK_OK && !reading->bad; i++) {
        const char *kind = qk__take_text(reading);
        rc = kind ? qk__handlers_add_hosted(hosted->pool, kind, hosted, err) : QK_OK;
    }
    int64_t factories = qk__take_number(reading);
    for (int64_t i = 0; i < factories && rc == QK_OK && !reading->bad; i++) {
        const char *name = qk__take_text(reading);
        rc = name ? add_factory(hosted, name, err) : QK_OK;
    }
    return rc == QK_OK && reading->bad
               ? qk__error(err, QK_EINVAL, "the process of a plugin gives no sensible answer")
               : rc;
}

static void hosted_free(qk__hosted *hosted)
{
    for (qk__host *host = hosted->idle; host; host = host->next)
        qk__host_quit(host);
    while (hosted->idle) {
        qk__host *host = hosted->idle;
        hosted->idle = host->next;
        qk__host_await(host, QUIT_MS);
        (void)qk__host_reap(host);
    }
    while (hosted->factories) {
        qk__hosted_factory *factory = hosted->factories;
        hosted->factories = factory->next;
        free(factory);
    }
    for (size_t i = 0; hosted->argv && hosted->argv[i]; i++)
        free(hosted->argv[i]);
    free(hosted->argv);
    free(hosted->path);
    pthread_mutex_destroy(&hosted->lock);
    free(hosted);
}

void qk__hosted_close(qk_worker *pool)
{
    while (pool->hosted) {
        qk__hosted *hosted = pool->hosted;

        pool->hosted = hosted->next;
        hosted_free(hosted);
    }
}

static qk__hosted *hosted_new(qk_worker *pool, const char *path, const char *const *argv)
{
    qk__hosted *hosted = calloc(1, sizeof(*hosted));
    size_t count = 0;

    if (!hosted)
        return NULL;
    pthread_mutex_init(&hosted->lock, NULL);
    while (argv[count])
        count++;
    hosted->pool = pool;
    hosted->path = realpath(path, NULL); /* the present folder may change */
    if (!hosted->path)
        hosted->path = strdup(path); /* whoever loads it says what is wrong */
    hosted->argv = calloc(count + 1, sizeof(*hosted->argv));
    bool good = hosted->path && hosted->argv;
    for (size_t i = 0; i < count && good; i++) {
        hosted->argv[i] = strdup(argv[i]);
        good = hosted->argv[i] != NULL;
    }
    if (good)
        return hosted;
    hosted_free(hosted);
    return NULL;
}

static qk_status load(qk__hosted *hosted, qk_error *err)
{
    qk_worker *pool = hosted->pool;
    qk__host *host = NULL;
    qk__message_rest reading;
    size_t handlers = pool->handler_count, factories = pool->factory_count;
    qk_status rc = start(&host, hosted, err);

    if (rc != QK_OK)
        return rc;
    rc = read_hello(&reading, host, err);
    if (rc == QK_OK)
        rc = add_all(hosted, &reading, err);
    if (rc == QK_OK) {
        qk__hosted_give_back(hosted, host);
        return QK_OK;
    }
    pool->handler_count = handlers; /* what it had registered goes with it */
    pool->factory_count = factories;
    (void)qk__host_reap(host);
    return rc;
}

qk_status qk_worker_plugin_isolated(qk_worker *pool, const char *path, const char *const *host,
                                    qk_error *err)
{
    static const char *const standard[] = { "queuack", "__plugin", NULL };

    if (!pool || !path || !*path)
        return qk__error(err, QK_EINVAL, "worker and path must not be NULL or empty");
    if (host && !host[0])
        return qk__error(err, QK_EINVAL, "host must name a program");
    if (strcmp(qk_queue_path(pool->queue), ":memory:") == 0)
        return qk__error(err, QK_EUNSUPPORTED,
                         "a plugin's process cannot reach a store in memory: use a file, or load "
                         "the plugin into the worker");
    pthread_mutex_lock(&pool->lock);
    bool open = pool->state == QK__POOL_OPEN;
    pthread_mutex_unlock(&pool->lock);
    if (!open)
        return qk__error(err, QK_ESTATE, "plugins must be loaded before the worker starts");
    qk__hosted *hosted = hosted_new(pool, path, host ? host : standard);
    if (!hosted)
        return qk__error(err, QK_ENOMEM, "out of memory for a plugin");
    qk_status rc = load(hosted, err);
    if (rc != QK_OK) {
        hosted_free(hosted);
        return rc;
    }
    hosted->next = pool->hosted;
    pool->hosted = hosted;
    return QK_OK;
}
