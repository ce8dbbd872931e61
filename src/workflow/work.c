/*
 * Payloads: what a task does, as its job carries it. queuack/workflow.h says what they look like.
 */
#include <string.h>

#include "dag/template.h"
#include "workflow/scope.h"

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

/* {…}; always there, so that whoever runs the task knows the file. */
static void put_workflow(qk__buffer *out, const qk__scope *scope, bool argv)
{
    const qk__task_load *task = scope->task;
    const qk_workflow *workflow = task->in->out;
    const qk__texts values = { scope->values, scope->count };
    qk__buffer_text(out, "{");
    qk__wf_put_text(out, "file", workflow->file);
    put_texts(out, "values", &values);
    if (argv) {
        qk__wf_put_key(out, "argv");
        qk__buffer_text(out, "true");
    }
    put_texts(out, "secrets", &workflow->secrets);
    put_texts(out, "environment", &workflow->environment);
    if (!scope->no_item) { /* of the work, not of what makes its items */
        put_texts(out, "inputs", &task->inputs);
        put_texts(out, "outputs", &task->outputs);
    }
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

static qk_status put_variable(qk__buffer *out, const qk__scope *scope, const qk__yaml_node *key,
                              const qk__yaml_node *value)
{
    const char *text = NULL;
    const qk__task_load *task = scope->task;
    if (!qk__is_variable(key->text))
        return qk__wrong_at(task->in, key,
                            "env: \"%.60s\" cannot name a variable: use letters, digits and _",
                            key->text);
    if (value->type == QK__YAML_STRING && value->length == 0)
        text = "";
    else {
        qk_status rc = qk__read_text(task->in, &text, value, key->text);
        if (!rc)
            rc = qk__scope_check_all(scope, value);
        if (rc)
            return rc;
    }
    qk__wf_put_text(out, key->text, text);
    return QK_OK;
}

/* Those of the defaults that the task does not set, then the task's. */
static qk_status put_env(qk__buffer *out, const qk__scope *scope)
{
    const qk__task_load *task = scope->task;
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
                rc = put_variable(out, scope, key, maps[m]->items[2 * i + 1]);
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
static qk_status put_shell(qk__buffer *out, const char **program, const qk__task_load *task)
{
    const qk__yaml_node *node = qk__task_field(task->in, task->map, "shell");
    qk__texts shell = { NULL, 0 };
    qk_status rc = qk__read_texts(task->in, &shell, node, "shell");
    if (rc)
        return rc;
    if (node && shell.count == 0)
        return qk__wrong_type(task->in, node, "shell", "a program, or a list of arguments");
    *program = shell.count ? shell.items[0] : "/bin/sh";
    qk__buffer_json_string(out, *program, strlen(*program));
    for (size_t i = 1; i < shell.count; i++) {
        qk__buffer_text(out, ",");
        qk__buffer_json_string(out, shell.items[i], strlen(shell.items[i]));
    }
    if (!node || node->type != QK__YAML_LIST)
        qk__buffer_text(out, ",\"-e\",\"-c\"");
    return QK_OK;
}

static qk_status put_line(qk__buffer *out, qk__scope *scope, const qk__yaml_node *node)
{
    const char *text = NULL;
    const char *shell = NULL;
    qk__buffer line;
    qk_status rc = qk__read_text(scope->task->in, &text, node, "run");
    qk__buffer_text(out, "[");
    if (!rc)
        rc = put_shell(out, &shell, scope->task);
    if (rc)
        return rc;
    qk__buffer_init(&line, QK__WORKFLOW_TEXT_MAX);
    rc = qk__compile_shell(&line, scope, node, shell);
    if (!rc && line.failed)
        rc = qk__loading_no_memory(scope->task->in);
    qk__buffer_text(out, ",");
    qk__buffer_json_string(out, line.data ? line.data : "", line.length);
    qk__buffer_text(out, "]");
    qk__buffer_dispose(&line);
    return rc;
}

/* [sh, -c, "… ${…}"]: there the value would be part of a command. */
static qk_status check_script(const qk__scope *scope, const qk__yaml_node *words)
{
    bool script = false;
    if (!qk__is_shell(words->items[0]->text))
        return QK_OK;
    for (size_t i = 1; i < words->count; i++) {
        const char *word = words->items[i]->text;
        bool option = (word[0] == '-' || word[0] == '+') && word[1] != '\0';
        script = script || (option && word[1] != '-' && strchr(word, 'c'));
        if (option)
            continue;
        if (script && qk__has_template(words->items[i]))
            return qk__wrong_at(
                scope->task->in, words->items[i],
                "run: ${…} cannot stand in a shell's script, where it would be read "
                "as code: write run as a line, or pass it as a further argument");
        break;
    }
    return QK_OK;
}

static qk_status put_words(qk__buffer *out, qk__scope *scope, const qk__yaml_node *node)
{
    qk__texts words;
    qk_status rc = qk__read_words(scope->task->in, &words, node);
    if (!rc)
        rc = check_script(scope, node);
    if (!rc)
        rc = qk__scope_check_all(scope, node);
    for (size_t i = 0; !rc && i < words.count; i++) {
        qk__buffer_text(out, i ? "," : "[");
        qk__buffer_json_string(out, words.items[i], strlen(words.items[i]));
    }
    qk__buffer_text(out, "]");
    return rc;
}

static qk_status load_run(qk__task_load *task, qk__buffer *out)
{
    const qk__yaml_node *node = task->work_node;
    bool words = node->type == QK__YAML_LIST;
    qk__scope scope = { .task = task };
    task->kind = "command";
    qk__wf_put_key(out, "argv");
    qk_status rc = words ? put_words(out, &scope, node) : put_line(out, &scope, node);
    if (!rc)
        rc = put_cwd(out, task);
    if (!rc)
        rc = put_env(out, &scope);
    if (!rc)
        rc = put_limits(out, task);
    qk__wf_put_key(out, "workflow");
    put_workflow(out, &scope, words && qk__has_template(node));
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

static qk_status put_sql(qk__buffer *out, qk__scope *scope, const qk__yaml_node *node,
                         const char *key)
{
    const char *text = NULL;
    qk__buffer sql;
    qk_status rc = qk__read_text(scope->task->in, &text, node, key);
    if (rc)
        return rc;
    qk__buffer_init(&sql, QK__WORKFLOW_TEXT_MAX);
    rc = qk__compile_sql(&sql, scope, node);
    if (!rc && sql.failed)
        rc = qk__loading_no_memory(scope->task->in);
    if (!rc)
        qk__wf_put_text(out, "sql", sql.data);
    qk__buffer_dispose(&sql);
    if (!rc)
        rc = put_database(out, scope->task);
    return rc ? rc : put_cwd(out, scope->task);
}

static qk_status load_sql(qk__task_load *task, qk__buffer *out)
{
    qk__scope scope = { .task = task };
    qk_status rc = put_sql(out, &scope, task->work_node, "sql");
    task->kind = "sql";
    if (!rc)
        rc = put_limits(out, task);
    qk__wf_put_key(out, "workflow");
    put_workflow(out, &scope, false);
    return rc;
}

/* With ${…} in it the payload is wrapped, so that the worker knows to look. */
static qk_status put_payload(qk__task_load *task, const qk__yaml_node *payload)
{
    qk__scope scope = { .task = task };
    qk__buffer out;
    qk_status rc = qk__scope_check_all(&scope, payload);
    if (rc)
        return rc;
    if (!qk__has_template(payload) && !qk__yaml_get(task->map, "foreach", NULL))
        return qk__yaml_json(task->in, &task->payload, payload);
    qk__buffer_init(&out, QK__WORKFLOW_TEXT_MAX);
    qk__buffer_text(&out, "{\"$workflow\":");
    put_workflow(&out, &scope, false);
    qk__wf_put_key(&out, "payload");
    qk__wf_put_json(&out, payload);
    qk__buffer_text(&out, "}");
    return qk__keep_buffer(task->in, &task->payload, &out);
}

static qk_status load_kind(qk__task_load *task)
{
    static const qk__yaml_node nothing = { .type = QK__YAML_NULL };
    static const char *const taken[] = { "command", "sql", "dag", "foreach" };
    const qk__yaml_node *payload = qk__yaml_get(task->map, "payload", NULL);
    qk_status rc = qk__read_text(task->in, &task->kind, task->work_node, "kind");
    for (size_t i = 0; !rc && i < 4; i++) {
        if (strcmp(task->kind, taken[i]) == 0)
            rc = qk__wrong_at(task->in, task->work_node,
                              "kind: \"%s\" is built in: use run, sql, dag or foreach", taken[i]);
    }
    if (rc || (!payload && !qk__yaml_get(task->map, "foreach", NULL)))
        return rc;
    return put_payload(task, payload ? payload : &nothing);
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
    qk__scope scope = { .task = task, .no_item = true };
    if (over->type == QK__YAML_LIST) {
        qk__wf_put_key(out, "items");
        qk__wf_put_json(out, over);
        return QK_OK;
    }
    if (over->type != QK__YAML_STRING)
        return qk__wrong_type(task->in, over, "foreach",
                              "a list, ${…} of an upstream result, or SQL");
    size_t span = qk__template_span(over->text, over->length);
    if (span && span == over->length) {
        qk__wf_put_key(out, "value");
        qk__buffer_json_string(out, over->text + 2, span - 3);
        return qk__scope_check(&scope, over, 2, over->text + 2, span - 3);
    }
    qk_status rc = put_sql(out, &scope, over, "foreach");
    qk__wf_put_key(out, "workflow");
    put_workflow(out, &scope, false);
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
