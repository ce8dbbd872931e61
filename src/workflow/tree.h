/*
 * A YAML document as a tree that knows where each part stands.
 *
 * YAML 1.2's core schema: unquoted null, true, false and numbers are that, everything else is text.
 * One document; keys are scalars and stand once; aliases share their target, and what a document
 * amounts to with all of them written out is bounded, as are its depth and size. No tags but !!str,
 * no merge keys. Texts hold no NUL.
 *
 * Everything lives in the arena of the tree. A tree is immutable once read: any thread may read it.
 */
#ifndef QK_WORKFLOW_TREE_H
#define QK_WORKFLOW_TREE_H

#include <queuack/types.h>

#include "util/arena.h"

#define QK__YAML_DEPTH_MAX 200
#define QK__YAML_NODES_MAX ((size_t)8 << 20) /* with aliases written out */

typedef enum qk__yaml_type {
    QK__YAML_NULL = 0,
    QK__YAML_BOOL = 1,
    QK__YAML_INT = 2,
    QK__YAML_FLOAT = 3,
    QK__YAML_STRING = 4,
    QK__YAML_LIST = 5,
    QK__YAML_MAP = 6,
} qk__yaml_type;

typedef enum qk__yaml_style {
    QK__YAML_PLAIN = 0,
    QK__YAML_SINGLE = 1,
    QK__YAML_DOUBLE = 2,
    QK__YAML_LITERAL = 3,
    QK__YAML_FOLDED = 4,
} qk__yaml_style;

/* A place in a file; both from 1, the column in characters. */
typedef struct qk__place {
    int line, column;
} qk__place;

typedef struct qk__yaml_node qk__yaml_node;

struct qk__yaml_node {
    qk__yaml_type type;
    qk__yaml_style style; /* of a scalar */
    qk__place place;
    const char *text; /* of a scalar: its text, NUL-terminated; numbers as they were written */
    size_t length;
    bool boolean;
    size_t count; /* items of a list, pairs of a map */
    const qk__yaml_node **items; /* of a map: key, value, key, value … */
    size_t weight; /* nodes in it, with aliases written out */
};

typedef struct qk__yaml {
    qk__arena arena;
    const char *file; /* for messages; borrowed */
    const char *source; /* borrowed while the tree is in use */
    size_t source_length;
    const qk__yaml_node *root; /* of an empty document: a null */
} qk__yaml;

/* Dispose in every case. QK_EINVAL (with the place), QK_ETOOLARGE, QK_ENOMEM. */
qk_status qk__yaml_read(qk__yaml *out, const char *file, const char *text, size_t length,
                        qk_error *err);
void qk__yaml_dispose(qk__yaml *tree);

/* The value of a key, or NULL; *key (may be NULL) is the key's own node. */
const qk__yaml_node *qk__yaml_get(const qk__yaml_node *map, const char *name,
                                  const qk__yaml_node **key);
/* "a list", "text", "the number 3" …: what it is, for messages. */
const char *qk__yaml_describe(char out[64], const qk__yaml_node *node);
/* Where byte `offset` of a scalar's text stands, as well as that can be told. */
qk__place qk__yaml_place(const qk__yaml *tree, const qk__yaml_node *scalar, size_t offset);

/* "FILE:LINE:COLUMN: message". Returns the code. */
qk_status qk__yaml_error(qk_error *err, qk_status code, const char *file, qk__place place,
                         const char *format, ...) QK_PRINTF(5, 6);

#endif
