/*
 * The public ways to add a node: each checks and copies what is particular to it, and leaves the
 * rest to qk__dag_add_node.
 */
#include <stdlib.h>
#include <string.h>

#include "dag/job_copy.h"
#include "dag/names.h"
#include "queue/validate.h"
#include "util/buffer.h"
#include "util/error.h"

#define QK__PATH_MAX 4096

static const char *shown(const char *name)
{
    return name ? name : "(unnamed)";
}

/* Copies text of a node into the arena: *out stays NULL for NULL. */
static qk_status keep(const char **out, qk_dag *dag, const char *text, qk_error *err)
{
    *out = text ? qk__arena_text(&dag->arena, text, strlen(text)) : NULL;
    return text && !*out ? qk__error(err, QK_ENOMEM, "out of memory") : QK_OK;
}

/* Passes on what a check said, with DAG and node in front. */
static qk_status named(qk_status rc, const qk_dag *dag, const char *name, const qk_error *inner,
                       qk_error *err)
{
    return rc ? qk__dag_error(err, rc, dag, shown(name), "%s", inner->message) : QK_OK;
}

static qk_node_type type_of(const char *kind)
{
    if (strcmp(kind, "command") == 0)
        return QK_NODE_COMMAND;
    return strcmp(kind, "sql") == 0 ? QK_NODE_SQL : QK_NODE_TASK;
}

qk_status qk_dag_add(qk_dag *dag, const char *name, const char *kind, const char *payload,
                     const qk_node_options *options, qk_error *err)
{
    qk_error inner = QK_ERROR_INIT;
    qk__node node = { .type = QK_NODE_TASK };
    if (!kind || !*kind)
        return qk__dag_error(err, QK_EINVAL, dag, shown(name),
                             "has no work: give a kind, a command, SQL or a sub-DAG");
    qk_status rc = named(qk__check_name("kind", kind, &inner), dag, name, &inner, err);
    if (rc)
        return rc;
    if (strcmp(kind, "dag") == 0)
        return qk__dag_error(err, QK_EINVAL, dag, shown(name),
                             "kind: \"dag\" is built in: add sub-DAGs with the calls for them");
    node.type = (uint8_t)type_of(kind);
    payload = payload ? payload : "null";
    node.payload_length = strlen(payload);
    rc = qk__check_json("payload", payload, node.payload_length, QK__DAG_TEXT_MAX, &inner);
    if (!rc && node.type == QK_NODE_COMMAND)
        rc = qk__check_command(payload, node.payload_length, &inner);
    rc = named(rc, dag, name, &inner, err);
    if (!rc)
        rc = keep(&node.kind, dag, kind, err);
    if (!rc)
        rc = keep(&node.payload, dag, payload, err);
    return rc ? rc : qk__dag_add_node(dag, name, &node, options, err);
}

/* {"argv":[…]}; NULL: out of memory. */
static char *command_payload(const char *const *argv)
{
    qk__buffer text;
    qk__buffer_init(&text, QK__DAG_TEXT_MAX);
    qk__buffer_text(&text, "{\"argv\":[");
    for (size_t i = 0; argv[i]; i++) {
        qk__buffer_text(&text, i ? "," : "");
        qk__buffer_json_string(&text, argv[i], strlen(argv[i]));
    }
    qk__buffer_text(&text, "]}");
    return qk__buffer_take(&text);
}

qk_status qk_dag_add_command(qk_dag *dag, const char *name, const char *const *argv,
                             const qk_node_options *options, qk_error *err)
{
    if (!argv || !argv[0] || !*argv[0])
        return qk__dag_error(err, QK_EINVAL, dag, shown(name), "the command is empty");
    for (size_t i = 0; argv[i]; i++) {
        if (!qk__dag_is_text(argv[i]))
            return qk__dag_error(err, QK_EINVAL, dag, shown(name), "argument %zu: not UTF-8", i);
    }
    char *payload = command_payload(argv);
    if (!payload)
        return qk__error(err, QK_ENOMEM, "out of memory");
    qk_status rc = qk_dag_add(dag, name, "command", payload, options, err);
    free(payload);
    return rc;
}

qk_status qk_dag_add_sql(qk_dag *dag, const char *name, const char *sql,
                         const qk_node_options *options, qk_error *err)
{
    qk__buffer text;
    if (!sql || !*sql)
        return qk__dag_error(err, QK_EINVAL, dag, shown(name), "the SQL is empty");
    if (!qk__dag_is_text(sql))
        return qk__dag_error(err, QK_EINVAL, dag, shown(name), "the SQL is not UTF-8");
    qk__buffer_init(&text, QK__DAG_TEXT_MAX);
    qk__buffer_text(&text, "{\"sql\":");
    qk__buffer_json_string(&text, sql, strlen(sql));
    qk__buffer_text(&text, "}");
    char *payload = qk__buffer_take(&text);
    if (!payload)
        return qk__error(err, QK_ENOMEM, "out of memory");
    qk_status rc = qk_dag_add(dag, name, "sql", payload, options, err);
    free(payload);
    return rc;
}

