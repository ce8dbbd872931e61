/*
 * From names to a graph; see graph.h. Linear: a hash look-up per dependency, counting sorts, Kahn's
 * order. Parents of a node are sorted and freed of repeats by filling the lists from the other side.
 */
#include <stdlib.h>
#include <string.h>

#include "dag/checks.h"
#include "dag/names.h"
#include "util/error.h"

static qk_status no_memory(qk_error *err)
{
    return qk__error(err, QK_ENOMEM, "out of memory");
}

/* Edges as they were written, resolved. */
typedef struct edges {
    uint32_t *from, *to;
    size_t count;
} edges;

static qk_status unknown(qk__checks *checks, const qk__node *node, const qk__need *need)
{
    char quoted[QK__QUOTE_SIZE];
    char advice[QK__SUGGEST_SIZE] = "correct it";
    if (checks->problems < 20) /* looking for the nearest of many names takes its time */
        qk__names_suggest(advice, checks->dag, need->name);
    return qk__checks_problem(checks, QK_EINVAL, node->name,
                              "depends on '%s', which is unknown: %s",
                              qk__dag_quote(quoted, need->name), advice);
}

static qk_status resolve(edges *out, qk__checks *checks, qk__graph *graph)
{
    qk_dag *dag = checks->dag;
    for (size_t i = 0; i < dag->count; i++) {
        const qk__node *node = &dag->nodes[i];
        for (uint32_t n = 0; n < node->need_count; n++) {
            const qk__need *need = &dag->needs[node->need_at + n];
            size_t found = qk__names_find(dag, need->name, need->length, need->hash);
            if (found != SIZE_MAX) {
                out->from[out->count] = (uint32_t)found;
                out->to[out->count++] = (uint32_t)i;
            } else if (dag->options.addition) {
                graph->outer[graph->outer_count++] = (qk__outer){ (uint32_t)i, need->name };
            } else {
                qk_status rc = unknown(checks, node, need);
                if (rc)
                    return rc;
            }
        }
    }
    return QK_OK;
}

/* Turns counts at at[1…] into starts. */
static void accumulate(uint32_t *at, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        at[i + 1] += at[i];
}

/* Children of each node by rising index, without repeats; `fill` has room for a count per node. */
static void lay_children(qk__graph *graph, const edges *list, uint32_t *fill)
{
    uint32_t kept = 0;
    for (size_t e = 0; e < list->count; e++)
        graph->child_at[list->from[e] + 1]++;
    accumulate(graph->child_at, graph->count);
    memcpy(fill, graph->child_at, graph->count * sizeof(*fill));
    /* Edges come by rising dependent, so each list rises and repeats are neighbours. */
    for (size_t e = 0; e < list->count; e++)
        graph->children[fill[list->from[e]]++] = list->to[e];
    for (uint32_t i = 0; i < graph->count; i++) {
        uint32_t first = kept;
        for (uint32_t c = graph->child_at[i]; c < fill[i]; c++) {
            if (kept == first || graph->children[kept - 1] != graph->children[c])
                graph->children[kept++] = graph->children[c];
        }
        graph->child_at[i] = first;
    }
    graph->child_at[graph->count] = kept;
    graph->edge_count = kept;
}

static void lay_parents(qk__graph *graph, uint32_t *fill)
{
    for (uint32_t e = 0; e < graph->edge_count; e++)
        graph->parent_at[graph->children[e] + 1]++;
    accumulate(graph->parent_at, graph->count);
    memcpy(fill, graph->parent_at, graph->count * sizeof(*fill));
    for (uint32_t i = 0; i < graph->count; i++) {
        for (uint32_t c = graph->child_at[i]; c < graph->child_at[i + 1]; c++)
            graph->parents[fill[graph->children[c]]++] = i;
    }
}

