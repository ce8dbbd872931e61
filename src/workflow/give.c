/*
 * Params given to a sub-DAG when it starts; see give.h. One thread per DAG.
 */
#include "workflow/give.h"

#include <stdlib.h>
#include <string.h>

#include "dag/graph.h"
#include "util/buffer.h"
#include "util/error.h"

bool qk__param_fits(qk_param_type type, qk__json_span value)
{
    bool number = *value.at == '-' || (*value.at >= '0' && *value.at <= '9');
    switch (type) {
    case QK_PARAM_STRING:
        return *value.at == '"';
    case QK_PARAM_INTEGER:
        return number && !memchr(value.at, '.', value.length) &&
               !memchr(value.at, 'e', value.length) && !memchr(value.at, 'E', value.length);
    case QK_PARAM_NUMBER:
        return number;
    case QK_PARAM_BOOLEAN:
        return *value.at == 't' || *value.at == 'f';
    case QK_PARAM_LIST:
        return *value.at == '[';
    case QK_PARAM_OBJECT:
        return *value.at == '{';
    }
    return false;
}

bool qk__param_is_choice(const char *choices, qk__json_span value)
{
    qk__json_span item;
    if (!choices)
        return true;
    qk__json_walk walk = qk__json_enter(qk__json_whole(choices, strlen(choices)));
    while (qk__json_element(&walk, &item)) {
        if (item.length == value.length && memcmp(item.at, value.at, item.length) == 0)
            return true;
    }
    return false;
}

/* What the metadata says of a param; false: nothing. */
static bool declared(qk__json_span *out, const qk_dag *dag, qk__json_span key)
{
    qk__json_span at;
    if (!dag->metadata)
        return false;
    at = qk__json_whole(dag->metadata, strlen(dag->metadata));
    qk__json_walk walk;
    qk__json_span name;
    if (!qk__json_find(&at, at, "workflow", 8) || *at.at != '{' ||
        !qk__json_find(&at, at, "params", 6) || *at.at != '{')
        return false;
    walk = qk__json_enter(at);
    while (qk__json_member(&walk, &name, out)) {
        if (name.length == key.length && memcmp(name.at, key.at, key.length) == 0)
            return *out->at == '{';
    }
    return false;
}

static bool choice_in(qk__json_span declaration, qk__json_span value)
{
    qk__json_span choices;
    if (!qk__json_find(&choices, declaration, "choices", 7) || *choices.at != '[')
        return true;
    char *text = qk__dup_text(choices.at, choices.length);
    bool good = text && qk__param_is_choice(text, value);
    free(text);
    return good;
}

static qk_status check(const qk_dag *dag, qk__json_span key, qk__json_span value, qk_error *err)
{
    qk__json_span declaration, type;
    int shown = (int)(value.length < 60 ? value.length : 60);
    int named = (int)(key.length < 60 ? key.length : 60);
    if (!declared(&declaration, dag, key) || !qk__json_find(&type, declaration, "type", 4))
        return QK_OK;
    for (int i = QK_PARAM_STRING; i <= QK_PARAM_OBJECT; i++) {
        const char *name = qk_param_type_name((qk_param_type)i);
        if (qk__json_equals(type, name, strlen(name)) && !qk__param_fits((qk_param_type)i, value))
            return qk__error(err, QK_EINVAL, "with: param %.*s of '%s': expected %s, not %.*s",
                             named, key.at, dag->name, name, shown, value.at);
    }
    if (!choice_in(declaration, value))
        return qk__error(err, QK_EINVAL, "with: param %.*s of '%s': %.*s is not among its choices",
                         named, key.at, dag->name, shown, value.at);
    return QK_OK;
}

static void put(qk__buffer *out, qk__json_span key, qk__json_span value)
{
    qk__buffer_text(out, out->length > 1 ? "," : "");
    qk__buffer_append(out, key.at, key.length);
    qk__buffer_text(out, ":");
    qk__buffer_append(out, value.at, value.length);
}

/* Those of `params` that `with` does not have. */
static void put_others(qk__buffer *out, const char *params, qk__json_span with)
{
    qk__json_span key, value, other, unused;
    if (!params)
        return;
    qk__json_walk walk = qk__json_enter(qk__json_whole(params, strlen(params)));
    while (qk__json_member(&walk, &key, &value)) {
        qk__json_walk given = qk__json_enter(with);
        bool found = false;
        while (!found && qk__json_member(&given, &other, &unused))
            found = other.length == key.length && memcmp(other.at, key.at, key.length) == 0;
        if (!found)
            put(out, key, value);
    }
}

qk_status qk__workflow_give(qk_dag *dag, const char *with, qk_error *err)
{
    qk__json_span key, value;
    qk__json_span whole = qk__json_whole(with, strlen(with));
    qk_status rc = QK_OK;
    qk__buffer out;
    qk__buffer_init(&out, QK__DAG_TEXT_MAX);
    qk__buffer_text(&out, "{");
    put_others(&out, dag->params, whole);
    qk__json_walk walk = qk__json_enter(whole);
    while (rc == QK_OK && qk__json_member(&walk, &key, &value)) {
        rc = check(dag, key, value, err);
        put(&out, key, value);
    }
    qk__buffer_text(&out, "}");
    char *params =
        rc == QK_OK && !out.failed ? qk__arena_text(&dag->arena, out.data, out.length) : NULL;
    qk__buffer_dispose(&out);
    if (rc == QK_OK && !params)
        rc = qk__error(err, QK_ENOMEM, "out of memory for the params of '%s'", dag->name);
    if (rc == QK_OK)
        dag->params = params;
    return rc;
}
