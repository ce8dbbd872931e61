/*
 * Reading JSON objects; see fields.h. Any thread; no state.
 */
#include "http/fields.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "util/time_text.h"

void qk__fields_fail(qk__fields *fields, const char *key, const char *what)
{
    if (fields->rc == QK_OK)
        fields->rc = qk__error(&fields->err, QK_EINVAL, "%s: %s", key, what);
}

static void no_memory(qk__fields *fields)
{
    if (fields->rc == QK_OK)
        fields->rc = qk__error(&fields->err, QK_ENOMEM, "out of memory");
}

void qk__fields_init(qk__fields *fields, const json_t *object)
{
    *fields = (qk__fields){ .object = object };
    if (!json_is_object(object))
        fields->rc = qk__error(&fields->err, QK_EINVAL, "an object is expected");
}

void qk__fields_only(qk__fields *fields, const char *const *keys)
{
    const char *key;
    json_t *value;
    if (fields->rc)
        return;
    json_object_foreach((json_t *)(uintptr_t)fields->object, key, value)
    {
        size_t i = 0;
        while (keys[i] && strcmp(keys[i], key) != 0)
            i++;
        if (!keys[i]) {
            fields->rc = qk__error(&fields->err, QK_EINVAL, "%.64s: no such field", key);
            return;
        }
    }
}

static const json_t *value_of(const qk__fields *fields, const char *key)
{
    const json_t *value = fields->rc ? NULL : json_object_get(fields->object, key);
    return json_is_null(value) ? NULL : value;
}

static bool plain_text(const json_t *value)
{
    return json_is_string(value) && strlen(json_string_value(value)) == json_string_length(value);
}

const char *qk__field_text(qk__fields *fields, const char *key)
{
    const json_t *value = value_of(fields, key);
    if (value && !plain_text(value))
        qk__fields_fail(fields, key, "must be a text");
    return value && !fields->rc ? json_string_value(value) : NULL;
}

int64_t qk__field_number(qk__fields *fields, const char *key, int64_t absent, int64_t least,
                         int64_t most)
{
    const json_t *value = value_of(fields, key);
    if (!value)
        return absent;
    if (!json_is_integer(value) || json_integer_value(value) < least ||
        json_integer_value(value) > most) {
        qk__fields_fail(fields, key, "must be a whole number within its bounds");
        return absent;
    }
    return json_integer_value(value);
}

double qk__field_real(qk__fields *fields, const char *key, double absent)
{
    const json_t *value = value_of(fields, key);
    if (value && !json_is_number(value))
        qk__fields_fail(fields, key, "must be a number");
    return value && !fields->rc ? json_number_value(value) : absent;
}

bool qk__field_bool(qk__fields *fields, const char *key)
{
    const json_t *value = value_of(fields, key);
    if (value && !json_is_boolean(value))
        qk__fields_fail(fields, key, "must be true or false");
    return json_is_true(value);
}

int64_t qk__field_seconds(qk__fields *fields, const char *key, int64_t absent, int64_t null_us)
{
    const json_t *value = fields->rc ? NULL : json_object_get(fields->object, key);
    if (!value)
        return absent;
    if (json_is_null(value))
        return null_us;
    double seconds = json_is_number(value) ? json_number_value(value) : NAN;
    if (!(seconds >= 0 && seconds < 3.2e9)) { /* catches NaN */
        qk__fields_fail(fields, key, "must be seconds, from 0");
        return absent;
    }
    return llround(seconds * 1e6);
}

qk_time qk__field_time(qk__fields *fields, const char *key)
{
    qk_time time = { 0 };
    const char *text = qk__field_text(fields, key);
    if (text && !qk__time_parse(&time, text, strlen(text)))
        qk__fields_fail(fields, key, "must be a time like 2026-11-01T00:00:00Z");
    return time;
}

qk_id qk__field_id(qk__fields *fields, const char *key)
{
    qk_id id = { { 0 } };
    const char *text = qk__field_text(fields, key);
    if (text && qk_id_parse(&id, text) != QK_OK)
        qk__fields_fail(fields, key, "not an id");
    return id;
}

/* The array under `key`, if there is one with 1 to `most` entries. */
static const json_t *array_of(qk__fields *fields, const char *key, size_t most)
{
    const json_t *value = value_of(fields, key);
    if (value && (!json_is_array(value) || json_array_size(value) > most)) {
        qk__fields_fail(fields, key, "must be a list, and not that long");
        return NULL;
    }
    return value && json_array_size(value) > 0 ? value : NULL;
}

const char **qk__field_texts(qk__fields *fields, const char *key, size_t most, size_t *count)
{
    *count = 0;
    const json_t *array = array_of(fields, key, most);
    if (!array)
        return NULL;
    size_t size = json_array_size(array);
    const char **texts = calloc(size, sizeof(*texts));
    if (!texts) {
        no_memory(fields);
        return NULL;
    }
    for (size_t i = 0; i < size; i++) {
        if (!plain_text(json_array_get(array, i)))
            qk__fields_fail(fields, key, "must be a list of texts");
        texts[i] = json_string_value(json_array_get(array, i));
    }
    *count = fields->rc ? 0 : size;
    return texts;
}

qk_id *qk__field_ids(qk__fields *fields, const char *key, size_t most, size_t *count)
{
    *count = 0;
    const json_t *array = array_of(fields, key, most);
    if (!array)
        return NULL;
    size_t size = json_array_size(array);
    qk_id *ids = calloc(size, sizeof(*ids));
    if (!ids) {
        no_memory(fields);
        return NULL;
    }
    for (size_t i = 0; i < size; i++) {
        const char *text = json_string_value(json_array_get(array, i));
        if (!text || qk_id_parse(&ids[i], text) != QK_OK)
            qk__fields_fail(fields, key, "must be a list of ids");
    }
    *count = fields->rc ? 0 : size;
    return ids;
}
