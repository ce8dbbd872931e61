/*
 * Checks of single values; see validate.h. Values are quoted in messages only when they are short
 * numbers: text from outside may be long or unprintable.
 */
#include "queue/validate.h"

#include <jansson.h>
#include <string.h>

#include "util/error.h"
#include "util/json.h"
#include "util/utf8.h"

qk_status qk__check_name(const char *field, const char *name, qk_error *err)
{
    if (!name || !*name)
        return qk__error(err, QK_EINVAL, "%s: must not be empty", field);
    size_t length = strnlen(name, QK_NAME_MAX + 1);
    if (length > QK_NAME_MAX)
        return qk__error(err, QK_EINVAL, "%s: longer than %d bytes", field, QK_NAME_MAX);
    for (size_t at = 0; at < length;) {
        if ((unsigned char)name[at] < 0x20 || name[at] == 0x7F)
            return qk__error(err, QK_EINVAL, "%s: has a control character at byte %zu", field, at);
        size_t step = qk__utf8_sequence(name + at, length - at);
        if (step == 0)
            return qk__error(err, QK_EINVAL, "%s: not UTF-8 at byte %zu", field, at);
        at += step;
    }
    return QK_OK;
}

qk_status qk__check_optional_name(const char *field, const char *name, qk_error *err)
{
    return name ? qk__check_name(field, name, err) : QK_OK;
}

qk_status qk__check_duration(const char *field, qk_duration duration, bool forever, qk_error *err)
{
    if (duration.us < 0)
        return qk__error(err, QK_EINVAL, "%s: must not be negative", field);
    if (duration.us > QK__DURATION_MAX_US && !(forever && duration.us == QK_FOREVER_US))
        return qk__error(err, QK_EINVAL, "%s: longer than 100 years", field);
    return QK_OK;
}

qk_status qk__check_json(const char *field, const char *text, size_t length, size_t limit,
                         qk_error *err)
{
    if (length > limit) {
        return qk__error(err, QK_ETOOLARGE,
                         "%s: %zu bytes, the limit is %zu: store large data elsewhere and pass "
                         "where it is, or raise max_payload",
                         field, length, limit);
    }
    qk_error problem = QK_ERROR_INIT;
    if (qk__json_check(text, length, &problem) == QK_OK)
        return QK_OK;
    return qk__error(err, QK_EINVAL, "%s: not JSON: %s", field, problem.message);
}

static bool all_strings(const json_t *list)
{
    size_t index;
    json_t *item;
    json_array_foreach(list, index, item)
    {
        if (!json_is_string(item))
            return false;
    }
    return true;
}

static bool values_are_strings(json_t *object)
{
    const char *key;
    json_t *item;
    json_object_foreach(object, key, item)
    {
        if (!*key || strchr(key, '=') || !json_is_string(item))
            return false;
    }
    return true;
}

static const char *command_problem(json_t *root)
{
    json_t *argv = json_object_get(root, "argv");
    json_t *cwd = json_object_get(root, "cwd");
    json_t *env = json_object_get(root, "env");
    json_t *slots = json_object_get(root, "slots");

    if (!json_is_object(root) || !json_is_array(argv) || json_array_size(argv) == 0 ||
        !all_strings(argv) || json_string_length(json_array_get(argv, 0)) == 0)
        return "must be {\"argv\":[\"program\",\"argument\"…],…}";
    if (cwd && !json_is_null(cwd) && (!json_is_string(cwd) || json_string_length(cwd) == 0))
        return "cwd must be a path";
    if (env && !json_is_null(env) && (!json_is_object(env) || !values_are_strings(env)))
        return "env must be an object of strings, its names without =";
    if (slots && !json_is_null(slots) &&
        (!json_is_integer(slots) || json_integer_value(slots) < 1 ||
         json_integer_value(slots) > INT32_MAX))
        return "slots must be a number from 1";
    return NULL;
}

/* The text is known to be JSON. What jansson refuses of that are numbers without room in a C type,
 * and NULs, which no argument or path can hold. Short of memory it says anything. */
static qk_status refused_by_jansson(const json_error_t *problem, qk_error *err)
{
    switch (json_error_code(problem)) {
    case json_error_numeric_overflow:
    case json_error_null_character:
    case json_error_null_byte_in_key:
        return qk__error(err, QK_EINVAL, "payload of a command: %s", problem->text);
    default:
        return qk__error(err, QK_ENOMEM, "out of memory");
    }
}

qk_status qk__check_command(const char *payload, size_t length, qk_error *err)
{
    json_error_t problem;
    json_t *root = json_loadb(payload, length, JSON_DECODE_ANY, &problem);
    if (!root)
        return refused_by_jansson(&problem, err);
    const char *text = command_problem(root);
    json_decref(root);
    return text ? qk__error(err, QK_EINVAL, "payload of a command: %s", text) : QK_OK;
}

qk_status qk__check_version(const char *what, const char *init, uint32_t version, qk_error *err)
{
    if (version == 1)
        return QK_OK;
    return qk__error(err, QK_EINVAL, "%s: version %u is not known, start from %s", what,
                     (unsigned)version, init);
}

qk_status qk__check_lease(const qk_lease *lease, qk_error *err)
{
    if (!lease)
        return qk__error(err, QK_EINVAL, "lease: must not be NULL");
    if (qk_id_is_none(lease->job))
        return qk__error(err, QK_EINVAL, "lease: has no job id");
    if (lease->attempt < 1)
        return qk__error(err, QK_EINVAL, "lease: attempt must be 1 or more");
    return qk__check_name("lease: worker_id", lease->worker_id, err);
}
