/*
 * The protocol's JSON, piece by piece; see wire.h. No state; any thread.
 */
#include "store/remote/wire.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "util/time_text.h"

void wire_key(qk__buffer *out, const char *key)
{
    if (out->length > 0 && out->data[out->length - 1] != '{')
        qk__buffer_append(out, ",", 1);
    qk__buffer_append(out, "\"", 1);
    qk__buffer_text(out, key);
    qk__buffer_append(out, "\":", 2);
}

void wire_text(qk__buffer *out, const char *key, const char *text)
{
    if (!text)
        return;
    wire_key(out, key);
    qk__buffer_json_string(out, text, strlen(text));
}

void wire_id(qk__buffer *out, const char *key, qk_id id)
{
    char text[QK_ID_TEXT_SIZE];
    wire_text(out, key, qk_id_format(text, id));
}

void wire_number(qk__buffer *out, const char *key, int64_t number)
{
    char text[24];
    int length = snprintf(text, sizeof(text), "%" PRId64, number);
    wire_key(out, key);
    qk__buffer_append(out, text, (size_t)length);
}

void wire_true(qk__buffer *out, const char *key, bool value)
{
    if (!value)
        return;
    wire_key(out, key);
    qk__buffer_append(out, "true", 4);
}

static void seconds_text(char out[40], int64_t us)
{
    snprintf(out, 40, "%" PRId64 ".%06d", us / 1000000, (int)(us % 1000000));
}

void wire_seconds(qk__buffer *out, const char *key, int64_t us)
{
    char text[40] = "null";
    if (us != INT64_MAX)
        seconds_text(text, us);
    wire_key(out, key);
    qk__buffer_text(out, text);
}

void wire_query(qk__buffer *out, const char *name, const char *value)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.";
    if (!value)
        return;
    bool first = !out->data || !strchr(out->data, '?');
    qk__buffer_append(out, first ? "?" : "&", 1);
    qk__buffer_text(out, name);
    qk__buffer_append(out, "=", 1);
    for (; *value; value++) {
        if (strchr(plain, *value))
            qk__buffer_append(out, value, 1);
        else
            qk__buffer_printf(out, "%%%02X", (unsigned char)*value);
    }
}

void wire_query_seconds(qk__buffer *out, const char *name, int64_t us)
{
    char text[40];
    seconds_text(text, us);
    wire_query(out, name, text);
}

bool wire_get_id(qk_id *out, const json_t *object, const char *key)
{
    const json_t *value = json_object_get(object, key);
    memset(out, 0, sizeof(*out));
    return json_is_null(value) ||
           (json_is_string(value) && qk_id_parse(out, json_string_value(value)) == QK_OK);
}

bool wire_get_number(int64_t *out, const json_t *object, const char *key)
{
    const json_t *value = json_object_get(object, key);
    *out = json_integer_value(value);
    return json_is_integer(value);
}

bool wire_get_seconds(int64_t *out, const json_t *object, const char *key)
{
    const json_t *value = json_object_get(object, key);
    double seconds = json_number_value(value);
    *out = INT64_MAX;
    if (json_is_null(value))
        return true;
    if (!json_is_number(value) || !(seconds >= 0 && seconds < 1e12))
        return false;
    *out = llround(seconds * 1e6);
    return true;
}

bool wire_get_time(qk_time *out, const json_t *object, const char *key)
{
    const json_t *value = json_object_get(object, key);
    out->us = 0;
    return json_is_null(value) ||
           (json_is_string(value) &&
            qk__time_parse(out, json_string_value(value), json_string_length(value)));
}
