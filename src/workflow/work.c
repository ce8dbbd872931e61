/*
 * Payloads: what a task does, as its job carries it. queuack/workflow.h says what they look like.
 */
#include <string.h>

#include "util/error.h"
#include "workflow/loading.h"

static void put_texts(qk__buffer *out, const char *key, const qk__texts *texts)
{
    if (texts->count == 0)
        return;
    qk__wf_put_key(out, key);
    for (size_t i = 0; i < texts->count; i++) {
        qk__buffer_text(out, i ? "," : "[");
        qk__buffer_json_string(out, texts->items[i], strlen(texts->items[i]));
    }
    qk__buffer_text(out, "]");
}

/* "workflow": {…}; always there, so that whoever runs the task knows the file. */
static void put_workflow(qk__buffer *out, const qk__task_load *task)
{
    const qk_workflow *workflow = task->in->out;
    qk__wf_put_key(out, "workflow");
    qk__buffer_text(out, "{");
    qk__wf_put_text(out, "file", workflow->file);
    put_texts(out, "secrets", &workflow->secrets);
    put_texts(out, "environment", &workflow->environment);
    put_texts(out, "inputs", &task->inputs);
    put_texts(out, "outputs", &task->outputs);
    qk__buffer_text(out, "}");
}

static qk_status put_cwd(qk__buffer *out, const qk__task_load *task)
{
    const char *text = NULL;
    const char *folder = task->in->out->folder;
    qk_status rc =
        qk__read_text(task->in, &text, qk__task_field(task->in, task->map, "cwd"), "cwd");
    if (!rc && text)
        rc = qk__absolute(task->in, &folder, text);
    qk__wf_put_text(out, "cwd", folder);
    return rc;
}

static qk_status put_variable(qk__buffer *out, const qk__task_load *task, const qk__yaml_node *key,
                              const qk__yaml_node *value)
{
    const char *text = NULL;
    if (!qk__is_variable(key->text))
        return qk__wrong_at(task->in, key,
                            "env: \"%.60s\" cannot name a variable: use letters, digits and _",
                            key->text);
    if (value->type == QK__YAML_STRING && value->length == 0)
        text = "";
    else {
        qk_status rc = qk__read_text(task->in, &text, value, key->text);
        if (rc)
            return rc;
    }
    qk__wf_put_text(out, key->text, text);
    return QK_OK;
}

/* Those of the defaults that the task does not set, then the task's. */
static qk_status put_env(qk__buffer *out, const qk__task_load *task)
{
    const qk__yaml_node *own = qk__yaml_get(task->map, "env", NULL);
    const qk__yaml_node *all =
        task->in->defaults ? qk__yaml_get(task->in->defaults, "env", NULL) : NULL;
    const qk__yaml_node *const maps[] = { all, own };
    qk_status rc = QK_OK;
    if (!own && !all)
        return QK_OK;
    qk__wf_put_key(out, "env");
    qk__buffer_text(out, "{");
    for (size_t m = 0; !rc && m < 2; m++) {
        if (maps[m] && maps[m]->type != QK__YAML_MAP)
            return qk__wrong_type(task->in, maps[m], "env", "a map of names and values");
        for (size_t i = 0; !rc && maps[m] && i < maps[m]->count; i++) {
            const qk__yaml_node *key = maps[m]->items[2 * i];
            if (m == 1 || !own || !qk__yaml_get(own, key->text, NULL))
                rc = put_variable(out, task, key, maps[m]->items[2 * i + 1]);
        }
    }
    qk__buffer_text(out, "}");
    return rc;
}

