/*
 * A workflow from its root map on: head, params, tasks, and the DAG they make; see loading.h.
 */
#include <stdlib.h>
#include <string.h>

#include "util/error.h"
#include "workflow/loading.h"

static qk_status read_names(const qk__loading *in, qk__texts *out, const char *key)
{
    const qk__yaml_node *node = qk__yaml_get(in->root, key, NULL);
    qk_status rc = node ? qk__read_texts(in, out, node, key) : QK_OK;
    for (size_t i = 0; !rc && i < out->count; i++) {
        if (!qk__is_variable(out->items[i]))
            rc = qk__wrong_type(in, node->type == QK__YAML_LIST ? node->items[i] : node, key,
                                "names of environment variables");
    }
    return rc;
}

/* A path relative to the file's folder, made absolute. */
static qk_status read_path(const qk__loading *in, const char **out, const char *key)
{
    const char *text = NULL;
    qk_status rc = qk__read_text(in, &text, qk__yaml_get(in->root, key, NULL), key);
    return rc || !text ? rc : qk__absolute(in, out, text);
}

qk_status qk__absolute(const qk__loading *in, const char **out, const char *path)
{
    size_t folder = strlen(in->out->folder), length = strlen(path);
    char *text = qk__arena_take(&in->out->arena, folder + length + 2);
    if (!text)
        return qk__loading_no_memory(in);
    if (*path == '/') {
        memcpy(text, path, length + 1);
    } else {
        memcpy(text, in->out->folder, folder);
        text[folder] = '/';
        memcpy(text + folder + (folder > 1), path, length + 1);
    }
    *out = text;
    return QK_OK;
}

