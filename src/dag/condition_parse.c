/*
 * Parsing conditions; see condition.h. Recursive descent over a text of at most QK_WHEN_MAX bytes,
 * nested at most QK__CONDITION_DEPTH deep. The first problem stops it; messages name the byte.
 *
 * long file: one small function per rule of the grammar; apart they would not be readable.
 */
#include "dag/condition_parse.h"

#include <stdlib.h>
#include <string.h>

#include "util/error.h"
#include "util/json_walk.h"

static const struct {
    const char *name;
    qk__op op;
    int arguments;
} functions[] = {
    { "status", QK__OP_STATUS, 1 },       { "len", QK__OP_LEN, 1 },
    { "exists", QK__OP_EXISTS, 1 },       { "default", QK__OP_DEFAULT, 2 },
    { "contains", QK__OP_CONTAINS, 2 },   { "starts_with", QK__OP_STARTS_WITH, 2 },
    { "ends_with", QK__OP_ENDS_WITH, 2 }, { "lower", QK__OP_LOWER, 1 },
    { "upper", QK__OP_UPPER, 1 },         { "json", QK__OP_JSON, 1 },
    { "join", QK__OP_JOIN, 2 },
};
#define FUNCTIONS (sizeof(functions) / sizeof(functions[0]))

static const char *const contexts[] = { "params", "item", "run", "env" };
#define CONTEXTS (sizeof(contexts) / sizeof(contexts[0]))

static uint32_t parse_or(qk__parser *in);

static uint32_t wrong(qk__parser *in, const char *what)
{
    return qk__parser_fail(in, "%s", what);
}

static uint32_t new_expression(qk__parser *in, qk__op op)
{
    qk__condition *out = in->out;
    if (out->count == out->capacity) {
        uint32_t capacity = out->capacity ? out->capacity * 2 : 8;
        qk__expression *items = realloc(out->items, capacity * sizeof(*items));
        if (!items)
            return qk__parser_no_memory(in);
        out->items = items;
        out->capacity = capacity;
    }
    out->items[out->count] = (qk__expression){ .op = (uint8_t)op,
                                               .first = QK__CONDITION_NONE,
                                               .next = QK__CONDITION_NONE };
    return out->count++;
}

/* Appends to the children of `parent`; `last` is the present last one. */
static void link_child(qk__parser *in, uint32_t parent, uint32_t last, uint32_t child)
{
    if (last == QK__CONDITION_NONE)
        in->out->items[parent].first = child;
    else
        in->out->items[last].next = child;
}

static uint32_t literal(qk__parser *in, qk__value value)
{
    uint32_t made = new_expression(in, QK__OP_LITERAL);
    if (made != QK__CONDITION_NONE)
        in->out->items[made].literal = value;
    return made;
}

/* The index of the node of that name, which is entered if it is new. */
static uint32_t node_of(qk__parser *in, const char *name)
{
    qk__condition *out = in->out;
    for (uint32_t i = 0; i < out->node_count; i++) {
        if (strcmp(out->nodes[i], name) == 0)
            return i;
    }
    if (out->node_count == out->node_capacity) {
        uint32_t capacity = out->node_capacity ? out->node_capacity * 2 : 4;
        const char **nodes = realloc(out->nodes, capacity * sizeof(*nodes));
        if (!nodes)
            return qk__parser_no_memory(in);
        out->nodes = nodes;
        out->node_capacity = capacity;
    }
    out->nodes[out->node_count] = name;
    return out->node_count++;
}

/* After a dot: a key. After a bracket: a string or an integer, and the bracket that closes. */
static qk__step *parse_step(qk__parser *in)
{
    qk__step *step = qk__arena_take(&in->out->arena, sizeof(*step));
    if (!step) {
        qk__parser_no_memory(in);
        return NULL;
    }
    *step = (qk__step){ .next = NULL };
    if (in->token == '.') {
        qk__parser_next(in);
        if (in->token != 'a' && !qk__parser_is_word(in))
            return wrong(in, "expected a key after the dot"), NULL;
        step->key = in->text;
        step->length = in->length;
        qk__parser_next(in);
        return step;
    }
    qk__parser_next(in);
    if (in->token == '"') {
        step->key = in->text;
        step->length = in->length;
    } else if (in->token == '0' && in->is_integer) {
        step->index = (int64_t)in->number;
    } else {
        return wrong(in, "expected a string or a whole number in the brackets"), NULL;
    }
    qk__parser_next(in);
    return qk__parser_expect(in, ']') ? step : NULL;
}

