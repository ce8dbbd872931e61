/*
 * Sub-DAGs: a workflow in place, or from a file, which is read at once, so that the definition of a
 * run holds all of it and an edited file changes nothing. Only a file that leads back to itself is
 * left to be read when its node is ready.
 */
#include <string.h>

#include "util/error.h"
#include "workflow/scope.h"

/* True if the file is being loaded already, further out. */
static bool leads_back(const qk__loading *in, const char *file)
{
    for (; strcmp(in->out->file, file) != 0; in = in->entry->outer) {
        if (!in->entry)
            return false;
    }
    return true;
}

/* The path for messages: relative to where the outer file was found. */
static qk_status shown_path(const qk__loading *in, const char **out, const char *path)
{
    const char *slash = strrchr(in->out->shown, '/');
    size_t length = slash && *path != '/' ? (size_t)(slash - in->out->shown) + 1 : 0;
    char *text = qk__arena_take(&in->out->arena, length + strlen(path) + 1);
    if (!text)
        return qk__loading_no_memory(in);
    memcpy(text, in->out->shown, length);
    strcpy(text + length, path);
    *out = text;
    return QK_OK;
}

static qk_status from_file(qk__task_load *task, const qk__entry *entry)
{
    const qk__loading *in = task->in;
    const char *path = NULL, *shown = NULL, *absolute = NULL;
    qk_workflow_options options = QK_WORKFLOW_OPTIONS_INIT;
    qk_error problem = QK_ERROR_INIT;
    qk_status rc = qk__read_text(in, &path, task->work_node, "dag");
    if (!rc)
        rc = qk__absolute(in, &absolute, path);
    if (!rc)
        rc = shown_path(in, &shown, path);
    if (rc)
        return rc;
    if (leads_back(in, absolute)) {
        task->child_file = absolute;
        return QK_OK;
    }
    options.warn = in->options->warn;
    options.warn_user = in->options->warn_user;
    rc = qk__workflow_load(&task->child, shown, &options, entry, &problem);
    /* What is wrong within the file names its own place; that it cannot be read is told here. */
    if (rc == QK_ENOTFOUND || rc == QK_EIO)
        return qk__wrong(in, task->work_node->place, rc, "dag: %s", problem.message);
    if (rc && in->err)
        *in->err = problem;
    return rc;
}

static qk_status in_place(qk__task_load *task, const qk__entry *entry)
{
    qk__loading *in = task->in;
    qk_workflow_options options = QK_WORKFLOW_OPTIONS_INIT;
    task->child = qk__workflow_new_like(in->out, task->key->text);
    if (!task->child)
        return qk__loading_no_memory(in);
    qk__loading inner = { .out = task->child,
                          .tree = in->tree,
                          .root = task->work_node,
                          .options = &options,
                          .entry = entry,
                          .depth = in->depth + 1,
                          .err = in->err };
    /* What it does not say itself is as around it. */
    inner.defaults = in->defaults;
    task->child->database = in->out->database;
    task->child->secrets = in->out->secrets;
    task->child->environment = in->out->environment;
    options.warn = in->options->warn;
    options.warn_user = in->options->warn_user;
    return qk__load_root(&inner);
}

qk_status qk__load_subdag(qk__task_load *task)
{
    const qk__loading *in = task->in;
    const qk__yaml_node *with = qk__yaml_get(task->map, "with", NULL);
    task->kind = "dag";
    if (in->depth >= QK_DAG_NESTING_MAX)
        return qk__wrong_at(in, task->work_node,
                            "sub-DAGs nest deeper than %d levels: flatten them",
                            QK_DAG_NESTING_MAX);
    if (with && with->type != QK__YAML_MAP)
        return qk__wrong_type(in, with, "with", "a map of params and values");
    if (with) {
        const qk__scope scope = { .task = task, .no_env = true };
        qk_status rc = qk__scope_check_all(&scope, with);
        if (!rc)
            rc = qk__yaml_json(in, &task->payload, with);
        if (rc)
            return rc;
    }
    const qk__entry entry = { in, with, with ? with->place : task->key->place };
    if (task->work_node->type == QK__YAML_MAP)
        return in_place(task, &entry);
    if (task->work_node->type != QK__YAML_STRING)
        return qk__wrong_type(in, task->work_node, "dag", "a workflow file, or a map with tasks");
    return from_file(task, &entry);
}