static qk_status read_head(qk__loading *in)
{
    qk_workflow *out = in->out;
    const qk__yaml_node *name = qk__yaml_get(in->root, "name", NULL);
    const char *given = NULL;
    qk_status rc = qk__read_text(in, &given, name, "name");
    out->name = given ? given : out->name;
    if (!rc && name && strlen(out->name) > QK_NAME_MAX)
        rc = qk__wrong_at(in, name, "name: longer than %d bytes: shorten it", QK_NAME_MAX);
    if (!rc)
        rc = qk__read_text(in, &out->description, qk__yaml_get(in->root, "description", NULL),
                           "description");
    if (!rc)
        rc =
            qk__read_text(in, &out->schedule, qk__yaml_get(in->root, "schedule", NULL), "schedule");
    if (!rc)
        rc = read_path(in, &out->database, "database");
    if (!rc)
        rc = read_names(in, &out->secrets, "secrets");
    if (!rc)
        rc = read_names(in, &out->environment, "environment");
    const qk__yaml_node *defaults = qk__yaml_get(in->root, "defaults", NULL);
    in->defaults = defaults ? defaults : in->defaults;
    if (!rc && defaults)
        rc = qk__read_map(in, defaults, "defaults", &qk__keys_defaults);
    return rc;
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static qk_status check_task_name(const qk__loading *in, const qk__yaml_node *key)
{
    static const char *const reserved[] = { "params", "item",       "run",       "env",
                                            "tasks",  "on_success", "on_failure" };
    for (size_t i = 0; i < sizeof(reserved) / sizeof(reserved[0]); i++) {
        if (strcmp(key->text, reserved[i]) == 0)
            return qk__wrong_at(in, key, "\"%s\" is reserved: give the task another name",
                                key->text);
    }
    if (key->length == 0 || key->length > QK_NAME_MAX)
        return qk__wrong_at(in, key, "the name of a task must have 1 to %d bytes", QK_NAME_MAX);
    return QK_OK;
}

static qk_status gather_names(qk__loading *in, const qk__yaml_node *tasks)
{
    qk_status rc = QK_OK;
    in->task_names = malloc((tasks->count + 1) * sizeof(*in->task_names));
    if (!in->task_names)
        return qk__loading_no_memory(in);
    for (size_t i = 0; !rc && i < tasks->count; i++) {
        rc = check_task_name(in, tasks->items[2 * i]);
        in->task_names[i] = tasks->items[2 * i]->text;
    }
    in->task_count = tasks->count;
    qsort(in->task_names, in->task_count, sizeof(*in->task_names), compare_names);
    return rc;
}

static qk_status load_tasks(qk__loading *in, const qk__yaml_node *tasks)
{
    static const struct {
        const char *key;
        qk__task_role role;
    } ends[] = {
        { "on_success", QK__TASK_ON_SUCCESS },
        { "on_failure", QK__TASK_ON_FAILURE },
    };
    qk_status rc = gather_names(in, tasks);
    for (size_t i = 0; !rc && i < tasks->count; i++)
        rc = qk__load_task(in, tasks->items[2 * i], tasks->items[2 * i + 1], QK__TASK_PLAIN);
    for (size_t i = 0; !rc && i < sizeof(ends) / sizeof(ends[0]); i++) {
        const qk__yaml_node *key = NULL;
        const qk__yaml_node *task = qk__yaml_get(in->root, ends[i].key, &key);
        if (task)
            rc = qk__load_task(in, key, task, ends[i].role);
    }
    free(in->task_names);
    in->task_names = NULL;
    return rc;
}

/* What only the whole can tell: cycles. The place is that of the first node in the message. */
static qk_status validate(const qk__loading *in)
{
    qk_error problem = QK_ERROR_INIT;
    qk_status rc = qk_dag_validate(in->out->dag, &problem);
    if (!rc)
        return QK_OK;
    qk__place place = in->root->place;
    const char *cycle = strstr(problem.message, " → ");
    for (size_t i = 0; cycle && i < in->out->task_count; i++) {
        const qk_workflow_task *task = &in->out->tasks[i];
        size_t length = strlen(task->name);
        if ((size_t)(cycle - problem.message) > length &&
            memcmp(cycle - length, task->name, length) == 0 && cycle[-1 - (long)length] == ' ')
            place = (qk__place){ task->line, task->column };
    }
    return qk__wrong(in, place, rc, "%s", problem.message);
}

/* Where it comes from, and what params it takes: see give.h. */
static qk_status make_metadata(const qk__loading *in, const char **out)
{
    qk__buffer text;
    const qk_workflow *workflow = in->out;
    qk__buffer_init(&text, QK__WORKFLOW_TEXT_MAX);
    qk__buffer_text(&text, "{\"workflow\":{");
    qk__wf_put_text(&text, "file", workflow->file);
    for (size_t i = 0; i < workflow->param_count; i++) {
        const qk_workflow_param *param = &workflow->params[i].open;
        if (i == 0) {
            qk__wf_put_key(&text, "params");
            qk__buffer_text(&text, "{");
        }
        qk__wf_put_key(&text, param->name);
        qk__buffer_text(&text, "{");
        qk__wf_put_text(&text, "type", qk_param_type_name(param->type));
        if (param->choices) {
            qk__wf_put_key(&text, "choices");
            qk__buffer_text(&text, param->choices);
        }
        qk__buffer_text(&text, i + 1 == workflow->param_count ? "}}" : "}");
    }
    qk__buffer_text(&text, "}}");
    return qk__keep_buffer(in, out, &text);
}

static qk_status new_dag(qk__loading *in)
{
    qk_dag_options options = QK_DAG_OPTIONS_INIT;
    qk_error problem = QK_ERROR_INIT;
    qk_status rc = make_metadata(in, &options.metadata);
    if (rc)
        return rc;
    options.description = in->out->description;
    options.params = in->out->param_count ? in->out->params_json : NULL;
    options.warn = in->options->warn;
    options.warn_user = in->options->warn_user;
    rc = qk_dag_new(&in->out->dag, in->out->name, &options, &problem);
    if (!rc)
        return QK_OK;
    const qk__yaml_node *name = qk__yaml_get(in->root, "name", NULL);
    return qk__wrong(in, name ? name->place : in->root->place, rc, "%s", problem.message);
}

qk_status qk__load_root(qk__loading *in)
{
    qk_workflow *out = in->out;
    if (in->root->type == QK__YAML_NULL)
        return qk__wrong_at(in, in->root, "the file is empty: it needs \"tasks\", a map of tasks");
    qk_status rc = qk__read_map(in, in->root, "workflow", &qk__keys_file);
    const qk__yaml_node *tasks = rc ? NULL : qk__yaml_get(in->root, "tasks", NULL);
    if (!rc && !tasks)
        rc = qk__wrong_at(in, in->root, "the workflow has no \"tasks\": add a map of tasks");
    if (!rc && tasks->type != QK__YAML_MAP)
        rc = qk__wrong_type(in, tasks, "tasks", "a map of tasks by name");
    if (!rc)
        rc = read_head(in);
    if (!rc)
        rc = qk__read_params(in, qk__yaml_get(in->root, "params", NULL));
    if (!rc)
        rc = new_dag(in);
    if (rc)
        return rc;
    size_t size = (tasks->count + 2) * sizeof(*out->tasks);
    out->tasks = qk__arena_take(&out->arena, size);
    if (!out->tasks)
        return qk__loading_no_memory(in);
    memset(out->tasks, 0, size);
    rc = load_tasks(in, tasks);
    return rc ? rc : validate(in);
}
