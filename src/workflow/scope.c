/*
 * Checks of expressions against what their task can know; see scope.h.
 */
#include "workflow/scope.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "dag/names.h"
#include "dag/template.h"
#include "util/error.h"

typedef struct spot {
    const qk__scope *scope;
    const qk__yaml_node *node;
    size_t offset; /* of the expression */
} spot;

static qk_status wrong(const spot *at, size_t where, const char *format, ...) QK_PRINTF(3, 4);

static qk_status wrong(const spot *at, size_t where, const char *format, ...)
{
    char text[QK_ERROR_MESSAGE_SIZE];
    const qk__loading *in = at->scope->task->in;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    qk__place place = qk__yaml_place(&in->tree, at->node, at->offset + where);
    return qk__wrong(in, place, QK_EINVAL, "%s", text);
}

static bool is_in(const qk__texts *texts, const char *name)
{
    for (size_t i = 0; i < texts->count; i++) {
        if (strcmp(texts->items[i], name) == 0)
            return true;
    }
    return false;
}

static qk_status check_node(const spot *at, const qk__reference *reference)
{
    char hint[320];
    const qk__task_load *task = at->scope->task;
    const qk__loading *in = task->in;
    if (is_in(&task->needs, reference->node))
        return QK_OK;
    if (qk__is_task(in, reference->node))
        return wrong(at, reference->where,
                     "task \"%.60s\" is not among what \"%.60s\" needs: add it there",
                     reference->node, task->key->text);
    const char *nearest = qk__nearest(task->needs.items, task->needs.count, reference->node);
    return wrong(at, reference->where, "no task \"%.60s\": %s", reference->node,
                 nearest ? qk__suggest(hint, reference->node, task->needs.items, task->needs.count)
                         : qk__suggest(hint, reference->node, in->task_names, in->task_count));
}

static qk_status check_param(const spot *at, const qk__reference *reference)
{
    char hint[320];
    const char *names[64];
    const qk_workflow *out = at->scope->task->in->out;
    size_t count = out->param_count < 64 ? out->param_count : 64;
    if (!reference->key)
        return QK_OK;
    for (size_t i = 0; i < out->param_count; i++) {
        if (strcmp(out->params[i].open.name, reference->key) == 0)
            return QK_OK;
    }
    for (size_t i = 0; i < count; i++)
        names[i] = out->params[i].open.name;
    return wrong(at, reference->where, "no param \"%.60s\": %s", reference->key,
                 qk__suggest(hint, reference->key, names, count));
}

static qk_status check_run(const spot *at, const qk__reference *reference)
{
    char hint[320];
    size_t count = at->scope->claimed ? 2 : qk__run_field_count;
    for (size_t i = 0; reference->key && i < count; i++) {
        if (strcmp(qk__run_fields[i], reference->key) == 0)
            return QK_OK;
    }
    if (!reference->key)
        return wrong(at, reference->where, "run alone is no value: use run.id, say");
    return wrong(at, reference->where, "run has no \"%.60s\" here: %s", reference->key,
                 qk__suggest(hint, reference->key, qk__run_fields, count));
}

static qk_status check_env(const spot *at, const qk__reference *reference)
{
    const qk_workflow *out = at->scope->task->in->out;
    if (at->scope->no_env)
        return wrong(at, reference->where,
                     "env is not known here, where values are stored: use it in run, sql or env");
    if (!reference->key)
        return wrong(at, reference->where, "env alone is no value: name a variable, as env.HOME");
    if (is_in(&out->secrets, reference->key) || is_in(&out->environment, reference->key))
        return QK_OK;
    return wrong(at, reference->where,
                 "env.%.60s is not allowed: list %.60s under secrets or environment of the file",
                 reference->key, reference->key);
}