static qk_status check_path(const char *path, qk_error *err)
{
    if (!path || !*path)
        return qk__error(err, QK_EINVAL, "file: must not be empty");
    if (strnlen(path, QK__PATH_MAX + 1) > QK__PATH_MAX)
        return qk__error(err, QK_EINVAL, "file: longer than %d bytes", QK__PATH_MAX);
    return qk__dag_is_text(path) ? QK_OK : qk__error(err, QK_EINVAL, "file: not UTF-8");
}

static qk_status check_with(const char *with, qk_error *err)
{
    if (!with)
        return QK_OK;
    qk_status rc = qk__check_json("with", with, strlen(with), QK__DAG_TEXT_MAX, err);
    if (!rc && with[strspn(with, " \t\r\n")] != '{')
        rc = qk__error(err, QK_EINVAL, "with: must be a JSON object");
    return rc;
}

static qk_status check_subdag(qk_subdag_source source, const char *subject, const char *argument,
                              qk_error *err)
{
    bool file = source == QK_SUBDAG_FILE;
    qk_status rc =
        file ? check_path(subject, err)
             : qk__check_name(source == QK_SUBDAG_FACTORY ? "factory" : "from", subject, err);
    if (!rc && argument && !file)
        rc = qk__check_json("params", argument, strlen(argument), QK__DAG_TEXT_MAX, err);
    return !rc && file ? check_with(argument, err) : rc;
}

/* A sub-DAG by `subject`; `argument` is params or with. */
static qk_status add_subdag(qk_dag *dag, const char *name, qk_subdag_source source,
                            const char *subject, const char *argument,
                            const qk_node_options *options, qk_error *err)
{
    qk_error inner = QK_ERROR_INIT;
    qk__node node = { .type = QK_NODE_DAG, .source = (uint8_t)source, .kind = "dag" };
    qk_status rc = check_subdag(source, subject, argument, &inner);
    rc = named(rc, dag, name, &inner, err);
    if (!rc)
        rc = keep(&node.subject, dag, subject, err);
    if (!rc)
        rc = keep(&node.payload, dag, argument, err);
    node.payload_length = argument ? strlen(argument) : 0;
    return rc ? rc : qk__dag_add_node(dag, name, &node, options, err);
}

qk_status qk_dag_add_factory(qk_dag *dag, const char *name, const char *factory, const char *params,
                             const qk_node_options *options, qk_error *err)
{
    return add_subdag(dag, name, QK_SUBDAG_FACTORY, factory, params, options, err);
}

qk_status qk_dag_add_dynamic(qk_dag *dag, const char *name, const char *from,
                             const qk_node_options *options, qk_error *err)
{
    return add_subdag(dag, name, QK_SUBDAG_DYNAMIC, from, NULL, options, err);
}

qk_status qk_dag_add_file(qk_dag *dag, const char *name, const char *path, const char *with,
                          const qk_node_options *options, qk_error *err)
{
    return add_subdag(dag, name, QK_SUBDAG_FILE, path, with, options, err);
}

qk_status qk_dag_add_dag_take(qk_dag *dag, const char *name, qk_dag *child,
                              const qk_node_options *options, qk_error *err)
{
    if (!child)
        return qk__dag_error(err, QK_EINVAL, dag, shown(name), "the sub-DAG is NULL");
    if (child == dag || child->sealed)
        return qk__dag_error(err, QK_ESTATE, dag, shown(name),
                             "the sub-DAG was submitted or is part of a DAG already");
    if (child->options.addition)
        return qk__dag_error(err, QK_EINVAL, dag, shown(name),
                             "the sub-DAG is an addition to a run: it cannot stand alone");
    if (child->depth >= QK_DAG_NESTING_MAX)
        return qk__dag_error(err, QK_ETOOLARGE, dag, shown(name),
                             "sub-DAGs nest deeper than %d levels", QK_DAG_NESTING_MAX);
    qk_error inner = QK_ERROR_INIT;
    const char *with = options ? options->with : NULL;
    qk_status rc = qk_dag_validate(child, err);
    if (!rc)
        rc = named(check_with(with, &inner), dag, name, &inner, err);
    if (rc)
        return rc;
    qk__node node = {
        .type = QK_NODE_DAG, .source = QK_SUBDAG_IN_PLACE, .kind = "dag", .child = child
    };
    node.payload_length = with ? strlen(with) : 0;
    rc = keep(&node.payload, dag, with, err);
    if (!rc)
        rc = qk__dag_add_node(dag, name, &node, options, err);
    if (rc)
        return rc;
    child->sealed = true;
    if (dag->depth <= child->depth)
        dag->depth = child->depth + 1;
    return QK_OK;
}
