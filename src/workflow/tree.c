/*
 * Looking at a YAML tree; see tree.h. Pure; any thread.
 */
#include "workflow/tree.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "util/error.h"
#include "workflow/scalar.h"

static bool is_one_of(const char *text, const char *const *words)
{
    for (; *words; words++) {
        if (strcmp(text, *words) == 0)
            return true;
    }
    return false;
}

static size_t digits(const char *text)
{
    return strspn(text, "0123456789");
}

/* [-+]? digits: without leading zeros, which JSON refuses and people read as octal. */
static bool is_int(const char *text)
{
    text += *text == '-' || *text == '+';
    size_t count = digits(text);
    return count > 0 && text[count] == '\0' && (count == 1 || *text != '0');
}

/* [-+]? digits [. digits] [e [-+]? digits], as JSON has it, but for the plus. */
static bool is_float(const char *text)
{
    text += *text == '-' || *text == '+';
    size_t count = digits(text);
    if (count == 0 || (count > 1 && *text == '0'))
        return false;
    text += count;
    if (*text == '.') {
        count = digits(text + 1);
        if (count == 0)
            return false;
        text += 1 + count;
    }
    if (*text == 'e' || *text == 'E') {
        text += 1 + (text[1] == '-' || text[1] == '+');
        count = digits(text);
        if (count == 0)
            return false;
        text += count;
    }
    return *text == '\0';
}

void qk__yaml_scalar_type(qk__yaml_node *scalar)
{
    static const char *const nulls[] = { "", "~", "null", "Null", "NULL", NULL };
    static const char *const trues[] = { "true", "True", "TRUE", NULL };
    static const char *const falses[] = { "false", "False", "FALSE", NULL };
    const char *text = scalar->text;
    scalar->boolean = is_one_of(text, trues);
    if (is_one_of(text, nulls))
        scalar->type = QK__YAML_NULL;
    else if (scalar->boolean || is_one_of(text, falses))
        scalar->type = QK__YAML_BOOL;
    else if (is_int(text))
        scalar->type = QK__YAML_INT;
    else if (is_float(text))
        scalar->type = QK__YAML_FLOAT;
    else
        return;
    if ((scalar->type == QK__YAML_INT || scalar->type == QK__YAML_FLOAT) && *text == '+') {
        scalar->text++;
        scalar->length--;
    }
}

const qk__yaml_node *qk__yaml_get(const qk__yaml_node *map, const char *name,
                                  const qk__yaml_node **key)
{
    for (size_t i = 0; map->type == QK__YAML_MAP && i < map->count; i++) {
        if (strcmp(map->items[2 * i]->text, name) == 0) {
            if (key)
                *key = map->items[2 * i];
            return map->items[2 * i + 1];
        }
    }
    return NULL;
}

const char *qk__yaml_describe(char out[64], const qk__yaml_node *node)
{
    switch (node->type) {
    case QK__YAML_NULL:
        return "nothing";
    case QK__YAML_LIST:
        return "a list";
    case QK__YAML_MAP:
        return "a map";
    case QK__YAML_STRING:
        snprintf(out, 64, node->length > 40 ? "a longer text" : "\"%s\"", node->text);
        return out;
    default:
        snprintf(out, 64, "%.40s", node->text);
        return out;
    }
}

/* Start of a line (from 1) of the source, or NULL. */
static const char *line_start(const qk__yaml *tree, int line)
{
    const char *at = tree->source;
    const char *end = at + tree->source_length;
    while (--line > 0) {
        at = memchr(at, '\n', (size_t)(end - at));
        if (!at)
            return NULL;
        at++;
    }
    return at;
}

static int characters(const char *text, size_t length)
{
    int count = 0;
    for (size_t i = 0; i < length; i++)
        count += ((unsigned char)text[i] & 0xC0) != 0x80;
    return count;
}

/* In a literal block line k of the text is line k below the `|`, moved in by the same indent. */
static qk__place place_in_block(const qk__yaml *tree, const qk__yaml_node *scalar, size_t offset)
{
    size_t from = 0;
    int line = scalar->place.line + 1;
    for (size_t i = 0; i < offset; i++) {
        if (scalar->text[i] == '\n') {
            line++;
            from = i + 1;
        }
    }
    const char *source = line_start(tree, line);
    size_t width = strcspn(scalar->text + from, "\n");
    if (!source)
        return scalar->place;
    const char *end = tree->source + tree->source_length;
    int indent = 0;
    while (source < end && *source == ' ' &&
           ((size_t)(end - source) < width || memcmp(source, scalar->text + from, width) != 0)) {
        source++;
        indent++;
    }
    return (qk__place){ line, indent + 1 + characters(scalar->text + from, offset - from) };
}

qk__place qk__yaml_place(const qk__yaml *tree, const qk__yaml_node *scalar, size_t offset)
{
    if (scalar->style == QK__YAML_LITERAL)
        return place_in_block(tree, scalar, offset);
    if (scalar->style == QK__YAML_FOLDED)
        return scalar->place;
    /* On one line and without escapes the text stands in the source as it is. */
    const char *source = line_start(tree, scalar->place.line);
    if (!source)
        return scalar->place;
    const char *end = tree->source + tree->source_length;
    int quote = scalar->style != QK__YAML_PLAIN;
    for (int column = 1; source < end && column < scalar->place.column + quote; source++)
        column += source + 1 < end && ((unsigned char)source[1] & 0xC0) != 0x80;
    if ((size_t)(end - source) < scalar->length ||
        memcmp(source, scalar->text, scalar->length) != 0)
        return scalar->place;
    return (qk__place){ scalar->place.line,
                        scalar->place.column + quote + characters(scalar->text, offset) };
}

qk_status qk__yaml_error(qk_error *err, qk_status code, const char *file, qk__place place,
                         const char *format, ...)
{
    char text[QK_ERROR_MESSAGE_SIZE];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    return qk__error(err, code, "%s:%d:%d: %s", file, place.line, place.column, text);
}
