/*
 * Looking at the graph: levels, critical path, ancestors and descendants; see dag.h. Linear, each
 * result in one allocation.
 */
#include <stdlib.h>
#include <string.h>

#include "dag/names.h"
#include "util/error.h"

static qk_status no_memory(qk_error *err)
{
    return qk__error(err, QK_ENOMEM, "out of memory");
}

qk_status qk_dag_levels(qk_levels **out, qk_dag *dag, qk_error *err)
{
    *out = NULL;
    qk_status rc = qk__dag_prepare(dag, err);
    if (rc)
        return rc;
    const qk__graph *graph = &dag->graph;
    qk_levels *levels = malloc(sizeof(*levels) + (graph->level_count + (size_t)1) * sizeof(size_t) +
                               graph->count * sizeof(char *));
    if (!levels)
        return no_memory(err);
    size_t *starts = (size_t *)(levels + 1);
    const char **names = (const char **)(starts + graph->level_count + 1);
    for (uint32_t i = 0, level = 0; i < graph->count; i++) {
        names[i] = dag->nodes[graph->order[i]].name;
        if (i == 0 || graph->level[graph->order[i]] != graph->level[graph->order[i - 1]])
            starts[level++] = i;
    }
    starts[graph->level_count] = graph->count;
    *levels = (qk_levels){ graph->level_count, starts, names };
    *out = levels;
    return QK_OK;
}

void qk_levels_free(qk_levels *levels)
{
    free(levels);
}

static qk_names *new_names(size_t count, const char ***items)
{
    qk_names *names = malloc(sizeof(*names) + (count + 1) * sizeof(char *));
    if (names) {
        *items = (const char **)(names + 1);
        *names = (qk_names){ count, *items };
    }
    return names;
}

void qk_names_free(qk_names *names)
{
    free(names);
}

/* longest[i]: from the start of the run to the end of node i; before[i]: the parent on that way. */
static uint32_t find_longest(int64_t *longest, uint32_t *before, const qk__graph *graph,
                             const qk_duration *durations)
{
    uint32_t last = 0;
    for (uint32_t n = 0; n < graph->count; n++) {
        uint32_t node = graph->order[n];
        int64_t own = durations ? durations[node].us : 1;
        longest[node] = 0;
        before[node] = UINT32_MAX;
        for (uint32_t p = graph->parent_at[node]; p < graph->parent_at[node + 1]; p++) {
            uint32_t parent = graph->parents[p];
            if (before[node] == UINT32_MAX || longest[parent] > longest[node]) {
                longest[node] = longest[parent];
                before[node] = parent;
            }
        }
        if (own > 0)
            longest[node] = own < INT64_MAX - longest[node] ? longest[node] + own : INT64_MAX;
    }
    for (uint32_t i = 1; i < graph->count; i++) {
        if (longest[i] > longest[last])
            last = i;
    }
    return last;
}

qk_status qk_dag_critical_path(qk_names **out, qk_duration *total, qk_dag *dag,
                               const qk_duration *durations, qk_error *err)
{
    const char **items = NULL;
    size_t length = 0;
    *out = NULL;
    qk_status rc = qk__dag_prepare(dag, err);
    if (rc)
        return rc;
    int64_t *longest = calloc(dag->count + 1, sizeof(*longest));
    uint32_t *before = calloc(dag->count + 1, sizeof(*before));
    if (longest && before) {
        uint32_t last = find_longest(longest, before, &dag->graph, durations);
        for (uint32_t at = last; dag->count && at != UINT32_MAX; at = before[at])
            length++;
        *out = new_names(length, &items);
        for (uint32_t at = last; *out && length; at = before[at])
            items[--length] = dag->nodes[at].name;
        if (total)
            *total = qk_us(dag->count ? longest[last] : 0);
    }
    free(longest);
    free(before);
    return *out ? QK_OK : no_memory(err);
}

/* Marks all that can be reached from `start` over the lists, without it. Returns how many. */
static size_t reach(uint8_t *marked, uint32_t *stack, uint32_t start, const uint32_t *at,
                    const uint32_t *list)
{
    size_t count = 0;
    uint32_t depth = 0;
    stack[depth++] = start;
    while (depth) {
        uint32_t node = stack[--depth];
        for (uint32_t i = at[node]; i < at[node + 1]; i++) {
            if (!marked[list[i]]) {
                marked[list[i]] = 1;
                stack[depth++] = list[i];
                count++;
            }
        }
    }
    return count;
}

static qk_status related(qk_names **out, qk_dag *dag, const char *name, bool up, qk_error *err)
{
    char advice[QK__SUGGEST_SIZE];
    const char **items = NULL;
    *out = NULL;
    qk_status rc = qk__dag_prepare(dag, err);
    if (rc)
        return rc;
    size_t start = qk_dag_find(dag, name);
    if (start == QK_NO_NODE)
        return qk__dag_error(err, QK_ENOTFOUND, dag, name, "does not exist: %s",
                             qk__names_suggest(advice, dag, name));
    const qk__graph *graph = &dag->graph;
    uint8_t *marked = calloc(dag->count, 1);
    uint32_t *stack = malloc((dag->count + 1) * sizeof(*stack));
    if (marked && stack) {
        size_t count =
            reach(marked, stack, (uint32_t)start, up ? graph->parent_at : graph->child_at,
                  up ? graph->parents : graph->children);
        *out = new_names(count, &items);
        for (size_t i = 0, n = 0; *out && i < dag->count; i++) {
            if (marked[i])
                items[n++] = dag->nodes[i].name;
        }
    }
    free(marked);
    free(stack);
    return *out ? QK_OK : no_memory(err);
}

qk_status qk_dag_ancestors(qk_names **out, qk_dag *dag, const char *name, qk_error *err)
{
    return related(out, dag, name, true, err);
}

qk_status qk_dag_descendants(qk_names **out, qk_dag *dag, const char *name, qk_error *err)
{
    return related(out, dag, name, false, err);
}
