/*
 * Names of nodes; see names.h. The table holds indices + 1 and is at most half full. Suggestions are
 * looked for among a bounded number of names and within a bounded distance, so that a mistake in a
 * large DAG is told at once.
 */
#include "dag/names.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "util/error.h"
#include "util/utf8.h"

#define NEAR_ENOUGH 3
#define NAMES_TRIED 100000

char *qk__dag_quote(char out[QK__QUOTE_SIZE], const char *name)
{
    static const char more[] = "\xe2\x80\xa6";
    size_t length = strnlen(name, QK__QUOTE_SIZE);
    size_t room = length < QK__QUOTE_SIZE ? length : QK__QUOTE_SIZE - sizeof(more);
    size_t at = 0;
    for (size_t step; at < room; at += step) {
        step = qk__utf8_sequence(name + at, length - at);
        if (step == 0 || at + step > room)
            break;
    }
    memcpy(out, name, at);
    memcpy(out + at, at < length ? more : "", at < length ? sizeof(more) : 1);
    return out;
}

size_t qk__names_find(const qk_dag *dag, const char *name, size_t length, uint64_t hash)
{
    if (dag->table_size == 0)
        return SIZE_MAX;
    size_t mask = dag->table_size - 1;
    for (size_t at = hash & mask; dag->table[at]; at = (at + 1) & mask) {
        const qk__node *node = &dag->nodes[dag->table[at] - 1];
        if (node->hash == hash && node->name_length == length &&
            memcmp(node->name, name, length) == 0)
            return dag->table[at] - 1;
    }
    return SIZE_MAX;
}

void qk__names_enter(qk_dag *dag, size_t index)
{
    size_t mask = dag->table_size - 1;
    size_t at = dag->nodes[index].hash & mask;
    while (dag->table[at])
        at = (at + 1) & mask;
    dag->table[at] = (uint32_t)index + 1;
}

bool qk__names_reserve(qk_dag *dag)
{
    if ((dag->count + 1) * 2 <= dag->table_size)
        return true;
    size_t size = dag->table_size ? dag->table_size * 2 : 16;
    uint32_t *table = calloc(size, sizeof(*table));
    if (!table)
        return false;
    uint32_t *old = dag->table;
    size_t old_size = dag->table_size;
    dag->table = table;
    dag->table_size = size;
    for (size_t i = 0; i < old_size; i++) {
        if (old[i])
            qk__names_enter(dag, old[i] - 1);
    }
    free(old);
    return true;
}

static unsigned least(unsigned a, unsigned b, unsigned c)
{
    unsigned low = a < b ? a : b;
    return low < c ? low : c;
}

/* One row of the table of edits, for the band around its diagonal; returns the least in it. */
static unsigned next_row(unsigned *row, size_t i, char c, const char *b, size_t b_length)
{
    const unsigned far = NEAR_ENOUGH + 1;
    size_t from = i > NEAR_ENOUGH ? i - NEAR_ENOUGH : 1;
    size_t to = i + NEAR_ENOUGH < b_length ? i + NEAR_ENOUGH : b_length;
    unsigned corner = row[from - 1];
    unsigned best = far;
    row[from - 1] = from == 1 ? (unsigned)i : far;
    for (size_t j = from; j <= to; j++) {
        unsigned above = j == i + NEAR_ENOUGH ? far : row[j];
        unsigned cost = least(corner + (c != b[j - 1]), above + 1, row[j - 1] + 1);
        corner = row[j];
        row[j] = cost;
        best = cost < best ? cost : best;
    }
    return best;
}

/* Edits between two names, or NEAR_ENOUGH + 1 if there are more. */
static unsigned distance(const char *a, size_t a_length, const char *b, size_t b_length)
{
    unsigned row[QK_NAME_MAX + 1];
    const unsigned far = NEAR_ENOUGH + 1;
    size_t gap = a_length > b_length ? a_length - b_length : b_length - a_length;
    if (gap > NEAR_ENOUGH || a_length > QK_NAME_MAX || b_length > QK_NAME_MAX)
        return far;
    for (size_t j = 0; j <= b_length; j++)
        row[j] = (unsigned)j;
    for (size_t i = 1; i <= a_length; i++) {
        if (next_row(row, i, a[i - 1], b, b_length) >= far && i > NEAR_ENOUGH)
            return far;
    }
    return row[b_length] < far ? row[b_length] : far;
}

/* Short names must be nearer. */
static unsigned allowed(size_t length)
{
    return length < 4 ? 1 : length < 8 ? 2 : NEAR_ENOUGH;
}

const char *qk__nearest(const char *const *items, size_t count, const char *name)
{
    size_t length = strnlen(name, QK_NAME_MAX + 1);
    unsigned best = allowed(length) + 1;
    const char *found = NULL;
    for (size_t i = 0; i < count; i++) {
        unsigned far = distance(name, length, items[i], strlen(items[i]));
        if (far < best) {
            best = far;
            found = items[i];
        }
    }
    return found;
}

char *qk__names_suggest(char out[QK__SUGGEST_SIZE], const qk_dag *dag, const char *name)
{
    char quoted[QK__QUOTE_SIZE];
    size_t length = strnlen(name, QK_NAME_MAX + 1);
    size_t count = dag->count < NAMES_TRIED ? dag->count : NAMES_TRIED;
    unsigned best = allowed(length) + 1;
    const char *found = NULL;
    for (size_t i = 0; i < count; i++) {
        const qk__node *node = &dag->nodes[i];
        unsigned far = distance(name, length, node->name, node->name_length);
        if (far < best) {
            best = far;
            found = node->name;
        }
    }
    if (found)
        snprintf(out, QK__SUGGEST_SIZE, "did you mean '%s'?", qk__dag_quote(quoted, found));
    else
        snprintf(out, QK__SUGGEST_SIZE, "add a node of that name or correct it");
    return out;
}

qk_status qk__dag_error(qk_error *err, qk_status code, const qk_dag *dag, const char *node,
                        const char *format, ...)
{
    char message[QK_ERROR_MESSAGE_SIZE];
    char dag_name[QK__QUOTE_SIZE];
    char node_name[QK__QUOTE_SIZE];
    va_list args;
    if (!err)
        return code;
    va_start(args, format);
    vsnprintf(message, sizeof(message), format, args);
    va_end(args);
    qk__dag_quote(dag_name, dag->name);
    if (!node)
        return qk__error(err, code, "DAG '%s': %s", dag_name, message);
    return qk__error(err, code, "DAG '%s', node '%s': %s", dag_name, qk__dag_quote(node_name, node),
                     message);
}
