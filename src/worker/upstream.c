/*
 * What a task can ask of its run: parents, their results, new nodes; see queuack/task.h.
 *
 * Parents are read from the store when first asked for and kept until the handler returns. Large
 * results are read once per pool and shared by all tasks that ask, as long as one of them has it or
 * it is among the last few.
 *
 * The handler's threads must not ask at the same time. The pool's shared_lock guards its table.
 */
#include <stdlib.h>
#include <string.h>

#include "dag/graph.h"
#include "dag/submission.h"
#include "util/buffer.h"
#include "util/error.h"
#include "worker/worker_internal.h"

void qk__shared_drop(qk__shared *shared)
{
    if (shared && atomic_fetch_sub(&shared->references, 1) == 1) {
        free(shared->text);
        free(shared);
    }
}

void qk__task_forget(qk_task *task)
{
    for (size_t i = 0; i < task->borrowed_count; i++)
        qk__shared_drop(task->borrowed[i]);
    free(task->borrowed);
    free(task->upstream);
    free(task->all);
    task->borrowed = NULL;
    task->borrowed_count = 0;
    task->upstream = NULL;
    task->all = NULL;
}

qk_id qk_task_run_id(const qk_task *task)
{
    return task->claim->run_id;
}

const char *qk_task_node(const qk_task *task)
{
    return task->claim->node_name;
}

static qk_status load(qk_task *task, qk_error *err)
{
    qk_store *store = task->slot->pool->store;
    if (task->upstream)
        return QK_OK;
    return store->ops->upstream(store, &task->upstream, task->claim->lease.job, err);
}

qk_status qk_task_parent_count(size_t *out, qk_task *task, qk_error *err)
{
    qk_status rc = load(task, err);
    if (rc == QK_OK)
        *out = task->upstream->count;
    return rc;
}

const char *qk_task_parent(const qk_task *task, size_t index)
{
    if (!task->upstream || index >= task->upstream->count)
        return NULL;
    return task->upstream->items[index].node;
}

static const qk__upstream_node *find(const qk_task *task, const char *name)
{
    for (size_t i = 0; i < task->upstream->count; i++) {
        const qk__upstream_node *item = &task->upstream->items[i];
        char id[QK_ID_TEXT_SIZE];
        if (strcmp(item->node ? item->node : qk_id_format(id, item->id), name) == 0)
            return item;
    }
    return NULL;
}

qk_status qk__task_status(qk_job_status *out, qk_task *task, const char *name, qk_error *err)
{
    qk_status rc = load(task, err);
    const qk__upstream_node *item = rc == QK_OK ? find(task, name) : NULL;
    if (rc == QK_OK && !item)
        rc = QK_ENOTFOUND;
    if (rc == QK_OK)
        *out = item->status;
    return rc;
}

static qk__shared *find_shared(qk_worker *pool, const qk__upstream_node *item)
{
    qk__shared *found = NULL;
    pthread_mutex_lock(&pool->shared_lock);
    for (size_t i = 0; i < QK__SHARED_MAX && !found; i++) {
        qk__shared *shared = pool->shared[i];
        if (shared && shared->attempt == item->attempt &&
            qk_id_compare(shared->job, item->id) == 0) {
            found = shared;
            atomic_fetch_add(&found->references, 1);
        }
    }
    pthread_mutex_unlock(&pool->shared_lock);
    return found;
}

/* Keeps it for others, in place of the one kept longest. */
static void keep_shared(qk_worker *pool, qk__shared *shared)
{
    pthread_mutex_lock(&pool->shared_lock);
    size_t at = pool->shared_next++ % QK__SHARED_MAX;
    qk__shared *before = pool->shared[at];
    pool->shared[at] = shared;
    atomic_fetch_add(&shared->references, 1);
    pthread_mutex_unlock(&pool->shared_lock);
    qk__shared_drop(before);
}

static qk_status read_shared(qk__shared **out, qk_worker *pool, const qk__upstream_node *item,
                             qk_error *err)
{
    qk__shared *shared = calloc(1, sizeof(*shared));
    if (!shared)
        return qk__error(err, QK_ENOMEM, "out of memory for an upstream result");
    atomic_init(&shared->references, 1);
    shared->job = item->id;
    shared->attempt = item->attempt;
    qk_status rc = pool->store->ops->result(pool->store, &shared->text, item->id, err);
    if (rc != QK_OK) {
        qk__shared_drop(shared);
        return rc;
    }
    keep_shared(pool, shared);
    *out = shared;
    return QK_OK;
}

static qk_status borrow(const char **out, qk_task *task, const qk__upstream_node *item,
                        qk_error *err)
{
    qk_worker *pool = task->slot->pool;
    for (size_t i = 0; i < task->borrowed_count; i++) {
        if (qk_id_compare(task->borrowed[i]->job, item->id) == 0) {
            *out = task->borrowed[i]->text;
            return QK_OK;
        }
    }
    qk__shared **grown = realloc(task->borrowed, (task->borrowed_count + 1) * sizeof(*grown));
    if (!grown)
        return qk__error(err, QK_ENOMEM, "out of memory for an upstream result");
    task->borrowed = grown;
    qk__shared *shared = find_shared(pool, item);
    qk_status rc = shared ? QK_OK : read_shared(&shared, pool, item, err);
    if (rc == QK_OK) {
        task->borrowed[task->borrowed_count++] = shared;
        *out = shared->text;
    }
    return rc;
}

