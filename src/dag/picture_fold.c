/*
 * Folding wide fan-outs: nodes with the same parents, children, type and status are drawn as one.
 * They are found by a hash over those, and compared in full, so the cost stays linear in the edges
 * apart from a sort.
 */
#include <stdlib.h>
#include <string.h>

#include "dag/picture.h"

typedef struct entry {
    uint64_t hash;
    uint32_t node;
} entry;

static int by_hash(const void *a, const void *b)
{
    const entry *x = a;
    const entry *y = b;
    if (x->hash != y->hash)
        return x->hash < y->hash ? -1 : 1;
    return (x->node > y->node) - (x->node < y->node);
}

static uint32_t parent_count(const qk__graph *graph, uint32_t node)
{
    return graph->parent_at[node + 1] - graph->parent_at[node];
}

static uint32_t child_count(const qk__graph *graph, uint32_t node)
{
    return graph->child_at[node + 1] - graph->child_at[node];
}

static bool alike(const qk_dag *dag, const uint8_t *statuses, uint32_t a, uint32_t b)
{
    const qk__graph *graph = &dag->graph;
    uint32_t parents = parent_count(graph, a);
    uint32_t children = child_count(graph, a);
    return dag->nodes[a].type == dag->nodes[b].type &&
           (!dag->nodes[a].when) == (!dag->nodes[b].when) &&
           (!statuses || statuses[a] == statuses[b]) && parents == parent_count(graph, b) &&
           children == child_count(graph, b) &&
           memcmp(graph->parents + graph->parent_at[a], graph->parents + graph->parent_at[b],
                  parents * sizeof(uint32_t)) == 0 &&
           memcmp(graph->children + graph->child_at[a], graph->children + graph->child_at[b],
                  children * sizeof(uint32_t)) == 0;
}

/* Sub-DAGs, lone nodes and those with jobs outside are never folded. */
static bool foldable(const qk_dag *dag, uint32_t node)
{
    const qk__graph *graph = &dag->graph;
    return dag->nodes[node].type != QK_NODE_DAG && dag->nodes[node].job->needs_count == 0 &&
           parent_count(graph, node) + child_count(graph, node) > 0;
}

static uint64_t hash_of(const qk_dag *dag, const uint8_t *statuses, uint32_t node)
{
    const qk__graph *graph = &dag->graph;
    uint64_t parts[4] = {
        qk__hash(&dag->hash_key, graph->parents + graph->parent_at[node],
                 parent_count(graph, node) * sizeof(uint32_t)),
        qk__hash(&dag->hash_key, graph->children + graph->child_at[node],
                 child_count(graph, node) * sizeof(uint32_t)),
        dag->nodes[node].type,
        statuses ? statuses[node] : 0,
    };
    return qk__hash(&dag->hash_key, parts, sizeof(parts));
}

/* Folds the entries of one hash: each joins the first before it that is alike. */
static void fold_run(uint32_t *leader, const qk_dag *dag, const uint8_t *statuses,
                     const entry *entries, size_t count)
{
    for (size_t i = 1; i < count; i++) {
        uint32_t first = leader[entries[i - 1].node];
        if (alike(dag, statuses, first, entries[i].node))
            leader[entries[i].node] = first;
    }
}

qk_status qk__picture_fold(uint32_t *leader, uint32_t *size, const qk_dag *dag,
                           const uint8_t *statuses, size_t from)
{
    uint32_t count = dag->graph.count;
    size_t used = 0;
    for (uint32_t i = 0; i < count; i++) {
        leader[i] = i;
        size[i] = 1;
    }
    if (from == 0 || from > count)
        return QK_OK;
    entry *entries = malloc((count + (size_t)1) * sizeof(*entries));
    if (!entries)
        return QK_ENOMEM;
    for (uint32_t i = 0; i < count; i++) {
        if (foldable(dag, i))
            entries[used++] = (entry){ hash_of(dag, statuses, i), i };
    }
    qsort(entries, used, sizeof(*entries), by_hash);
    for (size_t i = 0, next; i < used; i = next) {
        for (next = i + 1; next < used && entries[next].hash == entries[i].hash;)
            next++;
        if (next - i >= from && next - i > 1)
            fold_run(leader, dag, statuses, entries + i, next - i);
    }
    free(entries);
    for (uint32_t i = 0; i < count; i++)
        size[leader[i]] += leader[i] != i;
    return QK_OK;
}
