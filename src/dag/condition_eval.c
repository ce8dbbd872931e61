/*
 * Evaluating conditions; see condition.h. Total: every expression has a value whatever the results
 * look like, so the only way to fail is memory. Decoded strings live in a scratch arena until the
 * end. Recursion is bounded by the parser's depth.
 *
 * long file: one small function per kind of expression; apart they would not be readable.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dag/condition_internal.h"
#include "util/buffer.h"
#include "util/json_walk.h"

typedef struct evaluation {
    const qk__condition *condition;
    const qk__condition_source *source;
    qk__arena scratch;
    bool no_memory;
} evaluation;

static qk__value evaluate(evaluation *run, uint32_t index);

static const qk__value null_value = { .type = QK__VALUE_NULL };

static qk__value of_bool(bool boolean)
{
    return (qk__value){ .type = QK__VALUE_BOOL, .boolean = boolean };
}

static qk__value of_number(double number)
{
    return (qk__value){ .type = QK__VALUE_NUMBER, .number = number };
}

static qk__value of_string(const char *text, size_t length)
{
    return (qk__value){ .type = QK__VALUE_STRING, .text = text, .length = length };
}

static qk__value decode(evaluation *run, qk__json_span span)
{
    if (!memchr(span.at, '\\', span.length))
        return of_string(span.at + 1, span.length - 2);
    char *text = qk__arena_take(&run->scratch, span.length);
    if (!text) {
        run->no_memory = true;
        return null_value;
    }
    return of_string(text, qk__json_decode(text, span));
}

static qk__value of_json(evaluation *run, qk__json_span span)
{
    switch (span.length ? *span.at : 'n') {
    case 'n':
        return null_value;
    case 't':
    case 'f':
        return of_bool(*span.at == 't');
    case '"':
        return decode(run, span);
    case '{':
    case '[':
        return (qk__value){ .type = QK__VALUE_JSON, .text = span.at, .length = span.length };
    default:
        return (qk__value){ .type = QK__VALUE_NUMBER,
                            .number = qk__json_number(span),
                            .text = span.at,
                            .length = span.length };
    }
}

static int64_t count_of(qk__json_span container)
{
    qk__json_span item;
    qk__json_span member;
    int64_t count = 0;
    qk__json_walk walk = qk__json_enter(container);
    if (*container.at == '{') {
        while (qk__json_member(&walk, &item, &member))
            count++;
    } else {
        while (qk__json_element(&walk, &item))
            count++;
    }
    return count;
}

static bool element_at(qk__json_span *span, int64_t index)
{
    qk__json_span item;
    if (*span->at != '[')
        return false;
    if (index < 0)
        index += count_of(*span);
    qk__json_walk walk = qk__json_enter(*span);
    while (index >= 0 && qk__json_element(&walk, &item)) {
        if (index-- == 0) {
            *span = item;
            return true;
        }
    }
    return false;
}

static qk__value path_value(evaluation *run, const qk__expression *path)
{
    const qk__condition_source *source = run->source;
    const char *text = NULL;
    size_t length = 0;
    if (path->is_context)
        text = source->context ? source->context(source->user, &length, (qk__context)path->root)
                               : NULL;
    else
        text = source->result
                   ? source->result(source->user, &length, run->condition->nodes[path->root])
                   : NULL;
    if (!text)
        return null_value;
    qk__json_span span = qk__json_whole(text, length);
    for (const qk__step *step = path->steps; step && span.length; step = step->next) {
        bool found = step->key ? qk__json_find(&span, span, step->key, step->length)
                               : element_at(&span, step->index);
        if (!found)
            return null_value;
    }
    return of_json(run, span);
}

static qk__value status_value(const evaluation *run, const qk__expression *call)
{
    const qk__condition_source *source = run->source;
    qk_job_status status = QK_JOB_PENDING;
    if (!source->status ||
        !source->status(source->user, &status, run->condition->nodes[call->root]))
        return null_value;
    const char *name = qk_job_status_name(status);
    return name ? of_string(name, strlen(name)) : null_value;
}

static bool truth(const qk__value *value)
{
    switch (value->type) {
    case QK__VALUE_BOOL:
        return value->boolean;
    case QK__VALUE_NUMBER:
        return value->number != 0;
    case QK__VALUE_STRING:
        return value->length > 0;
    case QK__VALUE_JSON:
        return count_of((qk__json_span){ value->text, value->length }) > 0;
    case QK__VALUE_NULL:
        break;
    }
    return false;
}

static bool same_text(const qk__value *a, const qk__value *b)
{
    return a->length == b->length && (a->length == 0 || memcmp(a->text, b->text, a->length) == 0);
}

/* Containers are equal when they are written alike, white space aside. */
static bool same_json(evaluation *run, const qk__value *a, const qk__value *b)
{
    qk__buffer left, right;
    qk__buffer_init(&left, SIZE_MAX);
    qk__buffer_init(&right, SIZE_MAX);
    bool good = qk__json_compact(&left, (qk__json_span){ a->text, a->length }) &&
                qk__json_compact(&right, (qk__json_span){ b->text, b->length });
    bool same =
        good && left.length == right.length && memcmp(left.data, right.data, left.length) == 0;
    run->no_memory = run->no_memory || !good;
    qk__buffer_dispose(&left);
    qk__buffer_dispose(&right);
    return same;
}

