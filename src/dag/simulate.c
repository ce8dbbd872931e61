/*
 * The dry run; see dag.h. One simulated worker: every node takes one step, nodes finish in the order
 * in which they became ready, a skip takes no time and is settled before the next node finishes.
 * So a node is decided by the first event that decides it, as in the engine, with the same rules.
 *
 * A sub-DAG in place is run, as a scene of its own, when its node finishes. Scenes are nested as
 * deep as the definition, at most QK_DAG_NESTING_MAX; nothing else recurses.
 */
#include "dag/simulate.h"

#include <stdlib.h>
#include <string.h>

#include "dag/names.h"
#include "queue/rules.h"
#include "util/error.h"

static const char *result_of(void *user, size_t *length, const char *node)
{
    const qk__scene *scene = user;
    qk__json_span found;
    if (!qk__json_find(&found, *scene->results, node, strlen(node)))
        return NULL;
    *length = found.length;
    return found.at;
}

static bool status_of(void *user, qk_job_status *out, const char *node)
{
    const qk__scene *scene = user;
    size_t index = qk_dag_find(scene->dag, node);
    if (index == QK_NO_NODE)
        return false;
    *out = (qk_job_status)scene->nodes[index].status;
    return true;
}

static qk_status is_wanted(bool *out, qk__scene *scene, uint32_t index)
{
    const qk__node *node = &scene->dag->nodes[index];
    const qk__condition_source source = { result_of, status_of, NULL, scene };
    qk__condition *condition = NULL;
    *out = !scene->nodes[index].given_untrue;
    if (!*out || !node->when || !scene->results)
        return QK_OK;
    qk_status rc = qk__condition_parse(&condition, node->when, strlen(node->when), NULL);
    if (!rc)
        rc = qk__condition_eval(out, condition, &source);
    qk__condition_free(condition);
    return rc;
}

static void skip(qk__scene *scene, uint32_t index, uint32_t cause)
{
    scene->nodes[index].status = QK_JOB_SKIPPED;
    scene->nodes[index].cause = cause;
    scene->skips[scene->skips_end++] = index;
}

static qk_status start(qk__scene *scene, uint32_t index)
{
    bool wanted = true;
    qk_status rc = is_wanted(&wanted, scene, index);
    if (rc)
        return rc;
    scene->nodes[index].started = true;
    if (wanted)
        scene->finishing[scene->finishing_end++] = index;
    else
        skip(scene, index, QK__NO_CAUSE);
    return QK_OK;
}

/* Of two nodes that failed, the one that did first. */
static uint32_t earlier(const qk__scene *scene, uint32_t a, uint32_t b)
{
    if (a == QK__NO_CAUSE)
        return b;
    return scene->nodes[b].failed_as < scene->nodes[a].failed_as ? b : a;
}

static void count_parent(qk__scene *scene, qk__scene_node *state, uint32_t parent)
{
    const qk__scene_node *from = &scene->nodes[parent];
    bool goes_on = scene->dag->nodes[parent].job->continue_on_failure;
    if (from->status == QK_JOB_DONE || (from->status == QK_JOB_FAILED && goes_on)) {
        state->parents.done++;
    } else if (from->status == QK_JOB_FAILED || from->cause != QK__NO_CAUSE) {
        state->parents.failed++;
        state->cause =
            earlier(scene, state->cause, from->status == QK_JOB_FAILED ? parent : from->cause);
    } else {
        state->parents.conditional++;
    }
}

static qk_status tell_children(qk__scene *scene, uint32_t parent)
{
    const qk__graph *graph = &scene->dag->graph;
    qk_status rc = QK_OK;
    for (uint32_t c = graph->child_at[parent]; !rc && c < graph->child_at[parent + 1]; c++) {
        uint32_t child = graph->children[c];
        qk__scene_node *state = &scene->nodes[child];
        if (state->started || state->status != QK_JOB_PENDING)
            continue;
        count_parent(scene, state, parent);
        qk__readiness ready =
            qk__rule_readiness(scene->dag->nodes[child].job->mode, state->parents);
        if (ready == QK__READY_START)
            rc = start(scene, child);
        else if (ready == QK__READY_NEVER)
            skip(scene, child, state->cause);
    }
    return rc;
}

static qk_status finish(qk__scene *scene, uint32_t index)
{
    qk__scene_node *state = &scene->nodes[index];
    bool failed = state->given_failing;
    if (scene->dag->nodes[index].child && !failed) {
        qk_status rc =
            qk__scene_new(&scene->children[index], scene->given, scene->dag->nodes[index].child);
        if (!rc)
            rc = qk__scene_run(scene->children[index]);
        if (rc)
            return rc;
        failed = scene->children[index]->failed;
    }
    state->status = failed ? QK_JOB_FAILED : QK_JOB_DONE;
    state->failed_as = scene->finishing_at;
    scene->failed = scene->failed || (failed && !scene->dag->nodes[index].job->continue_on_failure);
    return tell_children(scene, index);
}

qk_status qk__scene_run(qk__scene *scene)
{
    const qk__graph *graph = &scene->dag->graph;
    qk_status rc = QK_OK;
    for (uint32_t i = 0; !rc && i < graph->count; i++) {
        if (graph->parent_at[i] == graph->parent_at[i + 1])
            rc = start(scene, i);
    }
    while (!rc &&
           (scene->skips_at < scene->skips_end || scene->finishing_at < scene->finishing_end)) {
        if (scene->skips_at < scene->skips_end)
            rc = tell_children(scene, scene->skips[scene->skips_at++]);
        else
            rc = finish(scene, scene->finishing[scene->finishing_at++]);
    }
    return rc;
}

/* Marks what was given for this DAG. */
static void apply_given(qk__scene *scene)
{
    for (size_t i = 0; i < scene->given->count; i++) {
        const qk__given_node *given = &scene->given->items[i];
        if (given->dag != scene->dag)
            continue;
        if (given->failing)
            scene->nodes[given->index].given_failing = true;
        else
            scene->nodes[given->index].given_untrue = true;
    }
}

qk_status qk__scene_new(qk__scene **out, const qk__given *given, qk_dag *dag)
{
    size_t count = dag->count + 1;
    *out = NULL;
    qk_status rc = qk__dag_prepare(dag, NULL);
    if (rc)
        return rc;
    qk__scene *scene = calloc(1, sizeof(*scene));
    if (!scene)
        return QK_ENOMEM;
    *out = scene; /* freed with its parent, also when what follows fails */
    scene->dag = dag;
    scene->given = given;
    scene->results = given->results.at && given->top == dag ? &given->results : NULL;
    scene->nodes = calloc(count, sizeof(*scene->nodes));
    scene->finishing = malloc(count * sizeof(uint32_t));
    scene->skips = malloc(count * sizeof(uint32_t));
    scene->children = dag->depth > 1 ? calloc(count, sizeof(*scene->children)) : NULL;
    if (!scene->nodes || !scene->finishing || !scene->skips || (dag->depth > 1 && !scene->children))
        return QK_ENOMEM;
    for (size_t i = 0; i < dag->count; i++) {
        scene->nodes[i].cause = QK__NO_CAUSE;
        scene->nodes[i].parents.total = dag->graph.parent_at[i + 1] - dag->graph.parent_at[i];
    }
    apply_given(scene);
    return QK_OK;
}

void qk__scene_free(qk__scene *scene)
{
    if (!scene)
        return;
    for (size_t i = 0; scene->children && i < scene->dag->count; i++)
        qk__scene_free(scene->children[i]);
    free(scene->nodes);
    free(scene->finishing);
    free(scene->skips);
    free(scene->children);
    free(scene);
}
