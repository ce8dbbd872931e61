/*
 * Values for expressions; see values.h. Everything is fetched when an expression first asks for it.
 */
#include "worker/values.h"

#include <stdlib.h>
#include <string.h>

#include "util/buffer.h"
#include "util/error.h"
#include "util/time_text.h"

static const char *failed(qk__values *values, qk_status rc)
{
    if (values->rc == QK_OK)
        values->rc = rc;
    return NULL;
}

static const char *result_of(void *user, size_t *length, const char *node)
{
    qk__values *values = user;
    const char *text = NULL;
    qk_error err = QK_ERROR_INIT;
    qk_status rc = qk_task_upstream(&text, values->task, node, &err);
    if (rc != QK_OK && rc != QK_ENOTFOUND && rc != QK_ESTATE) {
        if (values->rc == QK_OK)
            values->err = err;
        return failed(values, rc);
    }
    *length = text ? strlen(text) : 0;
    return text;
}

static bool status_of(void *user, qk_job_status *out, const char *node)
{
    qk__values *values = user;
    qk_error err = QK_ERROR_INIT;
    qk_status rc = qk__task_status(out, values->task, node, &err);
    if (rc != QK_OK && rc != QK_ENOTFOUND) {
        if (values->rc == QK_OK)
            values->err = err;
        failed(values, rc);
    }
    return rc == QK_OK;
}

static bool need_info(qk__values *values)
{
    qk_id run = values->task->claim->run_id;
    if (values->info || qk_id_is_none(run))
        return values->info != NULL;
    qk_status rc = qk__run_info_get(&values->info, values->task->slot->pool, run, &values->err);
    if (rc != QK_OK)
        failed(values, rc);
    return rc == QK_OK;
}

static void put(qk__buffer *out, const char *key, const char *text)
{
    qk__buffer_printf(out, "%s\"%s\":", out->length > 1 ? "," : "", key);
    if (text)
        qk__buffer_json_string(out, text, strlen(text));
    else
        qk__buffer_text(out, "null");
}

static const char *about_run(qk__values *values)
{
    char id[QK_ID_TEXT_SIZE], time[QK__TIME_TEXT_SIZE];
    const qk_claimed *claim = values->task->claim;
    qk__buffer out;
    if (values->about_run || !need_info(values))
        return values->about_run;
    const qk__run_info *info = values->info;
    qk__buffer_init(&out, SIZE_MAX / 2);
    qk__buffer_text(&out, "{");
    put(&out, "id", qk_id_format(id, claim->run_id));
    put(&out, "name", info->name);
    put(&out, "job", qk_id_format(id, claim->lease.job));
    put(&out, "node", claim->node_name);
    put(&out, "created_at", qk__time_format(time, info->created_at));
    put(&out, "scheduled_for", qk__time_format(time, info->scheduled_for));
    put(&out, "trigger", info->trigger);
    qk__buffer_printf(&out, ",\"attempt\":%d}", (int)claim->lease.attempt);
    values->about_run = qk__buffer_take(&out);
    return values->about_run ? values->about_run : failed(values, QK_ENOMEM);
}

/* The value of a variable of the pool's environment; NULL: it is not set. */
static const char *variable(const qk_worker *pool, const char *name, size_t length)
{
    for (char **var = pool->environment; var && *var; var++) {
        if (strncmp(*var, name, length) == 0 && (*var)[length] == '=')
            return *var + length + 1;
    }
    return NULL;
}

static bool put_variables(qk__buffer *out, const qk__values *values, const char *key)
{
    qk__json_span list, item;
    if (!values->workflow.length || !qk__json_find(&list, values->workflow, key, strlen(key)) ||
        *list.at != '[')
        return true;
    qk__json_walk walk = qk__json_enter(list);
    while (qk__json_element(&walk, &item)) {
        if (*item.at != '"')
            continue;
        char *name = malloc(item.length);
        if (!name)
            return false;
        size_t length = qk__json_decode(name, item);
        const char *value = variable(values->task->slot->pool, name, length);
        if (value) {
            qk__buffer_text(out, out->length > 1 ? "," : "");
            qk__buffer_json_string(out, name, length);
            qk__buffer_text(out, ":");
            qk__buffer_json_string(out, value, strlen(value));
        }
        free(name);
    }
    return true;
}

static const char *environment(qk__values *values)
{
    qk__buffer out;
    if (values->environment)
        return values->environment;
    qk__buffer_init(&out, SIZE_MAX / 2);
    qk__buffer_text(&out, "{");
    if (put_variables(&out, values, "secrets") && put_variables(&out, values, "environment") &&
        qk__buffer_text(&out, "}"))
        values->environment = qk__buffer_take(&out);
    qk__buffer_dispose(&out);
    return values->environment ? values->environment : failed(values, QK_ENOMEM);
}

static const char *context_of(void *user, size_t *length, qk__context context)
{
    qk__values *values = user;
    const char *text = NULL;
    qk__json_span item;
    switch (context) {
    case QK__CONTEXT_PARAMS:
        text = need_info(values) ? values->info->params : NULL;
        break;
    case QK__CONTEXT_RUN:
        text = about_run(values);
        break;
    case QK__CONTEXT_ENV:
        text = environment(values);
        break;
    case QK__CONTEXT_ITEM:
        if (!values->workflow.length || !qk__json_find(&item, values->workflow, "item", 4))
            return NULL;
        *length = item.length;
        return item.at;
    }
    *length = text ? strlen(text) : 0;
    return text;
}

void qk__values_init(qk__values *values, qk_task *task, qk__json_span workflow)
{
    *values = (qk__values){ .task = task, .workflow = workflow, .err = QK_ERROR_INIT };
    values->source = (qk__condition_source){ result_of, status_of, context_of, values };
}

void qk__values_dispose(qk__values *values)
{
    qk__run_info_drop(values->info);
    free(values->about_run);
    free(values->environment);
}

qk_status qk__values_check(const qk__values *values, qk_status rc, qk_error *err)
{
    if (values->rc == QK_OK)
        return rc;
    if (values->rc == QK_ENOMEM)
        return qk__error(err, QK_ENOMEM, "out of memory for the values of a task");
    return qk__error(err, values->rc, "%s", values->err.message);
}

qk__json_span qk__values_find(const char *payload, size_t length)
{
    qk__json_span found = { NULL, 0 };
    qk__json_span whole = qk__json_whole(payload, length);
    if (*whole.at != '{' || !qk__json_find(&found, whole, "workflow", 8) || *found.at != '{')
        found.length = 0;
    return found;
}