static bool equal(evaluation *run, const qk__value *a, const qk__value *b)
{
    if (a->type != b->type)
        return false;
    switch (a->type) {
    case QK__VALUE_NULL:
        return true;
    case QK__VALUE_BOOL:
        return a->boolean == b->boolean;
    case QK__VALUE_NUMBER:
        return a->number == b->number;
    case QK__VALUE_STRING:
        return same_text(a, b);
    case QK__VALUE_JSON:
        return same_json(run, a, b);
    }
    return false;
}

/* Below, above or the same; *comparable is false for unlike types. */
static int order(bool *comparable, const qk__value *a, const qk__value *b)
{
    *comparable =
        a->type == b->type && (a->type == QK__VALUE_NUMBER || a->type == QK__VALUE_STRING);
    if (!*comparable)
        return 0;
    if (a->type == QK__VALUE_NUMBER)
        return (a->number > b->number) - (a->number < b->number);
    size_t length = a->length < b->length ? a->length : b->length;
    int result = length ? memcmp(a->text, b->text, length) : 0;
    return result ? result : (a->length > b->length) - (a->length < b->length);
}

static bool compare(evaluation *run, qk__op op, const qk__value *a, const qk__value *b)
{
    bool comparable = false;
    if (op == QK__OP_EQ)
        return equal(run, a, b);
    if (op == QK__OP_NE)
        return !equal(run, a, b);
    int result = order(&comparable, a, b);
    if (!comparable)
        return false;
    switch (op) {
    case QK__OP_LT:
        return result < 0;
    case QK__OP_LE:
        return result <= 0;
    case QK__OP_GT:
        return result > 0;
    default:
        return result >= 0;
    }
}

static bool text_within(const qk__value *text, const qk__value *part)
{
    if (part->length > text->length)
        return false;
    for (size_t i = 0; i + part->length <= text->length; i++) {
        if (part->length == 0 || memcmp(text->text + i, part->text, part->length) == 0)
            return true;
    }
    return false;
}

/* An element of an array, a key of an object, a part of a string. */
static bool contains(evaluation *run, const qk__value *whole, const qk__value *part)
{
    qk__json_span item;
    if (whole->type == QK__VALUE_STRING && part->type == QK__VALUE_STRING)
        return text_within(whole, part);
    if (whole->type != QK__VALUE_JSON)
        return false;
    qk__json_span span = { whole->text, whole->length };
    if (*span.at == '{')
        return part->type == QK__VALUE_STRING &&
               qk__json_find(&item, span, part->text, part->length);
    qk__json_walk walk = qk__json_enter(span);
    while (qk__json_element(&walk, &item)) {
        qk__value element = of_json(run, item);
        if (equal(run, &element, part))
            return true;
    }
    return false;
}

