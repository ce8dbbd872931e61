/*
 * Texts with ${…}; see template.h.
 */
#include "dag/template.h"

#include <stdlib.h>
#include <string.h>

#include "util/error.h"
#include "util/json_walk.h"

#define DEPTH_MAX 256 /* of JSON that passed qk__json_check */

size_t qk__template_span(const char *text, size_t length)
{
    char quote = '\0';
    if (length < 3 || text[0] != '$' || text[1] != '{')
        return 0;
    for (size_t i = 2; i < length; i++) {
        if (quote && text[i] == '\\' && i + 1 < length)
            i++;
        else if (quote)
            quote = text[i] == quote ? '\0' : quote;
        else if (text[i] == '"' || text[i] == '\'')
            quote = text[i];
        else if (text[i] == '}')
            return i + 1;
    }
    return 0;
}

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

bool qk__template_is_ours(const char *inner, size_t length)
{
    size_t name = 0;
    while (length > 0 && inner[0] == ' ') {
        inner++;
        length--;
    }
    while (length > 0 && inner[length - 1] == ' ')
        length--;
    while (name < length && is_letter(inner[name]))
        name++;
    return (length == 4 && memcmp(inner, "item", 4) == 0) || memchr(inner, '.', length) != NULL ||
           (name > 0 && name < length && inner[name] == '(');
}

bool qk__template_next(qk__piece *out, const char *text, size_t length, size_t *at)
{
    size_t from = *at;
    for (size_t i = from; i < length; i++) {
        size_t left = length - i;
        if (text[i] != '$')
            continue;
        if (left >= 3 && text[i + 1] == '$' && text[i + 2] == '{') {
            /* The text before the escape, then from its second dollar on as text. */
            *out = (qk__piece){ false, text + from, i - from };
            if (i > from) {
                *at = i;
                return true;
            }
            *out = (qk__piece){ false, text + i + 1, 2 };
            *at = i + 3;
            return true;
        }
        size_t span = qk__template_span(text + i, left);
        if (!span || !qk__template_is_ours(text + i + 2, span - 3))
            continue;
        if (i > from) {
            *out = (qk__piece){ false, text + from, i - from };
            *at = i;
        } else {
            *out = (qk__piece){ true, text + i + 2, span - 3 };
            *at = i + span;
        }
        return true;
    }
    *out = (qk__piece){ false, text + from, length - from };
    *at = length;
    return length > from;
}

bool qk__template_has_any(const char *text, size_t length)
{
    qk__piece piece;
    size_t at = 0;
    return qk__template_next(&piece, text, length, &at) &&
           (piece.is_expression || piece.length < length);
}

/* The value as JSON text in *out, free() it. */
static qk_status evaluate(char **out, const char *expression, size_t length,
                          const qk__condition_source *source, qk_error *err)
{
    qk__condition *parsed = NULL;
    qk_error problem = QK_ERROR_INIT;
    int shown = (int)(length < 80 ? length : 80);
    qk_status rc = qk__condition_parse(&parsed, expression, length, &problem);
    if (!rc)
        rc = qk__condition_value(out, parsed, source);
    else
        qk__error(err, rc, "${%.*s}: %s", shown, expression, problem.message);
    qk__condition_free(parsed);
    if (rc == QK_ENOMEM)
        return qk__error(err, rc, "out of memory for ${%.*s}", shown, expression);
    return rc;
}

static qk_status put_as_text(qk__buffer *out, const char *json)
{
    if (*json != '"') {
        qk__buffer_text(out, json);
    } else {
        qk__json_span span = qk__json_whole(json, strlen(json));
        char *text = malloc(span.length);
        if (!text)
            return QK_ENOMEM;
        qk__buffer_append(out, text, qk__json_decode(text, span));
        free(text);
    }
    return out->failed ? QK_ENOMEM : QK_OK;
}

