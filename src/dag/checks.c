/*
 * What is checked besides the graph; see checks.h. Linear in nodes, edges and text: a condition may
 * ask for parents only, so that its names are looked up among few.
 */
#include "dag/checks.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dag/names.h"
#include "util/buffer.h"
#include "util/error.h"

#define CYCLE_SHOWN 8 /* names of a cycle in a message */
#define ARROW " \xe2\x86\x92 "

qk_status qk__checks_problem(qk__checks *checks, qk_status code, const char *node,
                             const char *format, ...)
{
    char message[QK_ERROR_MESSAGE_SIZE];
    qk_error found = QK_ERROR_INIT;
    const qk_dag *dag = checks->dag;
    va_list args;
    va_start(args, format);
    vsnprintf(message, sizeof(message), format, args);
    va_end(args);
    qk__dag_error(&found, code, dag, node, "%s", message);
    if (dag->options.fail_fast) {
        if (checks->err)
            *checks->err = found;
        return code;
    }
    if (dag->options.warn)
        dag->options.warn(dag->options.warn_user, dag->name, found.message);
    if (checks->problems++ == 0)
        checks->first = found;
    return QK_OK;
}

/* Nodes with an unmet parent all have a parent of that sort, so going up must come round: path gets
 * the way, *first where the cycle begins in it. Returns the length of the way. */
static uint32_t go_up(uint32_t *first, uint32_t *path, uint32_t *place, const qk__graph *graph,
                      const uint32_t *left)
{
    uint32_t at = 0;
    uint32_t count = 0;
    while (left[at] == 0)
        at++;
    while (place[at] == 0) {
        path[count++] = at;
        place[at] = count;
        uint32_t p = graph->parent_at[at];
        while (left[graph->parents[p]] == 0)
            p++;
        at = graph->parents[p];
    }
    *first = place[at] - 1;
    return count;
}

/* Spells cycle[0 … size), which goes up, downwards from the node that was added first. */
static void spell(qk__buffer *text, const qk_dag *dag, const uint32_t *cycle, uint32_t size)
{
    char quoted[QK__QUOTE_SIZE];
    uint32_t turn = 0;
    for (uint32_t i = 1; i < size; i++) {
        if (cycle[i] < cycle[turn])
            turn = i;
    }
    for (uint32_t i = 0; i <= size; i++) {
        if (size > CYCLE_SHOWN && i == CYCLE_SHOWN - 2) {
            qk__buffer_printf(text, ARROW "(%u more)", size - i);
            i = size;
        }
        uint32_t node = cycle[(turn + size - i % size) % size];
        qk__buffer_text(text, i ? ARROW : "");
        qk__buffer_text(text, qk__dag_quote(quoted, dag->nodes[node].name));
    }
}

qk_status qk__checks_cycle(qk__checks *checks, const qk__graph *graph, const uint32_t *left)
{
    qk__buffer text;
    uint32_t first = 0;
    uint32_t *path = malloc(graph->count * sizeof(*path));
    uint32_t *place = calloc(graph->count, sizeof(*place));
    qk_status rc = QK_OK;
    qk__buffer_init(&text, QK_ERROR_MESSAGE_SIZE * 4);
    if (path && place) {
        uint32_t count = go_up(&first, path, place, graph, left);
        spell(&text, checks->dag, path + first, count - first);
    }
    if (!text.data || text.failed)
        rc = qk__error(checks->err, QK_ENOMEM, "out of memory");
    else
        rc = qk__checks_problem(checks, QK_EINVAL, NULL,
                                "cycle: %s: remove one of these dependencies", text.data);
    qk__buffer_dispose(&text);
    free(path);
    free(place);
    return rc;
}

static bool is_parent(const qk_dag *dag, const qk__graph *graph, uint32_t node, const char *name)
{
    size_t wanted = qk_dag_find(dag, name);
    uint32_t low = graph->parent_at[node];
    uint32_t high = graph->parent_at[node + 1];
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (graph->parents[middle] == wanted)
            return true;
        if (graph->parents[middle] < wanted)
            low = middle + 1;
        else
            high = middle;
    }
    return false;
}

/* A node of the run that an addition goes to. */
static bool is_outer(const qk_dag *dag, const qk__node *node, const char *name)
{
    for (uint32_t n = 0; dag->options.addition && n < node->need_count; n++) {
        if (strcmp(dag->needs[node->need_at + n].name, name) == 0)
            return true;
    }
    return false;
}

