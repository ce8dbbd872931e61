/*
 * Which kinds a pool runs, and by what. Registered under the pool's lock before it starts, constant
 * from then on.
 */
#include <stdlib.h>
#include <string.h>

#include "util/error.h"
#include "worker/command_spec.h"
#include "worker/worker_internal.h"

static qk_status add(qk_worker *pool, const char *kind, const qk__handler *what, qk_error *err)
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
            return qk__error(err, QK_ENOMEM, "out of memory for the worker");
        pool->handlers = handlers;
        pool->handler_capacity = capacity;
    }
    qk__handler *handler = &pool->handlers[pool->handler_count++];
    strcpy(handler->kind, kind);
    handler->fn = what->fn;
    handler->sql = what->sql;
    handler->program = what->program;
    handler->hosted = what->hosted;
    handler->user = what->user;
    atomic_init(&handler->average_us, QK__EWMA_UNKNOWN);
    return QK_OK;
}

static qk_status add_checked(qk_worker *pool, const char *kind, const qk__handler *what,
                             qk_error *err)
{
    if (!*kind || strlen(kind) > QK_NAME_MAX)
        return qk__error(err, QK_EINVAL, "a kind must be 1 to %d bytes", QK_NAME_MAX);
    if (strcmp(kind, "command") == 0 && !pool->no_commands)
        return qk__error(err, QK_ECONFLICT,
                         "the kind command is built in; open the worker with no_commands to "
                         "handle it yourself");
    pthread_mutex_lock(&pool->lock);
    qk_status rc = add(pool, kind, what, err);
    pthread_mutex_unlock(&pool->lock);
    return rc;
}

qk_status qk_worker_handle(qk_worker *pool, const char *kind, qk_handler_fn handler, void *user,
                           qk_error *err)
{
    const qk__handler what = { .fn = handler, .user = user };

    if (!pool || !kind || !handler)
        return qk__error(err, QK_EINVAL, "worker, kind and handler must not be NULL");
    return add_checked(pool, kind, &what, err);
}

qk_status qk_worker_handle_command(qk_worker *pool, const char *kind, const char *const *argv,
                                   const char *cwd, const qk_limits *limits, qk_error *err)
{
    if (!pool || !kind || !argv)
        return qk__error(err, QK_EINVAL, "worker, kind and argv must not be NULL");
    if (!argv[0] || !*argv[0])
        return qk__error(err, QK_EINVAL, "the command for the kind %s is empty: name a program",
                         kind);
    const qk__handler what = { .program = qk__program_new(argv, cwd, limits) };
    if (!what.program)
        return qk__error(err, QK_ENOMEM, "out of memory for the worker");
    qk_status rc = add_checked(pool, kind, &what, err);
    if (rc != QK_OK)
        qk__program_free(what.program);
    return rc;
}

qk_status qk__handlers_add_hosted(qk_worker *pool, const char *kind, qk__hosted *hosted,
                                  qk_error *err)
{
    const qk__handler what = { .hosted = hosted };

    return add_checked(pool, kind, &what, err);
}

static int compare(const void *a, const void *b)
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

/* Workflow files may hold such tasks; their expansion is not there yet. Better said than waited for. */
static qk_status refuse_foreach(qk_task *task, void *user, qk_error *err)
{
    (void)user;
    qk_task_permanent(task);
    return qk__error(err, QK_EUNSUPPORTED, "foreach is not run by this version of Queuack");
}

static qk_status add_built_in(qk_worker *pool, const char *kind, const qk__handler *handler,
                              qk_error *err)
{
    qk_status rc = add(pool, kind, handler, err);
    return rc == QK_ECONFLICT ? QK_OK : rc; /* the user's own, or there from an earlier start */
}

qk_status qk__handlers_seal(qk_worker *pool, qk_error *err)
{
    const qk__handler command = { .fn = NULL }, sql = { .sql = true };
    const qk__handler subdag = { .fn = qk__subdag_run, .user = pool };
    const qk__handler foreach = { .fn = refuse_foreach };
    qk_status rc = QK_OK;

    if (!pool->no_commands)
        rc = add_built_in(pool, "command", &command, err);
    if (rc == QK_OK && pool->sql)
        rc = add_built_in(pool, "sql", &sql, err);
    if (rc == QK_OK && pool->handler_count == 0 && pool->factory_count == 0)
        return qk__error(err, QK_EINVAL,
                         "the worker has no handlers: register one with qk_worker_handle");
    if (rc == QK_OK)
        rc = add_built_in(pool, "dag", &subdag, err);
    if (rc == QK_OK)
        rc = add_built_in(pool, "foreach", &foreach, err);
    if (rc != QK_OK)
        return rc;
    qsort(pool->handlers, pool->handler_count, sizeof(*pool->handlers), compare);
    free(pool->kinds);
    pool->kind_count = pool->handler_count + pool->factory_count;
    pool->kinds = calloc(pool->kind_count, sizeof(*pool->kinds));
    if (!pool->kinds)
        return qk__error(err, QK_ENOMEM, "out of memory for the worker");
    for (size_t i = 0; i < pool->handler_count; i++)
        pool->kinds[i] = pool->handlers[i].kind;
    for (size_t i = 0; i < pool->factory_count; i++)
        pool->kinds[pool->handler_count + i] = pool->factories[i].route;
    return QK_OK;
}

bool qk_worker_handles(const qk_worker *worker, const char *kind)
{
    qk_worker *pool = (qk_worker *)(uintptr_t)worker;

    pthread_mutex_lock(&pool->lock);
    bool found = (strcmp(kind, "command") == 0 && !pool->no_commands) ||
                 (strcmp(kind, "sql") == 0 && pool->sql) || strcmp(kind, "dag") == 0;
    for (size_t i = 0; i < pool->handler_count && !found; i++)
        found = strcmp(pool->handlers[i].kind, kind) == 0;
    pthread_mutex_unlock(&pool->lock);
    return found;
}

bool qk__pool_runs_commands(const qk_worker *pool)
{
    for (size_t i = 0; i < pool->handler_count; i++) {
        if (!pool->handlers[i].fn && !pool->handlers[i].sql)
            return true;
    }
    return false;
}

void qk__handlers_free(qk_worker *pool)
{
    for (size_t i = 0; i < pool->handler_count; i++)
        qk__program_free(pool->handlers[i].program);
    free(pool->handlers);
    free(pool->kinds);
}