static bool in_list(evaluation *run, const qk__expression *list, const qk__value *value)
{
    for (uint32_t at = list->first; at != QK__CONDITION_NONE; at = run->condition->items[at].next) {
        qk__value item = evaluate(run, at);
        if (equal(run, &item, value))
            return true;
    }
    return false;
}

static qk__value length_of(const qk__value *value)
{
    if (value->type == QK__VALUE_JSON)
        return of_number((double)count_of((qk__json_span){ value->text, value->length }));
    if (value->type != QK__VALUE_STRING)
        return null_value;
    size_t characters = 0;
    for (size_t i = 0; i < value->length; i++)
        characters += ((unsigned char)value->text[i] & 0xC0) != 0x80;
    return of_number((double)characters);
}

/* ASCII letters only: the result does not depend on a locale. */
static qk__value change_case(evaluation *run, const qk__value *value, char from)
{
    if (value->type != QK__VALUE_STRING)
        return null_value;
    char *text = qk__arena_text(&run->scratch, value->text, value->length);
    if (!text) {
        run->no_memory = true;
        return null_value;
    }
    for (size_t i = 0; i < value->length; i++) {
        if (text[i] >= from && text[i] <= from + 25)
            text[i] = (char)(text[i] ^ 0x20);
    }
    return of_string(text, value->length);
}

static bool at_edge(const qk__value *text, const qk__value *part, bool end)
{
    if (text->type != QK__VALUE_STRING || part->type != QK__VALUE_STRING ||
        part->length > text->length)
        return false;
    size_t from = end ? text->length - part->length : 0;
    return part->length == 0 || memcmp(text->text + from, part->text, part->length) == 0;
}

static void put_value(qk__buffer *text, const qk__value *value)
{
    if (value->type == QK__VALUE_STRING)
        qk__buffer_json_string(text, value->text, value->length);
    else if (value->type == QK__VALUE_JSON || (value->type == QK__VALUE_NUMBER && value->text))
        qk__buffer_append(text, value->text, value->length);
    else if (value->type == QK__VALUE_NUMBER)
        qk__json_put_number(text, value->number);
    else if (value->type == QK__VALUE_BOOL)
        qk__buffer_text(text, value->boolean ? "true" : "false");
    else
        qk__buffer_text(text, "null");
}

/* What was written to the buffer, as a string that lives as long as the evaluation. */
static qk__value of_buffer(evaluation *run, qk__buffer *text)
{
    const char *kept =
        text->failed ? NULL
                     : qk__arena_text(&run->scratch, text->data ? text->data : "", text->length);
    qk__value value = kept ? of_string(kept, text->length) : null_value;
    run->no_memory = run->no_memory || !kept;
    qk__buffer_dispose(text);
    return value;
}

static qk__value as_json(evaluation *run, const qk__value *value)
{
    qk__buffer text;
    qk__buffer_init(&text, SIZE_MAX);
    put_value(&text, value);
    return of_buffer(run, &text);
}

/* The elements of an array, strings as they are. */
static qk__value join(evaluation *run, const qk__value *list, const qk__value *between)
{
    qk__buffer text;
    qk__json_span item;
    if (list->type != QK__VALUE_JSON || *list->text != '[' || between->type != QK__VALUE_STRING)
        return null_value;
    qk__buffer_init(&text, SIZE_MAX);
    qk__json_walk walk = qk__json_enter((qk__json_span){ list->text, list->length });
    for (bool first = true; qk__json_element(&walk, &item); first = false) {
        qk__value element = of_json(run, item);
        if (!first)
            qk__buffer_append(&text, between->text, between->length);
        if (element.type == QK__VALUE_STRING)
            qk__buffer_append(&text, element.text, element.length);
        else
            put_value(&text, &element);
    }
    return of_buffer(run, &text);
}

