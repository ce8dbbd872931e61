/*
 * The parsed form of a condition: expressions in one array, linked by index, strings in an arena.
 * Written by condition_parse.c, read by condition_eval.c.
 *
 * Invariants: children have higher depth than their parent, at most QK__CONDITION_DEPTH; a path has a
 * node or a context as its root; literals and keys are decoded.
 */
#ifndef QK_DAG_CONDITION_INTERNAL_H
#define QK_DAG_CONDITION_INTERNAL_H

#include "dag/condition.h"
#include "util/arena.h"

#define QK__CONDITION_DEPTH 64
#define QK__CONDITION_NONE UINT32_MAX

typedef enum qk__op {
    QK__OP_LITERAL,
    QK__OP_PATH,
    QK__OP_LIST,
    QK__OP_NOT,
    QK__OP_AND,
    QK__OP_OR,
    QK__OP_EQ,
    QK__OP_NE,
    QK__OP_LT,
    QK__OP_LE,
    QK__OP_GT,
    QK__OP_GE,
    QK__OP_IN,
    QK__OP_STATUS,
    QK__OP_LEN,
    QK__OP_EXISTS,
    QK__OP_DEFAULT,
    QK__OP_CONTAINS,
    QK__OP_STARTS_WITH,
    QK__OP_ENDS_WITH,
    QK__OP_LOWER,
    QK__OP_UPPER,
    QK__OP_JSON,
    QK__OP_JOIN,
} qk__op;

typedef enum qk__value_type {
    QK__VALUE_NULL,
    QK__VALUE_BOOL,
    QK__VALUE_NUMBER,
    QK__VALUE_STRING,
    QK__VALUE_JSON, /* an object or array */
} qk__value_type;

typedef struct qk__value {
    qk__value_type type;
    bool boolean;
    double number;
    const char
        *text; /* a string's bytes, or the JSON of a container; of a number: as it was written,
                         or NULL */
    size_t length;
} qk__value;

/* A step of a path: a key, or an index into an array where key is NULL. */
typedef struct qk__step {
    struct qk__step *next;
    const char *key;
    size_t length;
    int64_t index; /* negative: from the end */
} qk__step;

typedef struct qk__expression {
    uint8_t op; /* qk__op */
    bool is_context;
    uint32_t root; /* path, status: index of a node, or a qk__context */
    uint32_t where; /* path, status: the byte it begins at */
    uint32_t first, next; /* child, sibling; QK__CONDITION_NONE */
    qk__value literal;
    qk__step *steps;
} qk__expression;

struct qk__condition {
    qk__arena arena;
    qk__expression *items;
    uint32_t count, capacity;
    uint32_t root;
    const char **nodes;
    uint32_t node_count, node_capacity;
    uint32_t contexts; /* a bit each */
};

#endif
