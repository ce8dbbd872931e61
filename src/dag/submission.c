/*
 * From a prepared graph to the store's jobs; see submission.h. Linear in nodes and edges. Any thread,
 * one DAG at a time.
 */
#include "dag/submission.h"
#include "queue/queue_internal.h"

#include <stdlib.h>
#include <string.h>

#include "dag/graph.h"
#include "util/error.h"

void qk__submission_dispose(qk__submission *submission)
{
    for (size_t i = 0; submission->payloads && i < submission->count; i++)
        free(submission->payloads[i]);
    free(submission->payloads);
    free(submission->needs);
    free(submission->jobs);
    free(submission->definition);
    qk__spec_memory_dispose(&submission->memory);
    memset(submission, 0, sizeof(*submission));
}

static qk_status no_memory(qk_error *err, const qk_dag *dag)
{
    return qk__error(err, QK_ENOMEM, "DAG '%s': out of memory: submit fewer nodes", dag->name);
}

/* In topological order, so that parents come first. */
static qk_status make_jobs(qk__submission *out, const qk_queue *queue, const qk_dag *dag,
                           qk_error *err)
{
    const qk__graph *graph = &dag->graph;
    qk_status rc = QK_OK;
    size_t bad = 0;
    qk_error problem = QK_ERROR_INIT;
    qk_job_spec *specs = calloc(out->count + 1, sizeof(*specs));
    if (!specs)
        return no_memory(err, dag);
    for (size_t i = 0; i < out->count && rc == QK_OK; i++) {
        const qk__node *node = &dag->nodes[graph->order[i]];
        specs[i] = (qk_job_spec){ node->kind, node->payload, node->job };
        if (node->type == QK_NODE_DAG) {
            rc = qk__dag_payload(&out->payloads[i], dag, graph->order[i], err);
            specs[i].payload = out->payloads[i];
        }
    }
    if (rc == QK_OK) {
        qk__spec_limits limits = qk__queue_limits(queue);
        rc = qk__spec_prepare(out->jobs, &bad, &out->memory, &limits, specs, out->count, &problem);
        if (rc != QK_OK)
            qk__error(err, rc, "DAG '%s', node '%s': %s", dag->name,
                      dag->nodes[graph->order[bad]].name, problem.message);
    }
    free(specs);
    return rc;
}

static size_t all_needs(const qk__submission *out, const qk_dag *dag)
{
    size_t count = dag->graph.edge_count + dag->graph.outer_count;
    for (size_t i = 0; i < out->count; i++)
        count += out->jobs[i].needs_count;
    return count;
}

/* Jobs outside, nodes of the run it is added to, parents in the DAG. */
static void link_job(qk__new_job *job, qk_id **at, const qk__submission *out, const qk_dag *dag,
                     uint32_t node, const uint32_t *places, const qk_id *outer)
{
    const qk__graph *graph = &dag->graph;
    qk_id *first = *at;
    for (size_t i = 0; i < job->needs_count; i++)
        *(*at)++ = job->needs[i];
    for (uint32_t i = 0; outer && i < graph->outer_count; i++) {
        if (graph->outer[i].node == node)
            *(*at)++ = outer[i];
    }
    for (uint32_t e = graph->parent_at[node]; e < graph->parent_at[node + 1]; e++)
        *(*at)++ = out->jobs[places[graph->parents[e]]].id;
    job->needs = first;
    job->needs_count = (size_t)(*at - first);
}

static qk_status link_jobs(qk__submission *out, const qk_dag *dag, bool expansion,
                           const qk_id *outer, qk_error *err)
{
    const qk__graph *graph = &dag->graph;
    uint32_t *places = calloc(out->count + 1, sizeof(*places));
    out->needs = calloc(all_needs(out, dag) + 1, sizeof(*out->needs));
    if (!places || !out->needs) {
        free(places);
        return no_memory(err, dag);
    }
    qk_id *at = out->needs;
    for (uint32_t i = 0; i < out->count; i++)
        places[graph->order[i]] = i;
    for (uint32_t i = 0; i < out->count; i++) {
        const qk__node *node = &dag->nodes[graph->order[i]];
        qk__new_job *job = &out->jobs[i];
        job->id_given = false;
        job->name = NULL;
        job->node = node->name;
        job->when = node->when;
        /* It waits for the other store however often its own worker dies. */
        if (node->store && (!node->job || node->job->max_lost == 0))
            job->max_lost = INT32_MAX;
        job->factory = node->source == QK_SUBDAG_FACTORY ? node->subject : NULL;
        job->ignore_backpressure = job->ignore_backpressure || expansion;
        link_job(job, &at, out, dag, graph->order[i], places, outer);
    }
    free(places);
    return QK_OK;
}

qk_status qk__submission_make(qk__submission *out, const qk_queue *queue, qk_dag *dag,
                              bool expansion, const qk_id *outer, qk_error *err)
{
    qk_status rc = qk__dag_prepare(dag, err);
    if (rc != QK_OK)
        return rc;
    rc = qk_dag_to_json(&out->definition, dag, err);
    if (rc != QK_OK)
        return rc;
    out->count = dag->count;
    out->jobs = calloc(out->count + 1, sizeof(*out->jobs));
    out->payloads = calloc(out->count + 1, sizeof(*out->payloads));
    if (!out->jobs || !out->payloads)
        return no_memory(err, dag);
    rc = make_jobs(out, queue, dag, err);
    if (rc == QK_OK)
        rc = link_jobs(out, dag, expansion, outer, err);
    out->run = (qk__new_run){ .id = qk_id_new(),
                              .name = dag->name,
                              .description = dag->description,
                              .metadata = dag->metadata,
                              .params = dag->params,
                              .definition = out->definition,
                              .definition_length = strlen(out->definition) };
    if (rc == QK_OK)
        qk__dag_seal(dag);
    return rc;
}