static qk_status check_when(qk__checks *checks, const qk__graph *graph, uint32_t index)
{
    const qk_dag *dag = checks->dag;
    const qk__node *node = &dag->nodes[index];
    qk__condition *condition = NULL;
    char quoted[QK__QUOTE_SIZE];
    char advice[QK__SUGGEST_SIZE];
    qk_status rc = qk__condition_parse(&condition, node->when, strlen(node->when), checks->err);
    for (size_t i = 0; !rc && i < qk__condition_node_count(condition); i++) {
        const char *name = qk__condition_node(condition, i);
        if (is_parent(dag, graph, index, name) || is_outer(dag, node, name))
            continue;
        bool known = qk_dag_find(dag, name) != QK_NO_NODE;
        qk__names_suggest(advice, dag, name);
        rc = qk__checks_problem(
            checks, QK_EINVAL, node->name, "when: '%s' is %s: %s", qk__dag_quote(quoted, name),
            known ? "not among its dependencies" : "unknown", known ? "add it there" : advice);
    }
    qk__condition_free(condition);
    return rc;
}

static bool among(const char *const *items, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(items[i], name) == 0)
            return true;
    }
    return false;
}

static qk_status check_known(qk__checks *checks, const qk__node *node, const char *what,
                             const char *const *items, size_t count, const char *name)
{
    char quoted[QK__QUOTE_SIZE];
    char other[QK__QUOTE_SIZE];
    if (!items || among(items, count, name))
        return QK_OK;
    const char *nearest = qk__nearest(items, count, name);
    return qk__checks_problem(checks, QK_EINVAL, node->name, "there is no %s '%s': %s%s%s", what,
                              qk__dag_quote(quoted, name),
                              nearest ? "did you mean '" : "register it",
                              nearest ? qk__dag_quote(other, nearest) : "", nearest ? "'?" : "");
}

static qk_status check_work(qk__checks *checks, const qk__node *node)
{
    const qk_dag_options *options = &checks->dag->options;
    if (!options->validate)
        return QK_OK;
    if (node->type == QK_NODE_TASK)
        return check_known(checks, node, "handler", options->kinds, options->kind_count,
                           node->kind);
    if (node->source == QK_SUBDAG_FACTORY)
        return check_known(checks, node, "factory", options->factories, options->factory_count,
                           node->subject);
    return QK_OK;
}

qk_status qk__checks_nodes(qk__checks *checks, const qk__graph *graph)
{
    const qk_dag *dag = checks->dag;
    for (uint32_t i = 0; i < graph->count; i++) {
        const qk__node *node = &dag->nodes[i];
        qk_status rc = check_work(checks, node);
        if (!rc && node->when)
            rc = check_when(checks, graph, i);
        if (rc)
            return rc;
    }
    return QK_OK;
}

static uint32_t find_root(uint32_t *set, uint32_t i)
{
    while (set[i] != i) {
        set[i] = set[set[i]];
        i = set[i];
    }
    return i;
}

/* How many parts there are; *other is the first node outside the first node's part. */
static uint32_t count_parts(uint32_t *other, const qk__graph *graph, uint32_t *set)
{
    uint32_t parts = graph->count;
    for (uint32_t i = 0; i < graph->count; i++)
        set[i] = i;
    for (uint32_t i = 0; i < graph->count; i++) {
        for (uint32_t c = graph->child_at[i]; c < graph->child_at[i + 1]; c++) {
            uint32_t a = find_root(set, i);
            uint32_t b = find_root(set, graph->children[c]);
            parts -= a != b;
            set[a > b ? a : b] = a > b ? b : a;
        }
    }
    *other = 0;
    while (*other < graph->count && find_root(set, *other) == find_root(set, 0))
        ++*other;
    return parts;
}

static bool has_entry(const qk_dag *dag, const qk__graph *graph)
{
    for (uint32_t i = 0; i < graph->count; i++) {
        if (graph->parent_at[i] == graph->parent_at[i + 1] && dag->nodes[i].job->needs_count == 0)
            return true;
    }
    return graph->count == 0;
}

qk_status qk__checks_warn(qk__checks *checks, const qk__graph *graph)
{
    const qk_dag *dag = checks->dag;
    char message[QK_ERROR_MESSAGE_SIZE];
    char first[QK__QUOTE_SIZE];
    char second[QK__QUOTE_SIZE];
    uint32_t other = 0;
    uint32_t *set = malloc((graph->count + 1) * sizeof(*set));
    if (!set)
        return qk__error(checks->err, QK_ENOMEM, "out of memory");
    uint32_t parts = graph->count ? count_parts(&other, graph, set) : 0;
    free(set);
    if (!has_entry(dag, graph))
        dag->options.warn(dag->options.warn_user, dag->name,
                          "no entry point: every node waits for a job outside the DAG");
    if (parts > 1) {
        snprintf(
            message, sizeof(message),
            "disconnected parts: %u that do not depend on each other, '%s' and '%s' among them",
            parts, qk__dag_quote(first, dag->nodes[0].name),
            qk__dag_quote(second, dag->nodes[other].name));
        dag->options.warn(dag->options.warn_user, dag->name, message);
    }
    return QK_OK;
}