static bool parse_steps(qk__parser *in, qk__step **steps)
{
    qk__step **end = steps;
    while (in->token == '.' || in->token == '[') {
        *end = parse_step(in);
        if (!*end)
            return false;
        end = &(*end)->next;
    }
    return !in->failed;
}

/* Settles what a path starts with: tasks.NAME, a context, or a node. */
static bool settle_root(qk__parser *in, qk__expression *out, const char *name)
{
    if (strcmp(name, "tasks") == 0) {
        if (!out->steps || !out->steps->key || !*out->steps->key)
            return wrong(in, "expected a node's name after tasks, as in tasks.clean.rows"), false;
        name = out->steps->key;
        out->steps = out->steps->next;
    } else {
        for (uint32_t i = 0; i < CONTEXTS; i++) {
            if (strcmp(name, contexts[i]) == 0) {
                out->is_context = true;
                out->root = i;
                in->out->contexts |= 1u << i;
                return true;
            }
        }
    }
    out->root = node_of(in, name);
    return out->root != QK__CONDITION_NONE;
}

static uint32_t parse_path(qk__parser *in, const char *name, size_t where, qk__op op)
{
    qk__expression path = { .op = (uint8_t)op,
                            .where = (uint32_t)where,
                            .first = QK__CONDITION_NONE,
                            .next = QK__CONDITION_NONE };
    if (!parse_steps(in, &path.steps) || !settle_root(in, &path, name))
        return QK__CONDITION_NONE;
    uint32_t made = new_expression(in, op);
    if (made != QK__CONDITION_NONE)
        in->out->items[made] = path;
    return made;
}

/* Behind "status(": a node's name, bare or as a string. */
static uint32_t parse_status(qk__parser *in)
{
    const char *name = in->text;
    bool quoted = in->token == '"';
    size_t where = (size_t)(in->token_at - in->start);
    uint32_t made;
    if (!quoted && in->token != 'a')
        return wrong(in, "expected a node's name");
    qk__parser_next(in);
    if (quoted) {
        made = new_expression(in, QK__OP_STATUS);
        uint32_t root = made == QK__CONDITION_NONE ? made : node_of(in, name);
        if (root == QK__CONDITION_NONE)
            return root;
        in->out->items[made].root = root;
        in->out->items[made].where = (uint32_t)where;
    } else {
        made = parse_path(in, name, where, QK__OP_STATUS);
        if (made == QK__CONDITION_NONE)
            return made;
        const qk__expression *path = &in->out->items[made];
        if (path->is_context || path->steps)
            return wrong(in, "status() takes a node's name only");
    }
    return qk__parser_expect(in, ')') ? made : QK__CONDITION_NONE;
}

/* Behind an opening bracket: values up to `end`. Returns how many, or -1. */
static int parse_arguments(qk__parser *in, uint32_t parent, char end)
{
    uint32_t last = QK__CONDITION_NONE;
    int count = 0;
    while (in->token != end) {
        if (count > 0 && !qk__parser_expect(in, ','))
            return -1;
        uint32_t child = parse_or(in);
        if (child == QK__CONDITION_NONE)
            return -1;
        link_child(in, parent, last, child);
        last = child;
        count++;
    }
    qk__parser_next(in);
    return in->failed ? -1 : count;
}

