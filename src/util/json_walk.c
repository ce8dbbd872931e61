/*
 * Walking over checked JSON; see json_walk.h. Every loop is bounded by the span it was given, even
 * where the grammar would end it sooner.
 */
#include "util/json_walk.h"

#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NUMBER_TEXT 400 /* longer ones are cut: the digits beyond do not change a double much */

static bool is_space(char c)
{
    return c == ' ' || c == '\n' || c == '\t' || c == '\r';
}

static const char *skip_space(const char *at, const char *end)
{
    while (at < end && is_space(*at))
        at++;
    return at;
}

/* `at` is an opening quote; behind the closing one. */
static const char *skip_string(const char *at, const char *end)
{
    for (at++; at < end && *at != '"'; at++) {
        if (*at == '\\')
            at++;
    }
    return at < end ? at + 1 : end;
}

static const char *skip_container(const char *at, const char *end)
{
    size_t depth = 0;
    while (at < end) {
        char c = *at;
        if (c == '"') {
            at = skip_string(at, end);
            continue;
        }
        at++;
        if (c == '{' || c == '[')
            depth++;
        else if ((c == '}' || c == ']') && --depth == 0)
            break;
    }
    return at;
}

static const char *skip_value(const char *at, const char *end)
{
    if (at == end)
        return at;
    if (*at == '"')
        return skip_string(at, end);
    if (*at == '{' || *at == '[')
        return skip_container(at, end);
    while (at < end && *at != ',' && *at != '}' && *at != ']' && !is_space(*at))
        at++;
    return at;
}

qk__json_span qk__json_whole(const char *text, size_t length)
{
    const char *end = text + length;
    const char *at = skip_space(text, end);
    return (qk__json_span){ at, (size_t)(skip_value(at, end) - at) };
}

qk__json_walk qk__json_enter(qk__json_span container)
{
    return (qk__json_walk){ container.at + 1, container.at + container.length - 1 };
}

bool qk__json_element(qk__json_walk *walk, qk__json_span *value)
{
    const char *at = skip_space(walk->at, walk->end);
    if (at < walk->end && *at == ',')
        at = skip_space(at + 1, walk->end);
    if (at >= walk->end)
        return false;
    walk->at = skip_value(at, walk->end);
    *value = (qk__json_span){ at, (size_t)(walk->at - at) };
    return true;
}

bool qk__json_member(qk__json_walk *walk, qk__json_span *key, qk__json_span *value)
{
    if (!qk__json_element(walk, key))
        return false;
    walk->at = skip_space(walk->at, walk->end);
    if (walk->at < walk->end)
        walk->at++; /* the colon */
    return qk__json_element(walk, value);
}

static unsigned hex4(const char *at)
{
    unsigned value = 0;
    for (int i = 0; i < 4; i++) {
        unsigned char c = (unsigned char)at[i];
        value = value * 16 + (c <= '9' ? c - 48u : (c | 0x20u) - 87u);
    }
    return value;
}

static size_t put_utf8(char *out, unsigned code)
{
    if (code < 0x80) {
        out[0] = (char)code;
        return 1;
    }
    if (code < 0x800) {
        out[0] = (char)(0xC0 | code >> 6);
        out[1] = (char)(0x80 | (code & 0x3F));
        return 2;
    }
    if (code < 0x10000) {
        out[0] = (char)(0xE0 | code >> 12);
        out[1] = (char)(0x80 | (code >> 6 & 0x3F));
        out[2] = (char)(0x80 | (code & 0x3F));
        return 3;
    }
    out[0] = (char)(0xF0 | code >> 18);
    out[1] = (char)(0x80 | (code >> 12 & 0x3F));
    out[2] = (char)(0x80 | (code >> 6 & 0x3F));
    out[3] = (char)(0x80 | (code & 0x3F));
    return 4;
}

/* *at is behind a backslash; moves it behind the escape. */
static size_t decode_escape(char *out, const char **at)
{
    static const char codes[] = "bfnrt";
    static const char values[] = "\b\f\n\r\t";
    char c = *(*at)++;
    if (c != 'u') {
        const char *found = strchr(codes, c);
        *out = found ? values[found - codes] : c;
        return 1;
    }
    unsigned code = hex4(*at);
    *at += 4;
    if (code >= 0xD800 && code <= 0xDBFF) {
        code = 0x10000 + ((code - 0xD800) << 10) + (hex4(*at + 2) - 0xDC00);
        *at += 6;
    }
    return put_utf8(out, code);
}

size_t qk__json_decode(char *out, qk__json_span string)
{
    const char *at = string.at + 1;
    const char *end = string.at + string.length - 1;
    size_t length = 0;
    while (at < end) {
        if (*at != '\\') {
            out[length++] = *at++;
            continue;
        }
        at++;
        length += decode_escape(out + length, &at);
    }
    out[length] = '\0';
    return length;
}

bool qk__json_equals(qk__json_span string, const char *text, size_t length)
{
    const char *at = string.at + 1;
    const char *end = string.at + string.length - 1;
    size_t done = 0;
    char decoded[4];
    while (at < end) {
        size_t step = 1;
        decoded[0] = *at++;
        if (decoded[0] == '\\')
            step = decode_escape(decoded, &at);
        if (step > length - done || memcmp(decoded, text + done, step) != 0)
            return false;
        done += step;
    }
    return done == length;
}

bool qk__json_find(qk__json_span *out, qk__json_span object, const char *key, size_t length)
{
    qk__json_span name;
    qk__json_span value;
    bool found = false;
    if (*object.at != '{')
        return false;
    qk__json_walk walk = qk__json_enter(object);
    while (qk__json_member(&walk, &name, &value)) {
        if (qk__json_equals(name, key, length)) {
            *out = value;
            found = true;
        }
    }
    return found;
}

double qk__json_number(qk__json_span number)
{
    char text[NUMBER_TEXT];
    size_t length = number.length < sizeof(text) ? number.length : sizeof(text) - 1;
    const char *point = localeconv()->decimal_point;
    memcpy(text, number.at, length);
    text[length] = '\0';
    char *dot = strchr(text, '.');
    if (dot && point[0] != '\0' && point[1] == '\0')
        *dot = point[0];
    return strtod(text, NULL);
}

bool qk__json_compact(qk__buffer *buffer, qk__json_span value)
{
    const char *at = value.at;
    const char *end = value.at + value.length;
    bool good = true;
    while (good && at < end) {
        const char *from = at;
        while (at < end && !is_space(*at))
            at = *at == '"' ? skip_string(at, end) : at + 1;
        good = qk__buffer_append(buffer, from, (size_t)(at - from));
        at = skip_space(at, end);
    }
    return good;
}

bool qk__json_put_number(qk__buffer *buffer, double value)
{
    char text[40];
    if (!isfinite(value))
        value = 0;
    for (int digits = 15; digits <= 17; digits++) {
        snprintf(text, sizeof(text), "%.*g", digits, value);
        if (strtod(text, NULL) == value)
            break;
    }
    for (char *at = text; *at; at++) {
        if (!strchr("+-.e0123456789", *at)) /* a locale's decimal point */
            *at = '.';
    }
    return qk__buffer_text(buffer, text);
}
