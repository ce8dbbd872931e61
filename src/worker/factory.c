/*
 * Factories of sub-DAGs, and pools that run one run; see queuack/worker.h.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "util/error.h"
#include "worker/worker_internal.h"

static qk_status add(qk_worker *pool, const char *name, qk_dag_factory_fn factory, void *user,
                     qk_error *err)
{
    qk__factory entry = { .fn = factory, .user = user };
    snprintf(entry.route, sizeof(entry.route), "dag:%s", name);
    if (pool->state != QK__POOL_OPEN)
        return qk__error(err, QK_ESTATE, "factories must be registered before the worker starts");
    for (size_t i = 0; i < pool->factory_count; i++) {
        if (strcmp(pool->factories[i].route, entry.route) == 0)
            return qk__error(err, QK_ECONFLICT, "there is a factory %s already: use another name",
                             name);
    }
    qk__factory *grown = realloc(pool->factories, (pool->factory_count + 1) * sizeof(*grown));
    if (!grown)
        return qk__error(err, QK_ENOMEM, "out of memory for the worker");
    pool->factories = grown;
    grown[pool->factory_count++] = entry;
    return QK_OK;
}

qk_status qk_worker_factory(qk_worker *pool, const char *name, qk_dag_factory_fn factory,
                            void *user, qk_error *err)
{
    if (!pool || !name || !factory)
        return qk__error(err, QK_EINVAL, "worker, name and factory must not be NULL");
    if (!*name || strlen(name) > QK_NAME_MAX)
        return qk__error(err, QK_EINVAL, "a factory's name must be 1 to %d bytes", QK_NAME_MAX);
    pthread_mutex_lock(&pool->lock);
    qk_status rc = add(pool, name, factory, user, err);
    pthread_mutex_unlock(&pool->lock);
    return rc;
}

static qk_status run_pool(qk_worker *pool, qk_register_fn reg, void *user, qk_error *err)
{
    qk_status rc = reg ? reg(pool, user, err) : QK_OK;
    return rc == QK_OK ? qk_worker_run(pool, err) : rc;
}

/* The pool ends when it finds nothing more that it could run. */
static qk_status judge(qk_queue *queue, qk_id run, qk_error *err)
{
    qk_run_progress progress;
    char id[QK_ID_TEXT_SIZE];
    qk_status rc = qk_run_progress_get(&progress, queue, run, err);
    if (rc != QK_OK)
        return rc;
    if (!qk_run_status_is_terminal(progress.status))
        return qk__error(err, QK_ESTATE,
                         "run %s goes on with nodes that nothing here can run: register their "
                         "handlers and factories",
                         qk_id_format(id, run));
    if (progress.status != QK_RUN_DONE)
        return qk__error(err, QK_EJOBFAILED, "run %s is %s: look at its jobs",
                         qk_id_format(id, run), qk_run_status_name(progress.status));
    return QK_OK;
}

qk_status qk_run_execute(qk_queue *queue, qk_id run, int slots, qk_register_fn reg, void *user,
                         qk_error *err)
{
    qk_worker *pool = NULL;
    qk_run *found = NULL;
    qk_worker_options options = QK_WORKER_OPTIONS_INIT;
    qk_status rc = qk_run_get(&found, queue, run, err);
    if (rc != QK_OK)
        return rc;
    options.run = found->root_run;
    options.concurrency = slots;
    qk_run_free(found);
    rc = qk_worker_open(&pool, queue, &options, err);
    if (rc == QK_OK)
        rc = run_pool(pool, reg, user, err);
    qk_worker_close(pool);
    return rc == QK_OK ? judge(queue, run, err) : rc;
}
