/*
 * Params of a workflow: what the file declares, and the values of this run; see loading.h.
 *
 *   day: "2026-11-01"                       a default, whose type is the param's
 *   rows: {type: integer, default: 10, description: …, choices: [10, 20]}
 *   user:                                   text that must be given
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "util/error.h"
#include "util/json.h"
#include "util/json_walk.h"
#include "workflow/give.h"
#include "workflow/scope.h"

static const char *const type_names[] = {
    "string", "integer", "number", "boolean", "list", "object"
};
#define TYPES (sizeof(type_names) / sizeof(type_names[0]))

const char *qk_param_type_name(qk_param_type type)
{
    return (size_t)type < TYPES ? type_names[type] : NULL;
}

static qk_param_type type_of(const qk__yaml_node *node)
{
    static const qk_param_type types[] = {
        [QK__YAML_NULL] = QK_PARAM_STRING,   [QK__YAML_BOOL] = QK_PARAM_BOOLEAN,
        [QK__YAML_INT] = QK_PARAM_INTEGER,   [QK__YAML_FLOAT] = QK_PARAM_NUMBER,
        [QK__YAML_STRING] = QK_PARAM_STRING, [QK__YAML_LIST] = QK_PARAM_LIST,
        [QK__YAML_MAP] = QK_PARAM_OBJECT,
    };
    return types[node->type];
}

/* `place` is blamed; JSON text of the value. */
static qk_status check_value(const qk__loading *in, const qk__param *param, qk__place place,
                             const char *json)
{
    qk__json_span value = qk__json_whole(json, strlen(json));
    const qk_workflow_param *open = &param->open;
    const char *article =
        open->type == QK_PARAM_INTEGER || open->type == QK_PARAM_OBJECT ? "an" : "a";
    if (!qk__param_fits(open->type, value))
        return qk__wrong(in, place, QK_EINVAL, "param \"%.60s\": expected %s %s, not %.*s",
                         open->name, article, type_names[open->type],
                         (int)(value.length < 60 ? value.length : 60), value.at);
    if (!qk__param_is_choice(open->choices, value))
        return qk__wrong(in, place, QK_EINVAL, "param \"%.60s\": expected one of %.200s, not %.*s",
                         open->name, open->choices, (int)(value.length < 60 ? value.length : 60),
                         value.at);
    return QK_OK;
}

static qk_status read_type(const qk__loading *in, qk_workflow_param *out, const qk__yaml_node *node,
                           const qk__yaml_node *fallback)
{
    char hint[320];
    out->type = fallback ? type_of(fallback) : QK_PARAM_STRING;
    if (!node)
        return QK_OK;
    for (size_t i = 0; i < TYPES && node->text; i++) {
        if (strcmp(node->text, type_names[i]) == 0) {
            out->type = (qk_param_type)i;
            return QK_OK;
        }
    }
    if (!node->text)
        return qk__wrong_type(in, node, "type", "the name of a type");
    return qk__wrong_at(in, node, "unknown type \"%.60s\": %s", node->text,
                        qk__suggest(hint, node->text, type_names, TYPES));
}

static qk_status read_choices(const qk__loading *in, qk__param *param, const qk__yaml_node *node)
{
    qk_status rc = QK_OK;
    if (!node)
        return QK_OK;
    if (node->type != QK__YAML_LIST || node->count == 0)
        return qk__wrong_type(in, node, "choices", "a list of values");
    for (size_t i = 0; !rc && i < node->count; i++) {
        const char *json = NULL;
        rc = qk__yaml_json(in, &json, node->items[i]);
        if (!rc)
            rc = check_value(in, param, node->items[i]->place, json);
    }
    return rc ? rc : qk__yaml_json(in, &param->open.choices, node);
}

