/*
 * Adding nodes. Everything that can fail comes before the node is published, so that a failed call
 * leaves the DAG as it was; memory taken from the arena in vain is freed with the DAG.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dag/job_copy.h"
#include "dag/names.h"
#include "queue/validate.h"
#include "util/error.h"
#include "util/json_walk.h"
#include "util/utf8.h"

bool qk__dag_is_text(const char *text)
{
    size_t length = strlen(text);
    for (size_t at = 0, step; at < length; at += step) {
        step = qk__utf8_sequence(text + at, length - at);
        if (step == 0)
            return false;
    }
    return true;
}

static qk_status no_memory(qk_error *err)
{
    return qk__error(err, QK_ENOMEM, "out of memory");
}

/* Grows an array so that one more item fits. */
static void *grow(void *items, size_t *capacity, size_t want, size_t size)
{
    size_t larger = *capacity ? *capacity : 16;
    if (want <= *capacity)
        return items;
    while (larger < want)
        larger *= 2;
    items = realloc(items, larger * size);
    if (items)
        *capacity = larger;
    return items;
}

static qk_status reserve(qk_dag *dag, size_t needs, qk_error *err)
{
    qk__node *nodes = grow(dag->nodes, &dag->capacity, dag->count + 1, sizeof(*nodes));
    if (!nodes)
        return no_memory(err);
    dag->nodes = nodes;
    qk__need *list =
        grow(dag->needs, &dag->need_capacity, dag->need_count + needs + 1, sizeof(*list));
    if (!list)
        return no_memory(err);
    dag->needs = list;
    return qk__names_reserve(dag) ? QK_OK : no_memory(err);
}

/* With fail_fast off a problem of names is kept for qk_dag_validate, and the node taken. */
static qk_status problem(qk_dag *dag, qk_error *err, const qk_error *found)
{
    if (dag->options.fail_fast) {
        if (err)
            *err = *found;
        return found->code;
    }
    if (dag->options.warn)
        dag->options.warn(dag->options.warn_user, dag->name, found->message);
    if (dag->problems++ == 0)
        dag->first_problem = *found;
    return QK_OK;
}

static qk_status name_node(qk__node *node, qk_dag *dag, const char *name, qk_error *err)
{
    char own[32];
    qk_id id;
    node->auto_named = !name;
    if (!name) {
        snprintf(own, sizeof(own), "job_%zu", dag->count + 1);
        name = own;
    }
    qk_status rc = qk__check_name("name of a node", name, err);
    if (rc)
        return qk__dag_error(err, rc, dag, NULL, "name of node %zu: %s", dag->count + 1,
                             err ? err->message + strlen("name of a node: ") : "");
    if (qk_id_parse(&id, name) == QK_OK)
        return qk__dag_error(err, QK_EINVAL, dag, name,
                             "the name is an id: dependencies could not tell it from a job's");
    node->name_length = strlen(name);
    node->hash = qk__hash(&dag->hash_key, name, node->name_length);
    node->name = qk__arena_text(&dag->arena, name, node->name_length);
    return node->name ? QK_OK : no_memory(err);
}

static qk_status check_unique(bool *duplicate, qk_dag *dag, const qk__node *node, qk_error *err)
{
    qk_error found = QK_ERROR_INIT;
    *duplicate = qk__names_find(dag, node->name, node->name_length, node->hash) != SIZE_MAX;
    if (!*duplicate)
        return QK_OK;
    qk__dag_error(&found, QK_ECONFLICT, dag, node->name,
                  node->auto_named ? "the automatic name is taken: name the node"
                                   : "the name exists already: names are unique within a DAG");
    return problem(dag, err, &found);
}

static bool is_listed(const qk_node_options *options, const char *name)
{
    for (size_t i = 0; i < options->after_count; i++) {
        if (options->after[i] && strcmp(options->after[i], name) == 0)
            return true;
    }
    return false;
}

/* Dependencies of a node while they are collected behind the published ones. */
typedef struct collected {
    size_t names;
    qk_id *ids;
    size_t id_count;
} collected;

static qk_status collect_need(collected *into, qk_dag *dag, const qk__node *node, const char *name,
                              qk_error *err)
{
    qk_error inner = QK_ERROR_INIT;
    if (qk__check_name("after", name, &inner))
        return qk__dag_error(err, inner.code, dag, node->name, "%s", inner.message);
    if (qk_id_parse(&into->ids[into->id_count], name) == QK_OK) {
        into->id_count++;
        return QK_OK;
    }
    qk__need *need = &dag->needs[dag->need_count + into->names];
    need->length = strlen(name);
    need->hash = qk__hash(&dag->hash_key, name, need->length);
    if (need->hash == node->hash && strcmp(name, node->name) == 0) {
        qk__dag_error(&inner, QK_EINVAL, dag, node->name,
                      "depends on itself: remove it from its dependencies");
        return problem(dag, err, &inner);
    }
    need->name = qk__arena_text(&dag->arena, name, need->length);
    if (!need->name)
        return no_memory(err);
    into->names++;
    return QK_OK;
}

