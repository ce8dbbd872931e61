/*
 * Commands of workflows: their values become environment variables and arguments, at the moment they
 * run; see command_spec.h. A value is never part of a shell's text.
 */
#include <stdio.h>
#include <string.h>

#include "dag/template.h"
#include "util/error.h"
#include "util/json.h"
#include "worker/command_spec.h"
#include "worker/values.h"

/* What the kernel takes as one argument or variable, its NUL included. */
#define WORD_MAX ((size_t)128 << 10)

typedef struct resolving {
    qk__command_spec *spec;
    const qk__values *values;
    qk_error *err;
} resolving;

/* Takes the buffer's text as a JSON string, if a program can be given it. */
static qk_status as_word(json_t **out, const resolving *in, qk__buffer *text, const char *what,
                         size_t name)
{
    const char *data = text->data ? text->data : "";
    int shown = (int)strnlen(what, 80);
    if (memchr(data, '\0', text->length))
        return qk__error(
            in->err, QK_EINVAL,
            "the value of %.*s has a NUL in it, which no program can be given: hand it "
            "over in a file",
            shown, what);
    if (text->length + name + 1 > WORD_MAX)
        return qk__error(
            in->err, QK_EINVAL,
            "the value of %.*s has %zu bytes, a program can be given %zu: read it from "
            "$QUEUACK_UPSTREAM",
            shown, what, text->length, WORD_MAX - name - 1);
    *out = json_stringn(data, text->length);
    return *out ? QK_OK : qk__error(in->err, QK_ENOMEM, "out of memory for a command's values");
}

static qk_status expand(json_t **out, const resolving *in, const json_t *from, size_t name)
{
    qk__buffer text;
    const char *template = json_string_value(from);
    qk__buffer_init(&text, SIZE_MAX / 2);
    qk_status rc =
        qk__template_text(&text, template, json_string_length(from), &in->values->source, in->err);
    if (rc == QK_OK)
        rc = as_word(out, in, &text, template, name);
    qk__buffer_dispose(&text);
    return rc;
}

/* QUEUACK_VALUE_1 and so on, by the expressions in "values". */
static qk_status set_values(const resolving *in, const json_t *list)
{
    qk_status rc = QK_OK;
    for (size_t i = 0; rc == QK_OK && i < json_array_size(list); i++) {
        const char *expression = json_string_value(json_array_get(list, i));
        char name[48];
        qk__buffer text;
        json_t *word = NULL;
        if (!expression)
            return qk__error(in->err, QK_EINVAL,
                             "payload of the command: \"values\" must hold strings");
        snprintf(name, sizeof(name), "QUEUACK_VALUE_%zu", i + 1);
        qk__buffer_init(&text, SIZE_MAX / 2);
        rc = qk__expression_text(&text, expression, strlen(expression), &in->values->source,
                                 in->err);
        if (rc == QK_OK)
            rc = as_word(&word, in, &text, expression, strlen(name) + 1);
        if (rc == QK_OK && json_object_set_new(in->spec->env, name, word) != 0)
            rc = qk__error(in->err, QK_ENOMEM, "out of memory for a command's values");
        qk__buffer_dispose(&text);
    }
    return rc;
}

static qk_status set_env(const resolving *in)
{
    qk_status rc = QK_OK;
    void *at = json_object_iter(in->spec->env);
    for (; rc == QK_OK && at; at = json_object_iter_next(in->spec->env, at)) {
        json_t *word = NULL;
        rc = expand(&word, in, json_object_iter_value(at), strlen(json_object_iter_key(at)) + 1);
        if (rc == QK_OK)
            json_object_iter_set_new(in->spec->env, at, word);
    }
    return rc;
}

static qk_status set_argv(const resolving *in)
{
    json_t *list = json_object_get(in->spec->payload, "argv");
    qk_status rc = QK_OK;
    for (size_t i = 0; rc == QK_OK && i < json_array_size(list); i++) {
        json_t *word = NULL;
        rc = expand(&word, in, json_array_get(list, i), 0);
        if (rc == QK_OK && json_array_set_new(list, i, word) != 0)
            rc = qk__error(in->err, QK_ENOMEM, "out of memory for a command's values");
        if (rc == QK_OK)
            in->spec->own_argv[i] = (char *)(uintptr_t)json_string_value(json_array_get(list, i));
    }
    if (rc == QK_OK && !in->spec->own_argv[0][0])
        rc = qk__error(in->err, QK_EINVAL, "the program's name is empty once its values are in");
    return rc;
}

qk_status qk__command_spec_resolve(qk__command_spec *spec, qk_task *task, qk_error *err)
{
    const qk_claimed *claim = task->claim;
    const json_t *workflow = spec->payload ? json_object_get(spec->payload, "workflow") : NULL;
    qk__values values;
    resolving in = { spec, &values, err };
    if (!json_is_object(workflow))
        return QK_OK;
    if (qk__json_check(claim->payload, claim->payload_length, NULL) != QK_OK)
        return qk__error(err, QK_EINVAL, "payload of the command: not JSON");
    if (!spec->env) {
        spec->env = json_object();
        if (!spec->env || json_object_set_new(spec->payload, "env", spec->env) != 0)
            return qk__error(err, QK_ENOMEM, "out of memory for a command's values");
    }
    qk__values_init(&values, task, qk__values_find(claim->payload, claim->payload_length));
    qk_status rc = set_env(&in);
    if (rc == QK_OK)
        rc = set_values(&in, json_object_get(workflow, "values"));
    if (rc == QK_OK && json_is_true(json_object_get(workflow, "argv")))
        rc = set_argv(&in);
    rc = qk__values_check(&values, rc, err);
    qk__values_dispose(&values);
    return rc;
}
