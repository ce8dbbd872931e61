/*
 * What a node of a JSON definition does: exactly one of kind, command, sql, factory, dag, dag_from
 * and file, with what belongs to it and nothing that belongs to another.
 */
#include <stdlib.h>
#include <string.h>

#include "dag/json_node.h"
#include "dag/names.h"
#include "util/buffer.h"
#include "util/error.h"

static const char *label_of(const qk__json_node *node)
{
    return node->name ? node->name : node->label;
}

static qk_status refuse(const qk__json_node *node, qk_status code, const char *text)
{
    return qk__dag_error(node->reading->err, code, node->dag, label_of(node), "%s", text);
}

/* A NUL-terminated copy of the value in the arena; NULL for none. */
static qk_status copy_json(const char **out, qk__json_node *node, qk__json_span value)
{
    *out = value.at ? qk__arena_text(&node->reading->arena, value.at, value.length) : NULL;
    return value.at && !*out ? qk__error(node->reading->err, QK_ENOMEM, "out of memory") : QK_OK;
}

static qk_status check_together(const qk__json_node *node)
{
    int works = (node->kind != NULL) + (node->command.at != NULL) + (node->sql != NULL) +
                (node->factory != NULL) + (node->child.at != NULL) + (node->from != NULL) +
                (node->file != NULL);
    bool forbidden = node->reading->options->forbid_commands;
    if (works == 0)
        return refuse(node, QK_EINVAL,
                      "has no work: give a kind, command, sql, factory, dag, dag_from or file");
    if (works > 1)
        return refuse(node, QK_EINVAL,
                      "has more than one of kind, command, sql, factory, dag, dag_from and file");
    if (node->payload.at && !node->kind)
        return refuse(node, QK_EINVAL, "\"payload\" goes with \"kind\" only");
    if (!node->command.at && (node->cwd.at || node->env.at || node->slots.at))
        return refuse(node, QK_EINVAL, "\"cwd\", \"env\" and \"slots\" go with \"command\" only");
    if (node->params.at && !node->factory)
        return refuse(node, QK_EINVAL, "\"params\" goes with \"factory\" only");
    if (node->with.at && !node->file && !node->child.at)
        return refuse(node, QK_EINVAL, "\"with\" goes with \"dag\" and \"file\" only");
    bool runs =
        node->command.at || node->sql || node->file ||
        (node->kind && (strcmp(node->kind, "command") == 0 || strcmp(node->kind, "sql") == 0));
    if (forbidden && runs)
        return refuse(
            node, QK_EREFUSED,
            "commands, SQL and workflow files are not allowed here: use registered kinds");
    return QK_OK;
}

static void put_member(qk__buffer *text, const char *key, qk__json_span value)
{
    if (!value.at)
        return;
    qk__buffer_printf(text, "%s\"%s\":", text->length > 1 ? "," : "", key);
    qk__json_compact(text, value);
}

static qk_status add_command(qk__json_node *node)
{
    qk__buffer text;
    qk__buffer_init(&text, QK__DAG_TEXT_MAX);
    qk__buffer_text(&text, "{");
    put_member(&text, "argv", node->command);
    put_member(&text, "cwd", node->cwd);
    put_member(&text, "env", node->env);
    put_member(&text, "slots", node->slots);
    qk__buffer_text(&text, "}");
    char *payload = qk__buffer_take(&text);
    if (!payload)
        return qk__error(node->reading->err, QK_ENOMEM, "out of memory");
    qk_status rc =
        qk_dag_add(node->dag, node->name, "command", payload, &node->options, node->reading->err);
    free(payload);
    return rc;
}

static qk_status add_kind(qk__json_node *node)
{
    const char *payload = NULL;
    qk_status rc = copy_json(&payload, node, node->payload);
    return rc ? rc
              : qk_dag_add(node->dag, node->name, node->kind, payload, &node->options,
                           node->reading->err);
}

static qk_status add_child(qk__json_node *node)
{
    qk_dag *child = NULL;
    qk__json_reading *reading = node->reading;
    if (node->depth >= reading->max_depth)
        return qk__dag_error(reading->err, QK_ETOOLARGE, node->dag, label_of(node),
                             "sub-DAGs nest deeper than %d levels", reading->max_depth);
    qk_status rc = copy_json(&node->options.with, node, node->with);
    if (!rc)
        rc = qk__json_read_dag(&child, reading, node->child, node->depth + 1, label_of(node));
    if (!rc)
        rc = qk_dag_add_dag_take(node->dag, node->name, child, &node->options, reading->err);
    if (rc)
        qk_dag_free(child);
    return rc;
}

qk_status qk__json_add_work(qk__json_node *node)
{
    const char *argument = NULL;
    qk_error *err = node->reading->err;
    qk_status rc = check_together(node);
    if (!rc)
        rc = copy_json(&argument, node, node->file ? node->with : node->params);
    if (rc)
        return rc;
    if (node->kind)
        return add_kind(node);
    if (node->command.at)
        return add_command(node);
    if (node->child.at)
        return add_child(node);
    if (node->sql)
        return qk_dag_add_sql(node->dag, node->name, node->sql, &node->options, err);
    if (node->factory)
        return qk_dag_add_factory(node->dag, node->name, node->factory, argument, &node->options,
                                  err);
    if (node->file)
        return qk_dag_add_file(node->dag, node->name, node->file, argument, &node->options, err);
    return qk_dag_add_dynamic(node->dag, node->name, node->from, &node->options, err);
}