/* At the bracket behind a name. */
static uint32_t parse_call(qk__parser *in, const char *name)
{
    size_t i = 0;
    while (i < FUNCTIONS && strcmp(functions[i].name, name) != 0)
        i++;
    if (i == FUNCTIONS)
        return qk__parser_fail(in,
                               "no function '%.40s': there are status, len, exists, default, "
                               "contains, starts_with, ends_with, lower, upper, json and join",
                               name);
    qk__parser_next(in);
    if (functions[i].op == QK__OP_STATUS)
        return parse_status(in);
    uint32_t call = new_expression(in, functions[i].op);
    if (call == QK__CONDITION_NONE)
        return call;
    int count = parse_arguments(in, call, ')');
    if (count >= 0 && count != functions[i].arguments)
        return qk__parser_fail(in, "%s() takes %d argument%s", name, functions[i].arguments,
                               functions[i].arguments == 1 ? "" : "s");
    return count < 0 ? QK__CONDITION_NONE : call;
}

static uint32_t parse_name(qk__parser *in)
{
    const char *name = in->text;
    size_t where = (size_t)(in->token_at - in->start);
    qk__parser_next(in);
    return in->token == '(' ? parse_call(in, name) : parse_path(in, name, where, QK__OP_PATH);
}

static uint32_t parse_value(qk__parser *in)
{
    qk__value value = { .type = QK__VALUE_NULL, .text = in->text, .length = in->length };
    switch (in->token) {
    case 'a':
        return parse_name(in);
    case '(':
        qk__parser_next(in);
        uint32_t inner = parse_or(in);
        return inner != QK__CONDITION_NONE && qk__parser_expect(in, ')') ? inner
                                                                         : QK__CONDITION_NONE;
    case '0':
        value.type = QK__VALUE_NUMBER;
        value.number = in->number;
        break;
    case '"':
        value.type = QK__VALUE_STRING;
        break;
    case QK__TOKEN_TRUE:
    case QK__TOKEN_FALSE:
        value.type = QK__VALUE_BOOL;
        value.boolean = in->token == QK__TOKEN_TRUE;
        break;
    case QK__TOKEN_NULL:
        break;
    default:
        return wrong(in, in->token ? "expected a value" : "unexpected end, expected a value");
    }
    qk__parser_next(in);
    return in->failed ? QK__CONDITION_NONE : literal(in, value);
}

static qk__op comparison(const qk__parser *in)
{
    switch (in->token) {
    case '=':
        return QK__OP_EQ;
    case QK__TOKEN_NE:
        return QK__OP_NE;
    case '<':
        return QK__OP_LT;
    case QK__TOKEN_LE:
        return QK__OP_LE;
    case '>':
        return QK__OP_GT;
    case QK__TOKEN_GE:
        return QK__OP_GE;
    case QK__TOKEN_IN:
        return QK__OP_IN;
    default:
        return QK__OP_LITERAL;
    }
}

static uint32_t parse_list(qk__parser *in)
{
    uint32_t list = new_expression(in, QK__OP_LIST);
    if (list == QK__CONDITION_NONE)
        return list;
    qk__parser_next(in);
    return parse_arguments(in, list, ']') < 0 ? QK__CONDITION_NONE : list;
}

static uint32_t parse_comparison(qk__parser *in)
{
    uint32_t left = parse_value(in);
    qk__op op = comparison(in);
    if (left == QK__CONDITION_NONE || op == QK__OP_LITERAL)
        return left;
    qk__parser_next(in);
    uint32_t right = op == QK__OP_IN && in->token == '[' ? parse_list(in) : parse_value(in);
    if (right == QK__CONDITION_NONE)
        return right;
    if (comparison(in) != QK__OP_LITERAL)
        return wrong(in, "comparisons cannot be chained: join two with and");
    uint32_t made = new_expression(in, op);
    if (made != QK__CONDITION_NONE) {
        in->out->items[made].first = left;
        in->out->items[left].next = right;
    }
    return made;
}