/* Kahn's order with levels. Returns how many nodes it reached; left[i] counts unmet parents. */
static uint32_t find_levels(qk__graph *graph, uint32_t *left)
{
    uint32_t *queue = graph->order;
    uint32_t done = 0;
    uint32_t known = 0;
    for (uint32_t i = 0; i < graph->count; i++) {
        left[i] = graph->parent_at[i + 1] - graph->parent_at[i];
        if (left[i] == 0)
            queue[known++] = i;
    }
    for (; done < known; done++) {
        uint32_t node = queue[done];
        for (uint32_t c = graph->child_at[node]; c < graph->child_at[node + 1]; c++) {
            uint32_t child = graph->children[c];
            if (graph->level[child] < graph->level[node] + 1)
                graph->level[child] = graph->level[node] + 1;
            if (--left[child] == 0)
                queue[known++] = child;
        }
        if (graph->level_count < graph->level[node] + 1)
            graph->level_count = graph->level[node] + 1;
    }
    return done;
}

/* By level, and in order of adding within one. */
static bool sort_order(qk__graph *graph)
{
    uint32_t *at = calloc((size_t)graph->level_count + 1, sizeof(*at));
    if (!at)
        return false;
    for (uint32_t i = 0; i < graph->count; i++)
        at[graph->level[i] + 1]++;
    accumulate(at, graph->level_count);
    for (uint32_t i = 0; i < graph->count; i++)
        graph->order[at[graph->level[i]]++] = i;
    free(at);
    return true;
}

static bool allocate(qk__graph *graph, const qk_dag *dag)
{
    size_t nodes = dag->count + 1;
    size_t needs = dag->need_count + 1;
    graph->count = (uint32_t)dag->count;
    graph->parent_at = calloc(nodes, sizeof(uint32_t));
    graph->child_at = calloc(nodes, sizeof(uint32_t));
    graph->order = calloc(nodes, sizeof(uint32_t));
    graph->level = calloc(nodes, sizeof(uint32_t));
    graph->parents = calloc(needs, sizeof(uint32_t));
    graph->children = calloc(needs, sizeof(uint32_t));
    graph->outer = dag->options.addition ? malloc(needs * sizeof(*graph->outer)) : NULL;
    return graph->parent_at && graph->child_at && graph->order && graph->level && graph->parents &&
           graph->children && (graph->outer || !dag->options.addition);
}

static qk_status build(qk__graph *graph, qk__checks *checks)
{
    const qk_dag *dag = checks->dag;
    edges list = { 0 };
    uint32_t *fill = calloc(dag->count + 1, sizeof(*fill));
    qk_status rc = QK_OK;
    list.from = calloc(dag->need_count + 1, sizeof(*list.from));
    list.to = calloc(dag->need_count + 1, sizeof(*list.to));
    if (!fill || !list.from || !list.to || !allocate(graph, dag)) {
        rc = no_memory(checks->err);
        goto out;
    }
    rc = resolve(&list, checks, graph);
    if (rc)
        goto out;
    lay_children(graph, &list, fill);
    lay_parents(graph, fill);
    if (find_levels(graph, fill) < graph->count)
        rc = qk__checks_cycle(checks, graph, fill);
    else if (!sort_order(graph))
        rc = no_memory(checks->err);
out:
    free(fill);
    free(list.from);
    free(list.to);
    return rc;
}

static qk_status conclude(qk__checks *checks)
{
    if (checks->problems == 0)
        return QK_OK;
    if (checks->problems == 1) {
        if (checks->err)
            *checks->err = checks->first;
        return checks->first.code;
    }
    return qk__error(checks->err, checks->first.code, "%zu problems, the first: %s",
                     checks->problems, checks->first.message);
}

qk_status qk__dag_prepare(qk_dag *dag, qk_error *err)
{
    qk__graph graph = { 0 };
    qk__checks checks = {
        .dag = dag, .err = err, .problems = dag->problems, .first = dag->first_problem
    };
    if (dag->prepared)
        return QK_OK;
    qk_status rc = build(&graph, &checks);
    if (!rc)
        rc = qk__checks_nodes(&checks, &graph);
    if (!rc)
        rc = conclude(&checks);
    if (!rc && dag->options.validate && dag->options.warn && !dag->options.addition)
        rc = qk__checks_warn(&checks, &graph);
    if (rc) {
        qk__graph_dispose(&graph);
        return rc;
    }
    qk__graph_dispose(&dag->graph);
    dag->graph = graph;
    dag->prepared = true;
    return QK_OK;
}

qk_status qk_dag_validate(qk_dag *dag, qk_error *err)
{
    return qk__dag_prepare(dag, err);
}