static qk_status put_limits(qk__buffer *out, const qk__task_load *task)
{
    const qk__yaml_node *limits = qk__task_field(task->in, task->map, "limits");
    int64_t slots = 1;
    qk_status rc =
        qk__read_int(task->in, &slots, qk__yaml_get(task->map, "slots", NULL), "slots", 1, 1000000);
    if (!rc && slots > 1) {
        qk__wf_put_key(out, "slots");
        qk__buffer_printf(out, "%lld", (long long)slots);
    }
    if (rc || !limits)
        return rc;
    rc = qk__read_map(task->in, limits, "limits", &qk__keys_limits);
    qk__wf_put_key(out, "limits");
    qk__buffer_text(out, "{");
    for (size_t i = 0; !rc && i < limits->count; i++) {
        const char *key = limits->items[2 * i]->text;
        bool bytes = strcmp(key, "memory") == 0 || strcmp(key, "file_size") == 0;
        int64_t number = 0;
        rc = qk__read_int(task->in, &number, limits->items[2 * i + 1], key, 1,
                          bytes ? INT64_MAX : INT32_MAX);
        qk__wf_put_key(out, key);
        qk__buffer_printf(out, "%lld", (long long)number);
    }
    qk__buffer_text(out, "}");
    return rc;
}

/* The shell's own arguments: text is the program, to which -e and -c are added. */
static qk_status put_shell(qk__buffer *out, const qk__task_load *task)
{
    const qk__yaml_node *node = qk__task_field(task->in, task->map, "shell");
    qk__texts shell = { NULL, 0 };
    qk_status rc = qk__read_texts(task->in, &shell, node, "shell");
    if (rc)
        return rc;
    if (node && shell.count == 0)
        return qk__wrong_type(task->in, node, "shell", "a program, or a list of arguments");
    if (shell.count == 0)
        qk__buffer_text(out, "\"/bin/sh\",");
    for (size_t i = 0; i < shell.count; i++) {
        qk__buffer_json_string(out, shell.items[i], strlen(shell.items[i]));
        qk__buffer_text(out, ",");
    }
    if (!node || node->type != QK__YAML_LIST)
        qk__buffer_text(out, "\"-e\",\"-c\",");
    return QK_OK;
}

static qk_status put_argv(qk__buffer *out, const qk__task_load *task)
{
    const qk__yaml_node *node = task->work_node;
    const char *line = NULL;
    qk__texts words;
    qk_status rc;
    qk__wf_put_key(out, "argv");
    if (node->type != QK__YAML_LIST) {
        qk__buffer_text(out, "[");
        rc = qk__read_text(task->in, &line, node, "run");
        if (!rc)
            rc = put_shell(out, task);
        if (!rc)
            qk__buffer_json_string(out, line, strlen(line));
        qk__buffer_text(out, "]");
        return rc;
    }
    rc = qk__read_texts(task->in, &words, node, "run");
    if (!rc && words.count == 0)
        rc = qk__wrong_type(task->in, node, "run", "a shell line, or a list of arguments");
    for (size_t i = 0; !rc && i < words.count; i++) {
        qk__buffer_text(out, i ? "," : "[");
        qk__buffer_json_string(out, words.items[i], strlen(words.items[i]));
    }
    qk__buffer_text(out, "]");
    return rc;
}

static qk_status load_run(qk__task_load *task, qk__buffer *out)
{
    qk_status rc = put_argv(out, task);
    if (!rc)
        rc = put_cwd(out, task);
    if (!rc)
        rc = put_env(out, task);
    if (!rc)
        rc = put_limits(out, task);
    put_workflow(out, task);
    task->kind = "command";
    return rc;
}

static qk_status put_database(qk__buffer *out, const qk__task_load *task)
{
    const char *text = NULL;
    const char *path = task->in->out->database;
    qk_status rc =
        qk__read_text(task->in, &text, qk__task_field(task->in, task->map, "database"), "database");
    if (!rc && text)
        rc = qk__absolute(task->in, &path, text);
    if (!rc)
        qk__wf_put_text(out, "database", path);
    return rc;
}