static qk_status read_long(const qk__loading *in, qk__param *param, const qk__yaml_node *node)
{
    const qk__yaml_node *fallback = qk__yaml_get(node, "default", NULL);
    qk_workflow_param *open = &param->open;
    qk_status rc = qk__read_map(in, node, open->name, &qk__keys_param);
    if (!rc)
        rc = read_type(in, open, qk__yaml_get(node, "type", NULL), fallback);
    if (!rc)
        rc = qk__read_text(in, &open->description, qk__yaml_get(node, "description", NULL),
                           "description");
    if (!rc)
        rc = read_choices(in, param, qk__yaml_get(node, "choices", NULL));
    if (!rc && fallback && fallback->type != QK__YAML_NULL)
        rc = qk__yaml_json(in, &open->fallback, fallback);
    if (!rc && open->fallback)
        rc = check_value(in, param, fallback->place, open->fallback);
    return rc;
}

static qk_status read_param(const qk__loading *in, qk__param *param, const qk__yaml_node *key,
                            const qk__yaml_node *node)
{
    param->key = key;
    param->open.name = qk__arena_text(&in->out->arena, key->text, key->length);
    if (!param->open.name)
        return qk__loading_no_memory(in);
    if (key->length == 0 || key->length > QK_NAME_MAX)
        return qk__wrong_at(in, key, "the name of a param must have 1 to %d bytes", QK_NAME_MAX);
    if (node->type == QK__YAML_MAP)
        return read_long(in, param, node);
    param->open.type = type_of(node);
    return node->type == QK__YAML_NULL ? QK_OK : qk__yaml_json(in, &param->open.fallback, node);
}

static qk__param *find_param(const qk__loading *in, const char *name, size_t length)
{
    for (size_t i = 0; i < in->out->param_count; i++) {
        const char *candidate = in->out->params[i].open.name;
        if (strlen(candidate) == length && memcmp(candidate, name, length) == 0)
            return &in->out->params[i];
    }
    return NULL;
}

static const char *suggest_param(char hint[320], const qk__loading *in, const char *name)
{
    const char *names[64];
    size_t count = in->out->param_count < 64 ? in->out->param_count : 64;
    for (size_t i = 0; i < count; i++)
        names[i] = in->out->params[i].open.name;
    return qk__suggest(hint, name, names, count);
}

static qk_status unknown_param(const qk__loading *in, const char *name)
{
    char hint[320];
    const qk__yaml_node *key = NULL;
    qk__yaml_get(in->root, "params", &key);
    return qk__wrong(in, key ? key->place : in->root->place, QK_EINVAL, "no param \"%.60s\": %s",
                     name, suggest_param(hint, in, name));
}

/* It stands in the workflow around. */
static qk_status unknown_with(const qk__loading *in, const qk__yaml_node *key)
{
    char hint[320];
    return qk__wrong_at(in->entry->outer, key, "with: \"%.60s\" has no param \"%.60s\": %s",
                        in->out->name, key->text, suggest_param(hint, in, key->text));
}

/* A text becomes the JSON of the param's type, if it can. */
static qk_status convert(const qk__loading *in, qk__param *param, const char *text)
{
    qk__buffer json;
    size_t length = strlen(text);
    qk__buffer_init(&json, QK__WORKFLOW_TEXT_MAX);
    bool plain = param->open.type != QK_PARAM_STRING && length > 0 &&
                 qk__json_check(text, length, NULL) == QK_OK;
    if (plain)
        qk__buffer_append(&json, text, length);
    else
        qk__buffer_json_string(&json, text, length);
    qk_status rc = qk__keep_buffer(in, &param->open.value, &json);
    return rc ? rc : check_value(in, param, param->key->place, param->open.value);
}

static qk_status take_texts(const qk__loading *in)
{
    qk_status rc = QK_OK;
    for (size_t i = 0; !rc && i < in->options->param_count; i++) {
        const char *given = in->options->params[i];
        const char *equals = strchr(given, '=');
        if (!equals || equals == given)
            return qk__error(in->err, QK_EINVAL, "param \"%.80s\": expected NAME=VALUE", given);
        qk__param *param = find_param(in, given, (size_t)(equals - given));
        if (param) {
            rc = convert(in, param, equals + 1);
            continue;
        }
        char name[QK_NAME_MAX + 1];
        snprintf(name, sizeof(name), "%.*s", (int)(equals - given < 200 ? equals - given : 200),
                 given);
        rc = unknown_param(in, name);
    }
    return rc;
}