qk_status qk__expression_text(qk__buffer *out, const char *expression, size_t length,
                              const qk__condition_source *source, qk_error *err)
{
    char *json = NULL;
    qk_status rc = evaluate(&json, expression, length, source, err);
    if (!rc && strcmp(json, "null") == 0)
        rc = qk__error(err, QK_EINVAL,
                       "${%.*s} has no value: correct it, or use default(…, '') for another",
                       (int)(length < 80 ? length : 80), expression);
    else if (!rc && put_as_text(out, json))
        rc = qk__error(err, QK_ENOMEM, "out of memory for ${%.*s}",
                       (int)(length < 80 ? length : 80), expression);
    free(json);
    return rc;
}

qk_status qk__template_text(qk__buffer *out, const char *text, size_t length,
                            const qk__condition_source *source, qk_error *err)
{
    qk__piece piece;
    size_t at = 0;
    qk_status rc = QK_OK;
    while (!rc && qk__template_next(&piece, text, length, &at)) {
        if (piece.is_expression)
            rc = qk__expression_text(out, piece.at, piece.length, source, err);
        else if (!qk__buffer_append(out, piece.at, piece.length))
            rc = qk__error(err, QK_ENOMEM, "out of memory for a text with ${…}");
    }
    return rc;
}

qk_status qk__template_json(qk__buffer *out, const char *text, size_t length,
                            const qk__condition_source *source, qk_error *err)
{
    qk__piece piece = { false, NULL, 0 };
    qk__buffer plain;
    char *json = NULL;
    size_t at = 0;
    bool any = qk__template_next(&piece, text, length, &at);
    if (any && piece.is_expression && at == length) {
        qk_status rc = evaluate(&json, piece.at, piece.length, source, err);
        if (!rc)
            qk__buffer_text(out, json);
        free(json);
        return rc;
    }
    qk__buffer_init(&plain, SIZE_MAX);
    qk_status rc = qk__template_text(&plain, text, length, source, err);
    if (!rc)
        qk__buffer_json_string(out, plain.data ? plain.data : "", plain.length);
    qk__buffer_dispose(&plain);
    return rc;
}

static qk_status expand_value(qk__buffer *out, qk__json_span value,
                              const qk__condition_source *source, int depth, qk_error *err);

static qk_status expand_string(qk__buffer *out, qk__json_span value,
                               const qk__condition_source *source, qk_error *err)
{
    char *text = malloc(value.length);
    if (!text)
        return qk__error(err, QK_ENOMEM, "out of memory for a text with ${…}");
    size_t length = qk__json_decode(text, value);
    qk_status rc = qk__template_json(out, text, length, source, err);
    free(text);
    return rc;
}

static qk_status expand_parts(qk__buffer *out, qk__json_span value,
                              const qk__condition_source *source, int depth, qk_error *err)
{
    bool object = *value.at == '{';
    qk__json_span key = { NULL, 0 };
    qk__json_span item;
    qk_status rc = QK_OK;
    bool first = true;
    qk__json_walk walk = qk__json_enter(value);
    qk__buffer_text(out, object ? "{" : "[");
    while (!rc && (object ? qk__json_member(&walk, &key, &item) : qk__json_element(&walk, &item))) {
        qk__buffer_text(out, first ? "" : ",");
        first = false;
        if (object) {
            qk__buffer_append(out, key.at, key.length);
            qk__buffer_text(out, ":");
        }
        rc = expand_value(out, item, source, depth + 1, err);
    }
    qk__buffer_text(out, object ? "}" : "]");
    return rc;
}

static qk_status expand_value(qk__buffer *out, qk__json_span value,
                              const qk__condition_source *source, int depth, qk_error *err)
{
    if (depth > DEPTH_MAX)
        return qk__error(err, QK_ETOOLARGE, "nested deeper than %d levels", DEPTH_MAX);
    if (*value.at == '"')
        return expand_string(out, value, source, err);
    if (*value.at == '{' || *value.at == '[')
        return expand_parts(out, value, source, depth, err);
    qk__buffer_append(out, value.at, value.length);
    return QK_OK;
}

qk_status qk__template_expand(qk__buffer *out, const char *json, size_t length,
                              const qk__condition_source *source, qk_error *err)
{
    qk_status rc = expand_value(out, qk__json_whole(json, length), source, 1, err);
    if (!rc && out->failed)
        rc = qk__error(err, QK_ENOMEM, "out of memory for a text with ${…}");
    return rc;
}
