/*
 * One task: its keys, what it depends on, and the node it becomes; see loading.h.
 */
#include <stdlib.h>
#include <string.h>

#include "util/error.h"
#include "workflow/scope.h"

static const struct {
    const char *key;
    qk__work work;
} works[] = {
    { "run", QK__WORK_RUN },
    { "sql", QK__WORK_SQL },
    { "dag", QK__WORK_DAG },
    { "kind", QK__WORK_KIND },
};
#define WORKS (sizeof(works) / sizeof(works[0]))

/* Keys that mean something for certain work only: a bit each. */
static const struct {
    const char *key;
    unsigned works;
    const char *with;
} bound[] = {
    { "payload", 1u << QK__WORK_KIND, "kind" },
    { "with", 1u << QK__WORK_DAG, "dag" },
    { "shell", 1u << QK__WORK_RUN, "run" },
    { "env", 1u << QK__WORK_RUN | 1u << QK__WORK_SQL, "run or sql" },
    { "cwd", 1u << QK__WORK_RUN | 1u << QK__WORK_SQL, "run or sql" },
    { "slots", 1u << QK__WORK_RUN, "run" },
    { "limits", 1u << QK__WORK_RUN | 1u << QK__WORK_SQL, "run or sql" },
    { "inputs", 1u << QK__WORK_RUN | 1u << QK__WORK_SQL, "run or sql" },
    { "outputs", 1u << QK__WORK_RUN | 1u << QK__WORK_SQL, "run or sql" },
};

static qk_status find_work(qk__task_load *task)
{
    const char *first = NULL;
    for (size_t i = 0; i < WORKS; i++) {
        const qk__yaml_node *key = NULL;
        const qk__yaml_node *node = qk__yaml_get(task->map, works[i].key, &key);
        if (!node)
            continue;
        if (first)
            return qk__wrong_at(task->in, key, "task \"%.60s\" has both %s and %s: keep one",
                                task->key->text, first, works[i].key);
        first = works[i].key;
        task->work = works[i].work;
        task->work_node = node;
    }
    if (!first)
        return qk__wrong_at(task->in, task->key,
                            "task \"%.60s\" has no work: give it run, sql, dag or kind",
                            task->key->text);
    return QK_OK;
}

static qk_status check_bound(const qk__task_load *task)
{
    const qk__yaml_node *key = NULL;
    for (size_t i = 0; i < sizeof(bound) / sizeof(bound[0]); i++) {
        if (!(bound[i].works >> task->work & 1) && qk__yaml_get(task->map, bound[i].key, &key))
            return qk__wrong_at(task->in, key, "%s goes with %s only: remove it", bound[i].key,
                                bound[i].with);
    }
    if (qk__yaml_get(task->map, "database", &key) && task->work != QK__WORK_SQL &&
        !qk__yaml_get(task->map, "foreach", NULL))
        return qk__wrong_at(task->in, key, "database goes with sql or foreach only: remove it");
    static const char *const fixed[] = { "needs", "mode", "foreach" };
    for (size_t i = 0; task->role != QK__TASK_PLAIN && i < 3; i++) {
        if (qk__yaml_get(task->map, fixed[i], &key))
            return qk__wrong_at(task->in, key, "%s has no %s: remove it", task->key->text,
                                fixed[i]);
    }
    return QK_OK;
}

static int compare_name(const void *a, const void *b)
{
    return strcmp(a, *(const char *const *)b);
}

bool qk__is_task(const qk__loading *in, const char *name)
{
    return bsearch(name, in->task_names, in->task_count, sizeof(*in->task_names), compare_name);
}

static qk_status check_need(const qk__task_load *task, const char *need, const qk__yaml_node *node)
{
    char hint[320];
    qk_id id;
    const qk__loading *in = task->in;
    if (strcmp(need, task->key->text) == 0)
        return qk__wrong_at(in, node, "task \"%.60s\" needs itself: remove it", need);
    if (qk_id_parse(&id, need) == QK_OK || qk__is_task(in, need))
        return QK_OK;
    return qk__wrong_at(in, node, "needs: no task \"%.60s\": %s", need,
                        qk__suggest(hint, need, in->task_names, in->task_count));
}

static qk_status read_needs(qk__task_load *task)
{
    const qk__yaml_node *node = qk__yaml_get(task->map, "needs", NULL);
    qk_status rc = qk__read_texts(task->in, &task->needs, node, "needs");
    for (size_t i = 0; !rc && i < task->needs.count; i++)
        rc = check_need(task, task->needs.items[i],
                        node->type == QK__YAML_LIST ? node->items[i] : node);
    return rc;
}

/* on_success and on_failure stand behind every task. */
static qk_status need_all(qk__task_load *task)
{
    qk__loading *in = task->in;
    const char **items = qk__arena_take(&in->out->arena, (in->task_count + 1) * sizeof(*items));
    if (!items)
        return qk__loading_no_memory(in);
    for (size_t i = 0; i < in->task_count; i++)
        items[i] = in->out->tasks[i].name;
    task->needs = (qk__texts){ items, in->task_count };
    task->job.mode = task->role == QK__TASK_ON_SUCCESS ? QK_MODE_NONE_FAILED : QK_MODE_ONE_FAILED;
    return QK_OK;
}

