/*
 * What expressions can ask of a run, read once per pool for the runs that are at it; see values.h.
 * A run's params and name never change. The pool's shared_lock guards its table.
 */
#include <stdlib.h>
#include <string.h>

#include "util/error.h"
#include "worker/values.h"

void qk__run_info_drop(qk__run_info *info)
{
    if (info && atomic_fetch_sub(&info->references, 1) == 1) {
        free(info->name);
        free(info->params);
        free(info->trigger);
        free(info);
    }
}

static qk__run_info *find(qk_worker *pool, qk_id run)
{
    qk__run_info *found = NULL;
    pthread_mutex_lock(&pool->shared_lock);
    for (size_t i = 0; i < QK__RUNS_MAX && !found; i++) {
        if (pool->run_infos[i] && qk_id_compare(pool->run_infos[i]->id, run) == 0) {
            found = pool->run_infos[i];
            atomic_fetch_add(&found->references, 1);
        }
    }
    pthread_mutex_unlock(&pool->shared_lock);
    return found;
}

/* In place of the one kept longest. */
static void keep(qk_worker *pool, qk__run_info *info)
{
    pthread_mutex_lock(&pool->shared_lock);
    size_t at = pool->run_infos_next++ % QK__RUNS_MAX;
    qk__run_info *before = pool->run_infos[at];
    pool->run_infos[at] = info;
    atomic_fetch_add(&info->references, 1);
    pthread_mutex_unlock(&pool->shared_lock);
    qk__run_info_drop(before);
}

static bool copy(char **out, const char *text)
{
    *out = text ? strdup(text) : NULL;
    return *out || !text;
}

/* A sub-DAG is scheduled, and triggered, as the run around it. */
static qk_status add_root(qk__run_info *info, qk_worker *pool, qk_id root, qk_error *err)
{
    qk_run *found = NULL;
    qk_status rc = qk_run_get(&found, pool->queue, root, err);
    if (rc != QK_OK)
        return rc;
    info->scheduled_for = found->scheduled_for.us ? found->scheduled_for : found->created_at;
    if (!info->trigger && !copy(&info->trigger, found->trigger))
        rc = qk__error(err, QK_ENOMEM, "out of memory for a run's params");
    qk_run_free(found);
    return rc;
}

qk_status qk__run_info_get(qk__run_info **out, qk_worker *pool, qk_id run, qk_error *err)
{
    qk_run *found = NULL;
    *out = find(pool, run);
    if (*out)
        return QK_OK;
    qk_status rc = qk_run_get(&found, pool->queue, run, err);
    qk__run_info *info = rc == QK_OK ? calloc(1, sizeof(*info)) : NULL;
    if (rc == QK_OK &&
        (!info || !copy(&info->name, found->name) || !copy(&info->params, found->params) ||
         !copy(&info->trigger, found->trigger)))
        rc = qk__error(err, QK_ENOMEM, "out of memory for a run's params");
    if (info) {
        atomic_init(&info->references, 1);
        info->id = run;
    }
    if (rc == QK_OK) {
        info->created_at = found->created_at;
        info->scheduled_for = found->scheduled_for.us ? found->scheduled_for : found->created_at;
        if (!found->scheduled_for.us && qk_id_compare(found->root_run, run) != 0)
            rc = add_root(info, pool, found->root_run, err);
    }
    qk_run_free(found);
    if (rc != QK_OK) {
        qk__run_info_drop(info);
        return rc;
    }
    keep(pool, info);
    *out = info;
    return QK_OK;
}