static qk_status result_of(const char **out, qk_task *task, const qk__upstream_node *item,
                           qk_error *err)
{
    *out = item->status == QK_JOB_DONE ? item->result : NULL;
    if (item->status != QK_JOB_DONE || !item->large)
        return QK_OK;
    return borrow(out, task, item, err);
}

qk_status qk_task_upstream(const char **out, qk_task *task, const char *name, qk_error *err)
{
    *out = NULL;
    qk_status rc = load(task, err);
    if (rc != QK_OK)
        return rc;
    const qk__upstream_node *item = find(task, name);
    if (!item)
        return qk__error(err, QK_ENOTFOUND, "'%s' is not upstream of this node: add it to after",
                         name);
    if (item->status != QK_JOB_DONE)
        return qk__error(err, QK_ESTATE, "upstream '%s' is %s: it has no result", name,
                         qk_job_status_name(item->status));
    return result_of(out, task, item, err);
}

qk_status qk_task_upstream_or(const char **out, qk_task *task, const char *name,
                              const char *fallback, qk_error *err)
{
    qk_status rc = qk_task_upstream(out, task, name, err);
    if (rc == QK_ENOTFOUND || rc == QK_ESTATE || (rc == QK_OK && !*out)) {
        *out = fallback;
        return QK_OK;
    }
    return rc;
}

bool qk_task_has_upstream(qk_task *task, const char *name)
{
    const qk__upstream_node *item = load(task, NULL) == QK_OK ? find(task, name) : NULL;
    return item && item->status == QK_JOB_DONE;
}

bool qk_task_has_upstream_any(qk_task *task, const char *const *names, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (qk_task_has_upstream(task, names[i]))
            return true;
    }
    return false;
}

qk_status qk_task_upstream_any(const char **name, const char **out, qk_task *task, qk_error *err)
{
    *name = *out = NULL;
    qk_status rc = load(task, err);
    for (size_t i = 0; rc == QK_OK && i < task->upstream->count; i++) {
        const qk__upstream_node *item = &task->upstream->items[i];
        if (item->status == QK_JOB_DONE) {
            *name = item->node;
            return result_of(out, task, item, err);
        }
    }
    return rc == QK_OK ? qk__error(err, QK_ENOTFOUND, "nothing upstream is done: it has no result")
                       : rc;
}

static qk_status put_one(qk__buffer *map, qk_task *task, const qk__upstream_node *item,
                         qk_error *err)
{
    char id[QK_ID_TEXT_SIZE];
    const char *result = NULL;
    const char *name = item->node ? item->node : qk_id_format(id, item->id);
    qk_status rc = result_of(&result, task, item, err);
    qk__buffer_text(map, map->length > 1 ? "," : "");
    qk__buffer_json_string(map, name, strlen(name));
    qk__buffer_text(map, ":");
    qk__buffer_text(map, result ? result : "null");
    return rc;
}

static qk_status put_all(const char **out, qk_task *task, bool done_only, qk_error *err)
{
    qk__buffer map;
    qk_status rc = load(task, err);
    *out = NULL;
    if (rc != QK_OK)
        return rc;
    qk__buffer_init(&map, SIZE_MAX / 2);
    qk__buffer_text(&map, "{");
    for (size_t i = 0; rc == QK_OK && i < task->upstream->count; i++) {
        const qk__upstream_node *item = &task->upstream->items[i];
        if (!done_only || item->status == QK_JOB_DONE)
            rc = put_one(&map, task, item, err);
    }
    qk__buffer_text(&map, "}");
    if (rc == QK_OK && map.failed)
        rc = qk__error(err, QK_ENOMEM, "out of memory for upstream results");
    if (rc == QK_OK) {
        free(task->all);
        task->all = qk__buffer_take(&map);
        *out = task->all;
    }
    qk__buffer_dispose(&map);
    return rc;
}

qk_status qk_task_upstream_all(const char **out, qk_task *task, qk_error *err)
{
    return put_all(out, task, false, err);
}

qk_status qk_task_upstream_completed(const char **out, qk_task *task, qk_error *err)
{
    return put_all(out, task, true, err);
}

/* Ids of nodes of the run that the addition depends on. */
static qk_status find_outer(qk_id **out, const qk_task *task, const qk_dag *dag, qk_error *err)
{
    qk_store *store = task->slot->pool->store;
    const qk__graph *graph = &dag->graph;
    qk_status rc = QK_OK;
    qk_id *ids = calloc(graph->outer_count + 1u, sizeof(*ids));
    if (!ids)
        return qk__error(err, QK_ENOMEM, "out of memory: add fewer nodes at once");
    for (uint32_t i = 0; rc == QK_OK && i < graph->outer_count; i++)
        rc = store->ops->run_node(store, &ids[i], task->claim->run_id, graph->outer[i].name, err);
    *out = ids;
    return rc;
}

qk_status qk_task_add_nodes(qk_task *task, qk_dag *dag, qk_error *err)
{
    qk__submission submission = { 0 };
    qk_store *store = task->slot->pool->store;
    qk_id *outer = NULL;
    if (!dag)
        return qk__error(err, QK_EINVAL, "dag: must not be NULL");
    qk_status rc = qk__dag_prepare(dag, err);
    if (rc == QK_OK)
        rc = find_outer(&outer, task, dag, err);
    if (rc == QK_OK)
        rc = qk__submission_make(&submission, task->slot->pool->queue, dag, true, outer, err);
    if (rc == QK_OK)
        rc = store->ops->add_nodes(store, &task->claim->lease, submission.jobs, submission.count,
                                   err);
    qk__submission_dispose(&submission);
    free(outer);
    return rc;
}