static qk_status check_reference(const spot *at, const qk__reference *reference)
{
    if (reference->node)
        return check_node(at, reference);
    switch (reference->context) {
    case QK__CONTEXT_PARAMS:
        return check_param(at, reference);
    case QK__CONTEXT_RUN:
        return check_run(at, reference);
    case QK__CONTEXT_ENV:
        return check_env(at, reference);
    case QK__CONTEXT_ITEM:
        break;
    }
    if (!at->scope->no_item && qk__yaml_get(at->scope->task->map, "foreach", NULL))
        return QK_OK;
    return wrong(at, reference->where,
                 at->scope->no_item ? "item is not known here, before the items are made"
                                    : "there is no item here: the task has no foreach");
}

qk_status qk__scope_check(const qk__scope *scope, const qk__yaml_node *node, size_t offset,
                          const char *text, size_t length)
{
    spot at = { scope, node, offset };
    qk__condition *parsed = NULL;
    qk__reference reference;
    qk_error problem = QK_ERROR_INIT;
    size_t where = 0;
    qk_status rc = qk__condition_parse_at(&parsed, &where, text, length, &problem);
    if (rc == QK_ENOMEM)
        return qk__loading_no_memory(scope->task->in);
    if (rc)
        return wrong(&at, where, "%s", problem.message);
    size_t next = 0;
    while (!rc && qk__condition_next_reference(&reference, parsed, &next))
        rc = check_reference(&at, &reference);
    qk__condition_free(parsed);
    return rc;
}

qk_status qk__scope_value(qk__scope *scope, size_t *index, const qk__yaml_node *node, size_t offset,
                          const char *text, size_t length)
{
    qk__arena *arena = &scope->task->in->out->arena;
    qk_status rc = qk__scope_check(scope, node, offset, text, length);
    if (rc)
        return rc;
    for (*index = 0; *index < scope->count; ++*index) {
        const char *known = scope->values[*index];
        if (strlen(known) == length && memcmp(known, text, length) == 0)
            return QK_OK;
    }
    if (scope->count == scope->capacity) {
        size_t capacity = scope->capacity * 2 + 4;
        const char **grown = qk__arena_take(arena, capacity * sizeof(*grown));
        if (!grown)
            return qk__loading_no_memory(scope->task->in);
        if (scope->count)
            memcpy(grown, scope->values, scope->count * sizeof(*grown));
        scope->values = grown;
        scope->capacity = capacity;
    }
    scope->values[scope->count] = qk__arena_text(arena, text, length);
    return scope->values[scope->count++] ? QK_OK : qk__loading_no_memory(scope->task->in);
}

static qk_status check_text(const qk__scope *scope, const qk__yaml_node *node)
{
    qk__piece piece;
    size_t at = 0;
    qk_status rc = QK_OK;
    while (!rc && qk__template_next(&piece, node->text, node->length, &at)) {
        if (piece.is_expression)
            rc = qk__scope_check(scope, node, (size_t)(piece.at - node->text), piece.at,
                                 piece.length);
    }
    return rc;
}

qk_status qk__scope_check_all(const qk__scope *scope, const qk__yaml_node *node)
{
    qk_status rc = QK_OK;
    if (node->type == QK__YAML_STRING)
        return check_text(scope, node);
    for (size_t i = 0; !rc && node->type == QK__YAML_LIST && i < node->count; i++)
        rc = qk__scope_check_all(scope, node->items[i]);
    for (size_t i = 0; !rc && node->type == QK__YAML_MAP && i < node->count; i++)
        rc = qk__scope_check_all(scope, node->items[2 * i + 1]);
    return rc;
}

bool qk__has_template(const qk__yaml_node *node)
{
    bool any = node->type == QK__YAML_STRING && qk__template_has_any(node->text, node->length);
    for (size_t i = 0; !any && node->type == QK__YAML_LIST && i < node->count; i++)
        any = qk__has_template(node->items[i]);
    for (size_t i = 0; !any && node->type == QK__YAML_MAP && i < node->count; i++)
        any = qk__has_template(node->items[2 * i + 1]);
    return any;
}