static qk_status collect_needs(collected *into, qk_dag *dag, const qk__node *node,
                               const qk_node_options *options, qk_error *err)
{
    const char *from = node->source == QK_SUBDAG_DYNAMIC ? node->subject : NULL;
    qk_status rc = QK_OK;
    into->ids = malloc((options->after_count + 1) * sizeof(*into->ids));
    if (!into->ids)
        return no_memory(err);
    for (size_t i = 0; !rc && i < options->after_count; i++)
        rc = collect_need(into, dag, node, options->after[i], err);
    if (!rc && from && !is_listed(options, from))
        rc = collect_need(into, dag, node, from, err);
    return rc;
}

static qk_status copy_when(qk__node *node, qk_dag *dag, const char *when, qk_error *err)
{
    qk__condition *condition = NULL;
    qk_error inner = QK_ERROR_INIT;
    if (!when)
        return QK_OK;
    size_t length = strnlen(when, QK_WHEN_MAX + 1);
    qk_status rc = qk__condition_parse(&condition, when, length, &inner);
    qk__condition_free(condition);
    if (rc)
        return qk__dag_error(err, rc, dag, node->name, "when: %s", inner.message);
    node->when = qk__arena_text(&dag->arena, when, length);
    return node->when ? QK_OK : no_memory(err);
}

static qk_status copy_store(qk__node *node, qk_dag *dag, const char *store, qk_error *err)
{
    qk_error inner = QK_ERROR_INIT;
    if (!store)
        return QK_OK;
    if (node->type != QK_NODE_DAG)
        return qk__dag_error(err, QK_EINVAL, dag, node->name,
                             "store: only a sub-DAG can run in another store");
    qk_status rc = qk__check_name("store", store, &inner);
    if (rc)
        return qk__dag_error(err, rc, dag, node->name, "%s", inner.message);
    node->store = qk__arena_text(&dag->arena, store, strlen(store));
    return node->store ? QK_OK : no_memory(err);
}

static qk_status check_with(const qk__node *node, const qk_dag *dag, const qk_node_options *options,
                            qk_error *err)
{
    if (options->with && node->source != QK_SUBDAG_IN_PLACE)
        return qk__dag_error(err, QK_EINVAL, dag, node->name,
                             "with: only a sub-DAG in place or a workflow file takes params");
    return QK_OK;
}

static qk_status check_addable(const qk_dag *dag, const qk_node_options *options, size_t more,
                               qk_error *err)
{
    qk_error inner = QK_ERROR_INIT;
    if (dag->sealed)
        return qk__dag_error(err, QK_ESTATE, dag, NULL,
                             "was submitted or is part of another: nothing can be added to it");
    if (qk__check_version("node options", "QK_NODE_OPTIONS_INIT", options->version, &inner))
        return qk__dag_error(err, inner.code, dag, NULL, "%s", inner.message);
    if (options->after_count && !options->after)
        return qk__dag_error(err, QK_EINVAL, dag, NULL, "after: NULL, but after_count is not 0");
    if (more > dag->options.max_nodes - dag->total || options->after_count > UINT32_MAX / 4)
        return qk__dag_error(err, QK_ETOOLARGE, dag, NULL,
                             "more than %zu nodes: raise max_nodes or split it",
                             dag->options.max_nodes);
    return QK_OK;
}

/* The parts of a node that can be wrong, into the arena. */
static qk_status complete(qk__node *node, collected *into, bool *duplicate, qk_dag *dag,
                          const qk_node_options *options, qk_error *err)
{
    qk_status rc = check_unique(duplicate, dag, node, err);
    if (!rc)
        rc = collect_needs(into, dag, node, options, err);
    if (!rc)
        rc = copy_when(node, dag, options->when, err);
    if (!rc)
        rc = copy_store(node, dag, options->store, err);
    if (!rc)
        rc = check_with(node, dag, options, err);
    if (!rc)
        rc =
            qk__job_copy(&node->job, dag, node->name, options->job, into->ids, into->id_count, err);
    free(into->ids);
    return rc;
}

qk_status qk__dag_add_node(qk_dag *dag, const char *name, const qk__node *what,
                           const qk_node_options *options, qk_error *err)
{
    static const qk_node_options defaults = QK_NODE_OPTIONS_INIT;
    qk__node node = *what;
    size_t more = 1 + (node.child ? node.child->total : 0);
    collected into = { 0 };
    bool duplicate = false;

    options = options ? options : &defaults;
    qk_status rc = check_addable(dag, options, more, err);
    if (!rc)
        rc = reserve(dag, options->after_count + 1, err);
    if (!rc)
        rc = name_node(&node, dag, name, err);
    if (!rc)
        rc = complete(&node, &into, &duplicate, dag, options, err);
    if (rc)
        return rc;
    node.need_at = (uint32_t)dag->need_count;
    node.need_count = (uint32_t)into.names;
    dag->need_count += into.names;
    dag->nodes[dag->count] = node;
    if (!duplicate)
        qk__names_enter(dag, dag->count);
    dag->count++;
    dag->total += more;
    dag->prepared = false;
    return QK_OK;
}