static qk_status load_sql(qk__task_load *task, qk__buffer *out)
{
    const char *text = NULL;
    qk_status rc = qk__read_text(task->in, &text, task->work_node, "sql");
    qk__wf_put_text(out, "sql", text);
    if (!rc)
        rc = put_database(out, task);
    if (!rc)
        rc = put_cwd(out, task);
    if (!rc)
        rc = put_env(out, task);
    if (!rc)
        rc = put_limits(out, task);
    put_workflow(out, task);
    task->kind = "sql";
    return rc;
}

static qk_status load_kind(qk__task_load *task)
{
    static const char *const taken[] = { "command", "sql", "dag", "foreach" };
    const qk__yaml_node *payload = qk__yaml_get(task->map, "payload", NULL);
    qk_status rc = qk__read_text(task->in, &task->kind, task->work_node, "kind");
    for (size_t i = 0; !rc && i < 4; i++) {
        if (strcmp(task->kind, taken[i]) == 0)
            rc = qk__wrong_at(task->in, task->work_node,
                              "kind: \"%s\" is built in: use run, sql, dag or foreach", taken[i]);
    }
    if (!rc && payload)
        rc = qk__yaml_json(task->in, &task->payload, payload);
    return rc;
}

qk_status qk__load_work(qk__task_load *task)
{
    qk__buffer out;
    if (task->work == QK__WORK_KIND)
        return load_kind(task);
    qk__buffer_init(&out, QK__WORKFLOW_TEXT_MAX);
    qk__buffer_text(&out, "{");
    qk_status rc = task->work == QK__WORK_RUN ? load_run(task, &out) : load_sql(task, &out);
    qk__buffer_text(&out, "}");
    if (rc)
        qk__buffer_dispose(&out);
    return rc ? rc : qk__keep_buffer(task->in, &task->payload, &out);
}

static qk_status put_over(qk__buffer *out, const qk__task_load *task, const qk__yaml_node *over)
{
    const char *text = NULL;
    if (over->type == QK__YAML_LIST) {
        qk__wf_put_key(out, "items");
        qk__wf_put_json(out, over);
        return QK_OK;
    }
    qk_status rc = over->type == QK__YAML_STRING
                       ? qk__read_text(task->in, &text, over, "foreach")
                       : qk__wrong_type(task->in, over, "foreach",
                                        "a list, ${…} of an upstream result, or SQL");
    if (rc)
        return rc;
    qk__wf_put_text(out, "sql", text);
    rc = put_database(out, task);
    if (!rc)
        rc = put_cwd(out, task);
    put_workflow(out, task);
    return rc;
}

/* Options that each item's job gets; the node's own job only makes them. */
static void put_job(qk__buffer *out, const qk_job_options *job)
{
    qk__wf_put_key(out, "job");
    qk__buffer_printf(out, "{\"max_attempts\":%d", job->max_attempts);
    if (job->max_lost)
        qk__buffer_printf(out, ",\"max_lost\":%d", job->max_lost);
    if (job->timeout.us == QK_FOREVER_US)
        qk__buffer_text(out, ",\"timeout\":\"none\"");
    else if (job->timeout.us)
        qk__buffer_printf(out, ",\"timeout_seconds\":%lld.%06lld",
                          (long long)(job->timeout.us / 1000000),
                          (long long)(job->timeout.us % 1000000));
    qk__buffer_text(out, "}");
}

qk_status qk__load_foreach(qk__task_load *task, const qk__yaml_node *over)
{
    qk__buffer out;
    qk__buffer_init(&out, QK__WORKFLOW_TEXT_MAX);
    qk__buffer_text(&out, "{\"over\":{");
    qk_status rc = put_over(&out, task, over);
    qk__buffer_text(&out, "}");
    qk__wf_put_text(&out, "kind", task->kind);
    qk__wf_put_key(&out, "payload");
    qk__buffer_text(&out, task->payload ? task->payload : "null");
    put_job(&out, &task->job);
    qk__buffer_text(&out, "}");
    if (rc) {
        qk__buffer_dispose(&out);
        return rc;
    }
    task->kind = "foreach";
    return qk__keep_buffer(task->in, &task->payload, &out);
}
