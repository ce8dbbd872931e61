/*
 * Sub-DAG nodes: builds the DAG that the node names and makes it the node's run. Runs on a slot's
 * thread like any handler; afterwards the node waits without us.
 *
 * A node that has its run already (it was retried) only waits for it again: nothing is built.
 */
#include <stdlib.h>
#include <string.h>

#include "dag/graph.h"
#include "dag/submission.h"
#include "dag/template.h"
#include "util/error.h"
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

static qk_status build(qk_dag **out, qk_task *task, qk_error *err)
{
    qk__subdag_payload payload;
    char *with = NULL;
    const qk_claimed *claim = task->claim;
    qk_status rc = qk__subdag_payload_parse(&payload, claim->payload, claim->payload_length, err);
    if (rc != QK_OK)
        return rc;
    if (payload.source == QK_SUBDAG_IN_PLACE || payload.source == QK_SUBDAG_FILE)
        rc = evaluate_with(&with, task, &payload, err);
    if (rc == QK_OK && payload.store)
        rc = qk__error(err, QK_EUNSUPPORTED,
                       "sub-DAGs in another store ('%s') are not supported yet: leave it out",
                       payload.store);
    else if (rc == QK_OK && payload.source == QK_SUBDAG_FACTORY)
        rc = from_factory(out, task, &payload, err);
    else if (rc == QK_OK && payload.source == QK_SUBDAG_IN_PLACE)
        rc = in_place(out, task, &payload, with, err);
    else if (rc == QK_OK && payload.source == QK_SUBDAG_DYNAMIC)
        rc = from_upstream(out, task, payload.subject, err);
    else if (rc == QK_OK)
        rc = from_file(out, task, payload.subject, with, err);
    free(with);
    qk__subdag_payload_dispose(&payload);
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

qk_status qk__subdag_run(qk_task *task, void *user, qk_error *err)
{
    qk_worker *pool = user;
    qk_dag *dag = NULL;
    qk_id child;
    qk_status rc =
        pool->store->ops->expand(pool->store, &child, &task->claim->lease, NULL, NULL, 0, NULL);
    if (rc == QK_EINVAL) { /* it has no run yet */
        rc = build(&dag, task, err);
        if (rc == QK_OK)
            rc = expand(task, dag, err);
        qk_dag_free(dag);
        if (is_final(rc))
            qk_task_permanent(task);
    } else if (rc == QK_OK) {
        tell(task, child, NULL);
    }
    if (rc == QK_OK) {
        pthread_mutex_lock(&task->slot->lock);
        task->expanded = true;
        pthread_mutex_unlock(&task->slot->lock);
    }
    return rc;
}