static qk_status read_mode(qk__task_load *task)
{
    static const char *const modes[] = { "all", "any", "all_done", "one_failed", "none_failed" };
    char hint[320];
    const char *mode = NULL;
    const qk__yaml_node *node = qk__yaml_get(task->map, "mode", NULL);
    qk_status rc = qk__read_text(task->in, &mode, node, "mode");
    if (rc || !mode)
        return rc;
    if (qk_dependency_mode_parse(&task->job.mode, mode) == QK_OK)
        return QK_OK;
    return qk__wrong_at(task->in, node, "unknown mode \"%.60s\": %s", mode,
                        qk__suggest(hint, mode, modes, 5));
}

static qk_status add_subdag(const qk__task_load *task, const qk_node_options *options,
                            qk_error *problem)
{
    qk_dag *dag = task->in->out->dag;
    const char *name = task->key->text;
    if (task->child_file)
        return qk_dag_add_file(dag, name, task->child_file, task->payload, options, problem);
    qk_node_options with = *options;
    with.with = task->payload;
    qk_status rc = qk_dag_add_dag_take(dag, name, task->child->dag, &with, problem);
    if (!rc)
        task->child->dag = NULL;
    return rc;
}

static qk_status read_when(const qk__task_load *task, const char **out)
{
    const qk__yaml_node *node = qk__yaml_get(task->map, "when", NULL);
    const qk__scope scope = { .task = task, .no_item = true, .no_env = true, .claimed = true };
    qk_status rc = qk__read_text(task->in, out, node, "when");
    if (rc || !node)
        return rc;
    return qk__scope_check(&scope, node, 0, node->text, node->length);
}

static qk_status add_node(const qk__task_load *task)
{
    qk_node_options options = QK_NODE_OPTIONS_INIT;
    qk_error problem = QK_ERROR_INIT;
    const qk__loading *in = task->in;
    qk_status rc = read_when(task, &options.when);
    if (rc)
        return rc;
    options.job = &task->job;
    options.after = task->needs.items;
    options.after_count = task->needs.count;
    if (strcmp(task->kind, "dag") == 0)
        rc = add_subdag(task, &options, &problem);
    else
        rc = qk_dag_add(in->out->dag, task->key->text, task->kind, task->payload, &options,
                        &problem);
    return rc ? qk__wrong(in, task->key->place, rc, "%s", problem.message) : QK_OK;
}

static qk_status note(const qk__task_load *task, const char *work_kind, bool is_foreach)
{
    qk_workflow *out = task->in->out;
    qk_workflow_task *entry = &out->tasks[out->task_count];
    qk_status rc = qk__read_text(task->in, &entry->description,
                                 qk__yaml_get(task->map, "description", NULL), "description");
    entry->name = qk__arena_text(&out->arena, task->key->text, task->key->length);
    entry->kind = qk__arena_text(&out->arena, work_kind, strlen(work_kind));
    entry->is_foreach = is_foreach;
    entry->inputs = task->inputs.items;
    entry->input_count = task->inputs.count;
    entry->outputs = task->outputs.items;
    entry->output_count = task->outputs.count;
    entry->line = task->key->place.line;
    entry->column = task->key->place.column;
    if (!entry->name || !entry->kind)
        return qk__loading_no_memory(task->in);
    out->task_count++;
    return rc;
}

static qk_status read_files(const qk__task_load *task, qk__texts *out, const char *key)
{
    const qk__yaml_node *node = qk__yaml_get(task->map, key, NULL);
    const qk__scope scope = { .task = task };
    qk_status rc = qk__read_texts(task->in, out, node, key);
    return rc || !node ? rc : qk__scope_check_all(&scope, node);
}

static qk_status load(qk__task_load *task)
{
    const qk__yaml_node *over = NULL;
    qk_status rc = qk__read_map(task->in, task->map, task->key->text, &qk__keys_task);
    if (!rc)
        rc = find_work(task);
    if (!rc)
        rc = check_bound(task);
    if (!rc)
        rc = qk__read_job_options(task->in, &task->job, task->map);
    if (!rc)
        rc = task->role == QK__TASK_PLAIN ? read_needs(task) : need_all(task);
    if (!rc)
        rc = read_mode(task);
    if (!rc)
        rc = read_files(task, &task->inputs, "inputs");
    if (!rc)
        rc = read_files(task, &task->outputs, "outputs");
    if (!rc)
        rc = task->work == QK__WORK_DAG ? qk__load_subdag(task) : qk__load_work(task);
    if (rc)
        return rc;
    over = qk__yaml_get(task->map, "foreach", NULL);
    const char *work_kind = task->kind;
    if (over)
        rc = qk__load_foreach(task, over);
    if (!rc)
        rc = add_node(task);
    return rc ? rc : note(task, work_kind, over != NULL);
}

qk_status qk__load_task(qk__loading *in, const qk__yaml_node *key, const qk__yaml_node *map,
                        qk__task_role role)
{
    qk__task_load task = {
        .in = in, .key = key, .map = map, .role = role, .job = QK_JOB_OPTIONS_INIT
    };
    qk_status rc = load(&task);
    qk_workflow_free(task.child);
    return rc;
}