static qk_status take_member(const qk__loading *in, qk__json_span key, qk__json_span value)
{
    char *name = qk__arena_take(&in->out->arena, key.length);
    if (!name)
        return qk__loading_no_memory(in);
    qk__param *param = find_param(in, name, qk__json_decode(name, key));
    if (!param)
        return unknown_param(in, name);
    param->open.value = qk__arena_text(&in->out->arena, value.at, value.length);
    return param->open.value ? check_value(in, param, param->key->place, param->open.value)
                             : qk__loading_no_memory(in);
}

static qk_status take_json(const qk__loading *in)
{
    const char *text = in->options->params_json;
    qk__json_span key;
    qk__json_span value;
    qk_status rc = QK_OK;
    if (!text)
        return QK_OK;
    size_t length = strlen(text);
    if (qk__json_check(text, length, NULL) || text[strspn(text, " \t\r\n")] != '{')
        return qk__error(in->err, QK_EINVAL, "params_json: must be a JSON object");
    qk__json_walk walk = qk__json_enter(qk__json_whole(text, length));
    while (!rc && qk__json_member(&walk, &key, &value))
        rc = take_member(in, key, value);
    return rc;
}

/* Literal values of `with`; those with ${…} come when the sub-DAG starts. */
static qk_status take_with(const qk__loading *in)
{
    const qk__yaml_node *with = in->entry ? in->entry->with : NULL;
    qk_status rc = QK_OK;
    for (size_t i = 0; !rc && with && i < with->count; i++) {
        const qk__yaml_node *key = with->items[2 * i], *value = with->items[2 * i + 1];
        qk__param *param = find_param(in, key->text, key->length);
        if (!param)
            return unknown_with(in, key);
        param->later = qk__has_template(value);
        if (param->later)
            continue;
        rc = qk__yaml_json(in, &param->open.value, value);
        if (!rc)
            rc = check_value(in->entry->outer, param, value->place, param->open.value);
    }
    return rc;
}

/* Of a sub-DAG: its node should have given it. */
static qk_status missing(const qk__loading *in, const qk__param *param)
{
    if (in->entry)
        return qk__wrong(in->entry->outer, in->entry->place, QK_EINVAL,
                         "with: param \"%.60s\" of \"%.60s\" has no default: give it a value",
                         param->open.name, in->out->name);
    return qk__wrong_at(in, param->key, "param \"%.60s\" has no default: give it a value",
                        param->open.name);
}

/* What has no value yet gets its default; all of them as one object. */
static qk_status settle(const qk__loading *in)
{
    qk__buffer json;
    qk__buffer_init(&json, QK__WORKFLOW_TEXT_MAX);
    qk__buffer_text(&json, "{");
    for (size_t i = 0; i < in->out->param_count; i++) {
        qk_workflow_param *param = &in->out->params[i].open;
        if (!param->value && !in->out->params[i].later)
            param->value = param->fallback;
        if (!param->value && !in->options->params_optional && !in->out->params[i].later) {
            qk__buffer_dispose(&json);
            return missing(in, &in->out->params[i]);
        }
        qk__wf_put_key(&json, param->name);
        qk__buffer_text(&json, param->value ? param->value : "null");
    }
    qk__buffer_text(&json, "}");
    return qk__keep_buffer(in, &in->out->params_json, &json);
}

qk_status qk__read_params(qk__loading *in, const qk__yaml_node *node)
{
    qk_workflow *out = in->out;
    qk_status rc = QK_OK;
    size_t count = node ? node->count : 0;
    if (node && node->type != QK__YAML_MAP)
        return qk__wrong_type(in, node, "params", "a map of names and defaults");
    out->params = qk__arena_take(&out->arena, (count + 1) * sizeof(*out->params));
    if (!out->params)
        return qk__loading_no_memory(in);
    memset(out->params, 0, (count + 1) * sizeof(*out->params));
    for (size_t i = 0; !rc && i < count; i++, out->param_count++)
        rc = read_param(in, &out->params[i], node->items[2 * i], node->items[2 * i + 1]);
    if (!rc)
        rc = take_with(in);
    if (!rc)
        rc = take_json(in);
    if (!rc)
        rc = take_texts(in);
    return rc ? rc : settle(in);
}
