/*
 * Single values of a workflow file; see loading.h.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dag/names.h"
#include "queue/validate.h"
#include "util/error.h"
#include "util/json_walk.h"
#include "workflow/loading.h"

static qk_status report(const qk__loading *in, qk__place place, qk_status code, const char *format,
                        va_list arguments)
{
    char text[QK_ERROR_MESSAGE_SIZE];
    vsnprintf(text, sizeof(text), format, arguments);
    return qk__yaml_error(in->err, code, in->out->shown, place, "%s", text);
}

qk_status qk__wrong(const qk__loading *in, qk__place place, qk_status code, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    qk_status rc = report(in, place, code, format, arguments);
    va_end(arguments);
    return rc;
}

qk_status qk__wrong_at(const qk__loading *in, const qk__yaml_node *node, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    qk_status rc = report(in, node->place, QK_EINVAL, format, arguments);
    va_end(arguments);
    return rc;
}

qk_status qk__wrong_type(const qk__loading *in, const qk__yaml_node *node, const char *key,
                         const char *wanted)
{
    char what[64];
    return qk__wrong_at(in, node, "%.80s: expected %s, not %s", key, wanted,
                        qk__yaml_describe(what, node));
}

qk_status qk__loading_no_memory(const qk__loading *in)
{
    return qk__error(in->err, QK_ENOMEM, "%s: out of memory", in->out->shown);
}

const char *qk__suggest(char out[320], const char *word, const char *const *names, size_t count)
{
    const char *nearest = qk__nearest(names, count, word);
    if (nearest) {
        snprintf(out, 320, "did you mean \"%.200s\"?", nearest);
        return out;
    }
    size_t length = (size_t)snprintf(out, 320, count ? "there are " : "there are none");
    for (size_t i = 0; i < count; i++) {
        const char *between = i == 0 ? "" : i + 1 == count ? " and " : ", ";
        if (length + strlen(names[i]) + 10 > 320) {
            snprintf(out + length, 320 - length, " …");
            break;
        }
        length += (size_t)snprintf(out + length, 320 - length, "%s%s", between, names[i]);
    }
    return out;
}

qk_status qk__read_map(const qk__loading *in, const qk__yaml_node *node, const char *key,
                       const qk__keys *keys)
{
    char hint[320];
    if (node->type != QK__YAML_MAP)
        return qk__wrong_type(in, node, key, "a map");
    for (size_t i = 0; i < node->count; i++) {
        const qk__yaml_node *name = node->items[2 * i];
        size_t k = 0;
        while (k < keys->count && strcmp(keys->names[k], name->text) != 0)
            k++;
        if (k == keys->count)
            return qk__wrong_at(in, name, "unknown key \"%.60s\" of a %s: %s", name->text,
                                keys->what,
                                qk__suggest(hint, name->text, keys->names, keys->count));
    }
    return QK_OK;
}

qk_status qk__read_text(const qk__loading *in, const char **out, const qk__yaml_node *node,
                        const char *key)
{
    *out = NULL;
    if (!node)
        return QK_OK;
    if (node->type == QK__YAML_LIST || node->type == QK__YAML_MAP || node->type == QK__YAML_NULL ||
        node->length == 0)
        return qk__wrong_type(in, node, key, "a text");
    *out = qk__arena_text(&in->out->arena, node->text, node->length);
    return *out ? QK_OK : qk__loading_no_memory(in);
}

qk_status qk__read_bool(const qk__loading *in, bool *out, const qk__yaml_node *node,
                        const char *key)
{
    if (!node)
        return QK_OK;
    if (node->type != QK__YAML_BOOL)
        return qk__wrong_type(in, node, key, "true or false");
    *out = node->boolean;
    return QK_OK;
}

qk_status qk__read_int(const qk__loading *in, int64_t *out, const qk__yaml_node *node,
                       const char *key, int64_t least, int64_t most)
{
    char wanted[80];
    if (!node)
        return QK_OK;
    if (most == INT64_MAX)
        snprintf(wanted, sizeof(wanted), "a whole number from %lld up", (long long)least);
    else
        snprintf(wanted, sizeof(wanted), "a whole number from %lld to %lld", (long long)least,
                 (long long)most);
    errno = 0;
    long long number = node->type == QK__YAML_INT ? strtoll(node->text, NULL, 10) : 0;
    if (node->type != QK__YAML_INT || errno || number < least || number > most)
        return qk__wrong_type(in, node, key, wanted);
    *out = number;
    return QK_OK;
}

static bool parse_duration(double *us, const char *text)
{
    static const struct {
        const char *unit;
        double us;
    } units[] = { { "ms", 1e3 },  { "s", 1e6 },    { "m", 60e6 },
                  { "h", 3.6e9 }, { "d", 86.4e9 }, { "", 1e6 } };
    size_t length = strspn(text, "0123456789.");
    if (length == 0 || length > 20 || text[0] == '.' || text[length - 1] == '.' ||
        strchr(text, '.') != strrchr(text, '.'))
        return false;
    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
        if (strcmp(text + length, units[i].unit) == 0) {
            *us = qk__json_number((qk__json_span){ text, length }) * units[i].us;
            return *us <= (double)QK__DURATION_MAX_US;
        }
    }
    return false;
}

qk_status qk__read_duration(const qk__loading *in, qk_duration *out, const qk__yaml_node *node,
                            const char *key, bool none)
{
    double us = 0;
    if (!node)
        return QK_OK;
    bool scalar = node->type != QK__YAML_LIST && node->type != QK__YAML_MAP;
    if (none && scalar && strcmp(node->text, "none") == 0) {
        *out = qk_forever();
        return QK_OK;
    }
    if (!scalar || !parse_duration(&us, node->text))
        return qk__wrong_type(in, node, key,
                              none ? "a duration as 250ms, 10s, 5m, 2h or 1d, or none"
                                   : "a duration as 250ms, 10s, 5m, 2h or 1d");
    *out = qk_us((int64_t)us);
    return QK_OK;
}

qk_status qk__read_texts(const qk__loading *in, qk__texts *out, const qk__yaml_node *node,
                         const char *key)
{
    *out = (qk__texts){ NULL, 0 };
    if (!node)
        return QK_OK;
    size_t count = node->type == QK__YAML_LIST ? node->count : 1;
    const char **items = qk__arena_take(&in->out->arena, (count + 1) * sizeof(*items));
    qk_status rc = items ? QK_OK : qk__loading_no_memory(in);
    for (size_t i = 0; !rc && i < count; i++)
        rc = qk__read_text(in, &items[i], node->type == QK__YAML_LIST ? node->items[i] : node, key);
    if (!rc)
        *out = (qk__texts){ items, count };
    return rc;
}

qk_status qk__read_words(const qk__loading *in, qk__texts *out, const qk__yaml_node *node)
{
    const char **items = qk__arena_take(&in->out->arena, (node->count + 1) * sizeof(*items));
    if (!items)
        return qk__loading_no_memory(in);
    if (node->count == 0)
        return qk__wrong_type(in, node, "run", "a shell line, or a list of arguments");
    for (size_t i = 0; i < node->count; i++) {
        const qk__yaml_node *word = node->items[i];
        items[i] = "";
        if (i > 0 && word->type == QK__YAML_STRING && word->length == 0)
            continue;
        qk_status rc = qk__read_text(in, &items[i], word, "run");
        if (rc)
            return rc;
    }
    *out = (qk__texts){ items, node->count };
    return QK_OK;
}

bool qk__is_variable(const char *name)
{
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_0123456789";
    size_t length = strlen(name);
    return length > 0 && length <= QK_NAME_MAX && strspn(name, letters) == length &&
           !(*name >= '0' && *name <= '9');
}
