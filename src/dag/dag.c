/*
 * Making, freeing and looking at a DAG; see dag.h. Adding nodes is in add.c, checking in prepare.c.
 */
#include <stdlib.h>
#include <string.h>

#include "dag/names.h"
#include "queue/validate.h"
#include "util/error.h"

/* Copies a list of names into the arena. */
static qk_status copy_list(const char *const **out, qk_dag *dag, const char *what,
                           const char *const *items, size_t count, qk_error *err)
{
    *out = NULL;
    if (!items)
        return QK_OK;
    const char **copy = qk__arena_take(&dag->arena, (count + 1) * sizeof(*copy));
    if (!copy)
        return qk__error(err, QK_ENOMEM, "out of memory");
    for (size_t i = 0; i < count; i++) {
        qk_status rc = qk__check_name(what, items[i], err);
        if (rc)
            return rc;
        copy[i] = qk__arena_text(&dag->arena, items[i], strlen(items[i]));
        if (!copy[i])
            return qk__error(err, QK_ENOMEM, "out of memory");
    }
    *out = copy;
    return QK_OK;
}

/* *out stays NULL for NULL. */
static qk_status copy_text(char **out, qk_dag *dag, const char *text, qk_error *err)
{
    *out = text ? qk__arena_text(&dag->arena, text, strlen(text)) : NULL;
    return text && !*out ? qk__error(err, QK_ENOMEM, "out of memory") : QK_OK;
}

static qk_status copy_object(char **out, qk_dag *dag, const char *what, const char *text,
                             qk_error *err)
{
    if (!text)
        return QK_OK;
    qk_status rc = qk__check_json(what, text, strlen(text), QK__DAG_TEXT_MAX, err);
    if (rc)
        return rc;
    if (text[strspn(text, " \t\r\n")] != '{')
        return qk__error(err, QK_EINVAL, "%s: must be a JSON object", what);
    return copy_text(out, dag, text, err);
}

static qk_status copy_description(qk_dag *dag, const char *text, qk_error *err)
{
    if (!text)
        return QK_OK;
    if (strlen(text) > QK__DAG_TEXT_MAX)
        return qk__error(err, QK_ETOOLARGE, "description: longer than %zu bytes", QK__DAG_TEXT_MAX);
    if (!qk__dag_is_text(text))
        return qk__error(err, QK_EINVAL, "description: not UTF-8");
    return copy_text(&dag->description, dag, text, err);
}

static qk_status fill(qk_dag *dag, const char *name, const qk_dag_options *options, qk_error *err)
{
    dag->options = *options;
    dag->options.description = dag->options.metadata = dag->options.params = NULL;
    if (dag->options.max_nodes == 0)
        dag->options.max_nodes = QK_DAG_NODES_DEFAULT_MAX;
    if (dag->options.max_nodes >= UINT32_MAX / 2)
        return qk__error(err, QK_EINVAL, "max_nodes: at most %u", (unsigned)UINT32_MAX / 2 - 1);
    qk_status rc = copy_text(&dag->name, dag, name, err);
    if (!rc)
        rc = copy_description(dag, options->description, err);
    if (!rc)
        rc = copy_object(&dag->metadata, dag, "metadata", options->metadata, err);
    if (!rc)
        rc = copy_object(&dag->params, dag, "params", options->params, err);
    if (!rc)
        rc = copy_list(&dag->options.kinds, dag, "kinds", options->kinds, options->kind_count, err);
    if (!rc)
        rc = copy_list(&dag->options.factories, dag, "factories", options->factories,
                       options->factory_count, err);
    return rc;
}

qk_status qk_dag_new(qk_dag **out, const char *name, const qk_dag_options *options, qk_error *err)
{
    static const qk_dag_options defaults = QK_DAG_OPTIONS_INIT;
    *out = NULL;
    if (!options)
        options = &defaults;
    qk_status rc = qk__check_version("DAG options", "QK_DAG_OPTIONS_INIT", options->version, err);
    if (!rc)
        rc = qk__check_name("name of a DAG", name, err);
    if (rc)
        return rc;
    qk_dag *dag = calloc(1, sizeof(*dag));
    if (!dag)
        return qk__error(err, QK_ENOMEM, "out of memory");
    dag->depth = 1;
    dag->hash_key = qk__hash_key_new();
    rc = fill(dag, name, options, err);
    if (rc) {
        qk_dag_free(dag);
        return rc;
    }
    *out = dag;
    return QK_OK;
}

void qk__graph_dispose(qk__graph *graph)
{
    free(graph->parent_at);
    free(graph->parents);
    free(graph->child_at);
    free(graph->children);
    free(graph->order);
    free(graph->level);
    free(graph->outer);
    *graph = (qk__graph){ 0 };
}

void qk_dag_free(qk_dag *dag)
{
    if (!dag)
        return;
    for (size_t i = 0; i < dag->count && dag->depth > 1; i++)
        qk_dag_free(dag->nodes[i].child);
    qk__graph_dispose(&dag->graph);
    qk__arena_dispose(&dag->arena);
    free(dag->nodes);
    free(dag->needs);
    free(dag->table);
    free(dag);
}

const char *qk_dag_name(const qk_dag *dag)
{
    return dag->name;
}

size_t qk_dag_node_count(const qk_dag *dag)
{
    return dag->count;
}

void qk_dag_node(qk_node *out, const qk_dag *dag, size_t index)
{
    const qk__node *node = &dag->nodes[index];
    *out = (qk_node){
        .name = node->name,
        .type = (qk_node_type)node->type,
        .source = (qk_subdag_source)node->source,
        .kind = node->kind,
        .payload = node->payload,
        .subject = node->subject,
        .when = node->when,
        .store = node->store,
        .child = node->child,
        .job = node->job,
    };
}

size_t qk_dag_find(const qk_dag *dag, const char *name)
{
    size_t length = strlen(name);
    return qk__names_find(dag, name, length, qk__hash(&dag->hash_key, name, length));
}

void qk__dag_seal(qk_dag *dag)
{
    dag->sealed = true;
}
