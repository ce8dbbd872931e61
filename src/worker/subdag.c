/*
 * Sub-DAG nodes: builds the DAG that the node names and makes it the node's run. Runs on a slot's
 * thread like any handler; afterwards the node waits without us.
 *
 * A node that has its run already (it was retried) only waits for it again: nothing is built. A node
 * that names another store has its run there (far_run.h) and waits in the ferry.
 */
#include <stdlib.h>
#include <string.h>

#include "dag/graph.h"
#include "dag/submission.h"
#include "dag/template.h"
#include "util/error.h"
#include "worker/far_run.h"
#include "worker/values.h"
#include "worker/worker_internal.h"
#include "workflow/give.h"

static qk_status from_factory(qk_dag **out, const qk_task *task, const qk__subdag_payload *payload,
                              qk_error *err)
{
    const qk_worker *pool = task->slot->pool;
    const qk_claimed *claim = task->claim;
    qk_factory_call call = { .parent_job = claim->lease.job,
                             .run = claim->run_id,
                             .node = claim->node_name,
                             .params = payload->argument ? payload->argument : "null",
                             .depth = claim->run_depth + 1,
                             .queue = pool->queue };
    for (size_t i = 0; i < pool->factory_count; i++) {
        if (strcmp(pool->factories[i].route + 4, payload->subject) != 0)
            continue;
        qk_status rc = pool->factories[i].fn(out, &call, pool->factories[i].user, err);
        if (rc == QK_OK && !*out)
            return qk__error(err, QK_EINVAL, "factory '%s' returned no DAG: return one",
                             payload->subject);
        return rc;
    }
    return qk__error(err, QK_ENOTFOUND, "this worker has no factory '%s': register it",
                     payload->subject);
}

static qk_status parse(qk_dag **out, const qk_task *task, const char *text, size_t length,
                       qk_error *err)
{
    qk_dag_parse_options options = QK_DAG_PARSE_OPTIONS_INIT;
    options.name = task->claim->node_name ? task->claim->node_name : "sub-DAG";
    options.forbid_commands = task->slot->pool->no_commands;
    return qk_dag_from_json(out, text, length, &options, err);
}

/* What `with` amounts to now, in *out: free() it. NULL: there is none. */
static qk_status evaluate_with(char **out, qk_task *task, const qk__subdag_payload *payload,
                               qk_error *err)
{
    qk__values values;
    qk__buffer text;
    *out = NULL;
    if (!payload->argument)
        return QK_OK;
    qk__values_init(&values, task, (qk__json_span){ payload->workflow, payload->workflow_length });
    qk__buffer_init(&text, QK__DAG_TEXT_MAX);
    qk_status rc = qk__template_expand(&text, payload->argument, strlen(payload->argument),
                                       &values.source, err);
    rc = qk__values_check(&values, rc, err);
    if (rc == QK_OK)
        *out = qk__buffer_take(&text);
    if (rc == QK_OK && !*out)
        rc = qk__error(err, QK_ENOMEM, "out of memory for the params of a sub-DAG");
    qk__buffer_dispose(&text);
    qk__values_dispose(&values);
    return rc;
}

static qk_status in_place(qk_dag **out, qk_task *task, const qk__subdag_payload *payload,
                          const char *with, qk_error *err)
{
    qk_status rc = parse(out, task, payload->definition, payload->definition_length, err);
    if (rc == QK_OK && with)
        rc = qk__workflow_give(*out, with, err);
    return rc;
}

static qk_status from_file(qk_dag **out, const qk_task *task, const char *path, const char *with,
                           qk_error *err)
{
    qk_workflow *workflow = NULL;
    qk_workflow_options options = QK_WORKFLOW_OPTIONS_INIT;
    if (task->slot->pool->no_commands)
        return qk__error(
            err, QK_EREFUSED,
            "this worker runs no commands, and so no workflow files: give a definition");
    options.params_json = with;
    qk_status rc = qk_workflow_load(&workflow, path, &options, err);
    if (rc == QK_OK)
        *out = qk__workflow_take_dag(workflow);
    qk_workflow_free(workflow);
    return rc;
}

static qk_status from_upstream(qk_dag **out, qk_task *task, const char *node, qk_error *err)
{
    const char *text = NULL;
    qk_status rc = qk_task_upstream(&text, task, node, err);
    if (rc != QK_OK)
        return rc;
    if (!text)
        return qk__error(err, QK_EINVAL, "node '%s' left no result: it must return a DAG", node);
    return parse(out, task, text, strlen(text), err);
}