static uint32_t parse_not(qk__parser *in)
{
    if (in->token != QK__TOKEN_NOT)
        return parse_comparison(in);
    if (++in->depth > QK__CONDITION_DEPTH)
        return wrong(in, "nested too deep");
    qk__parser_next(in);
    uint32_t inner = parse_not(in);
    in->depth--;
    uint32_t made = inner == QK__CONDITION_NONE ? inner : new_expression(in, QK__OP_NOT);
    if (made != QK__CONDITION_NONE)
        in->out->items[made].first = inner;
    return made;
}

/* A chain of like operators becomes one expression with many children. */
static uint32_t parse_chain(qk__parser *in, qk__op op, char token, uint32_t (*part)(qk__parser *))
{
    uint32_t last = part(in);
    if (last == QK__CONDITION_NONE || in->token != token)
        return last;
    uint32_t made = new_expression(in, op);
    if (made == QK__CONDITION_NONE)
        return made;
    in->out->items[made].first = last;
    while (in->token == token) {
        qk__parser_next(in);
        uint32_t child = part(in);
        if (child == QK__CONDITION_NONE)
            return child;
        link_child(in, made, last, child);
        last = child;
    }
    return made;
}

static uint32_t parse_and(qk__parser *in)
{
    return parse_chain(in, QK__OP_AND, QK__TOKEN_AND, parse_not);
}

static uint32_t parse_or(qk__parser *in)
{
    if (++in->depth > QK__CONDITION_DEPTH)
        return wrong(in, "nested too deep");
    uint32_t made = parse_chain(in, QK__OP_OR, QK__TOKEN_OR, parse_and);
    in->depth--;
    return in->failed ? QK__CONDITION_NONE : made;
}

qk_status qk__condition_parse_at(qk__condition **out, size_t *where, const char *text,
                                 size_t length, qk_error *err)
{
    *out = NULL;
    *where = 0;
    if (length > QK__CONDITION_MAX)
        return qk__error(err, QK_ETOOLARGE, "longer than %d bytes", QK__CONDITION_MAX);
    qk__condition *made = calloc(1, sizeof(*made));
    if (!made)
        return qk__error(err, QK_ENOMEM, "out of memory");
    qk__parser in = { .out = made, .start = text, .at = text, .end = text + length };
    qk__parser_next(&in);
    if (!in.failed)
        made->root = parse_or(&in);
    if (!in.failed && in.token)
        wrong(&in, "expected an operator or the end");
    if (in.failed) {
        qk__condition_free(made);
        *where = in.where;
        return qk__error(err, in.no_memory ? QK_ENOMEM : QK_EINVAL, "%s", in.message);
    }
    *out = made;
    return QK_OK;
}

qk_status qk__condition_parse(qk__condition **out, const char *text, size_t length, qk_error *err)
{
    qk_error problem = QK_ERROR_INIT;
    size_t where = 0;
    qk_status rc = qk__condition_parse_at(out, &where, text, length, &problem);
    if (rc == QK_EINVAL)
        return qk__error(err, rc, "at byte %zu: %s", where + 1, problem.message);
    return rc ? qk__error(err, rc, "%s", problem.message) : QK_OK;
}

void qk__condition_free(qk__condition *condition)
{
    if (!condition)
        return;
    qk__arena_dispose(&condition->arena);
    free(condition->items);
    free(condition->nodes);
    free(condition);
}

size_t qk__condition_node_count(const qk__condition *condition)
{
    return condition->node_count;
}

const char *qk__condition_node(const qk__condition *condition, size_t index)
{
    return condition->nodes[index];
}

bool qk__condition_uses(const qk__condition *condition, qk__context context)
{
    return (condition->contexts >> context & 1u) != 0;
}

bool qk__condition_next_reference(qk__reference *out, const qk__condition *condition, size_t *at)
{
    while (*at < condition->count) {
        const qk__expression *item = &condition->items[(*at)++];
        if (item->op != QK__OP_PATH && item->op != QK__OP_STATUS)
            continue;
        *out = (qk__reference){ .where = item->where };
        if (item->is_context) {
            out->context = (qk__context)item->root;
            out->key = item->steps ? item->steps->key : NULL;
        } else {
            out->node = condition->nodes[item->root];
        }
        return true;
    }
    return false;
}