static qk__value chain(evaluation *run, const qk__expression *expression)
{
    bool stop = expression->op == QK__OP_OR;
    for (uint32_t at = expression->first; at != QK__CONDITION_NONE;
         at = run->condition->items[at].next) {
        qk__value value = evaluate(run, at);
        if (truth(&value) == stop)
            return of_bool(stop);
    }
    return of_bool(!stop);
}

static qk__value binary(evaluation *run, const qk__expression *expression)
{
    uint32_t second = run->condition->items[expression->first].next;
    qk__value a = evaluate(run, expression->first);
    if (expression->op == QK__OP_DEFAULT)
        return a.type == QK__VALUE_NULL ? evaluate(run, second) : a;
    if (expression->op == QK__OP_IN && run->condition->items[second].op == QK__OP_LIST)
        return of_bool(in_list(run, &run->condition->items[second], &a));
    qk__value b = evaluate(run, second);
    switch (expression->op) {
    case QK__OP_IN:
        return of_bool(contains(run, &b, &a));
    case QK__OP_CONTAINS:
        return of_bool(contains(run, &a, &b));
    case QK__OP_STARTS_WITH:
    case QK__OP_ENDS_WITH:
        return of_bool(at_edge(&a, &b, expression->op == QK__OP_ENDS_WITH));
    case QK__OP_JOIN:
        return join(run, &a, &b);
    default:
        return of_bool(compare(run, (qk__op)expression->op, &a, &b));
    }
}

static qk__value unary(evaluation *run, const qk__expression *expression)
{
    qk__value value = evaluate(run, expression->first);
    switch (expression->op) {
    case QK__OP_NOT:
        return of_bool(!truth(&value));
    case QK__OP_LEN:
        return length_of(&value);
    case QK__OP_EXISTS:
        return of_bool(value.type != QK__VALUE_NULL);
    case QK__OP_LOWER:
        return change_case(run, &value, 'A');
    case QK__OP_JSON:
        return as_json(run, &value);
    default:
        return change_case(run, &value, 'a');
    }
}

static qk__value evaluate(evaluation *run, uint32_t index)
{
    const qk__expression *expression = &run->condition->items[index];
    switch (expression->op) {
    case QK__OP_LITERAL:
        return expression->literal;
    case QK__OP_PATH:
        return path_value(run, expression);
    case QK__OP_STATUS:
        return status_value(run, expression);
    case QK__OP_AND:
    case QK__OP_OR:
        return chain(run, expression);
    case QK__OP_NOT:
    case QK__OP_LEN:
    case QK__OP_EXISTS:
    case QK__OP_LOWER:
    case QK__OP_UPPER:
    case QK__OP_JSON:
        return unary(run, expression);
    default:
        return binary(run, expression);
    }
}

qk_status qk__condition_eval(bool *out, const qk__condition *condition,
                             const qk__condition_source *source)
{
    evaluation run = { .condition = condition, .source = source };
    qk__value value = evaluate(&run, condition->root);
    *out = truth(&value);
    qk__arena_dispose(&run.scratch);
    return run.no_memory ? QK_ENOMEM : QK_OK;
}

qk_status qk__condition_value(char **out, const qk__condition *condition,
                              const qk__condition_source *source)
{
    evaluation run = { .condition = condition, .source = source };
    qk__buffer text;
    qk__buffer_init(&text, SIZE_MAX);
    qk__value value = evaluate(&run, condition->root);
    put_value(&text, &value);
    *out = run.no_memory ? NULL : qk__buffer_take(&text);
    qk__buffer_dispose(&text);
    qk__arena_dispose(&run.scratch);
    return *out ? QK_OK : QK_ENOMEM;
}