static qk_status build(qk_dag **out, qk_task *task, const qk__subdag_payload *payload,
                       qk_error *err)
{
    char *with = NULL;
    qk_status rc;
    if (payload->source == QK_SUBDAG_FACTORY)
        return from_factory(out, task, payload, err);
    if (payload->source == QK_SUBDAG_DYNAMIC)
        return from_upstream(out, task, payload->subject, err);
    rc = evaluate_with(&with, task, payload, err);
    if (rc == QK_OK && payload->source == QK_SUBDAG_IN_PLACE)
        rc = in_place(out, task, payload, with, err);
    else if (rc == QK_OK)
        rc = from_file(out, task, payload->subject, with, err);
    free(with);
    return rc;
}

/* What is wrong with the DAG will be wrong at the next attempt as well. */
static bool is_final(qk_status rc)
{
    return rc == QK_EINVAL || rc == QK_ECONFLICT || rc == QK_EREFUSED || rc == QK_ETOOLARGE ||
           rc == QK_ENOTFOUND || rc == QK_EUNSUPPORTED;
}

static void tell(const qk_task *task, qk_id child, const qk_dag *dag)
{
    const qk_worker *pool = task->slot->pool;
    if (pool->on_expanded)
        pool->on_expanded(pool->on_expanded_user, task->claim, child, dag);
}

static qk_status expand(qk_task *task, qk_dag *dag, qk_error *err)
{
    qk__submission submission = { 0 };
    qk_store *store = task->slot->pool->store;
    qk_id child;
    qk_status rc = qk__submission_make(&submission, task->slot->pool->queue, dag, true, NULL, err);
    if (rc == QK_OK)
        rc = store->ops->expand(store, &child, &task->claim->lease, &submission.run,
                                submission.jobs, submission.count, err);
    qk__submission_dispose(&submission);
    if (rc == QK_OK)
        tell(task, child, dag);
    return rc;
}

/* The node leaves the slot. */
static void leave(qk_task *task)
{
    pthread_mutex_lock(&task->slot->lock);
    task->expanded = true;
    pthread_mutex_unlock(&task->slot->lock);
}

/* What a store that cannot be reached says; it may be there again in a moment. */
static bool is_passing(qk_status rc)
{
    return rc == QK_EBUSY || rc == QK_ESTORE || rc == QK_EIO || rc == QK_EFULL ||
           rc == QK_ECLOSED || rc == QK_ETIMEDOUT;
}

static qk_status run_here(qk_task *task, const qk__subdag_payload *payload, qk_error *err)
{
    qk_dag *dag = NULL;
    qk_status rc = build(&dag, task, payload, err);
    if (rc == QK_OK)
        rc = expand(task, dag, err);
    qk_dag_free(dag);
    if (rc == QK_OK)
        leave(task);
    return rc;
}

static qk_status run_there(qk_task *task, const qk__subdag_payload *payload, qk_error *err)
{
    qk_dag *dag = NULL;
    qk_queue *own = task->slot->pool->queue;
    qk_queue *other = NULL;
    qk_id node = task->claim->lease.job;
    qk_id child = qk__ferry_child(node);
    bool found = false;
    qk_status rc = qk_queue_other(&other, own, payload->store, err);
    bool known = rc != QK_ENOTFOUND && rc != QK_EINVAL;
    if (rc == QK_OK)
        rc = qk__far_find(&found, own, other, child, node, err);
    task->later = known && is_passing(rc);
    if (rc == QK_OK && !found) {
        rc = build(&dag, task, payload, err);
        if (rc == QK_OK) {
            rc = qk__far_submit(other, dag, child, node, err);
            task->later = is_passing(rc);
        }
        qk_dag_free(dag);
    }
    if (rc == QK_OK)
        rc = qk__ferry_put(task, other, child, err);
    if (rc == QK_OK)
        leave(task);
    return rc;
}

qk_status qk__subdag_run(qk_task *task, void *user, qk_error *err)
{
    qk_worker *pool = user;
    const qk_claimed *claim = task->claim;
    qk__subdag_payload payload;
    qk_id child;
    qk_status rc =
        pool->store->ops->expand(pool->store, &child, &claim->lease, NULL, NULL, 0, NULL);
    if (rc == QK_OK) {
        tell(task, child, NULL);
        leave(task);
    }
    if (rc != QK_EINVAL) /* it has its run, or the node is no longer ours */
        return rc;
    rc = qk__subdag_payload_parse(&payload, claim->payload, claim->payload_length, err);
    if (rc == QK_OK) {
        rc = payload.store ? run_there(task, &payload, err) : run_here(task, &payload, err);
        qk__subdag_payload_dispose(&payload);
    }
    if (is_final(rc))
        qk_task_permanent(task);
    return rc;
}
