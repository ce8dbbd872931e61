/*
 * Conditions and expressions: a small language over upstream results, parsed and evaluated without
 * executing anything. docs/conditions.md is its description for people.
 *
 *   or      := and { "or" and }                       also ||
 *   and     := not { "and" not }                      also &&
 *   not     := [ "not" ] compare                      also !
 *   compare := value [ ("==" | "!=" | "<" | "<=" | ">" | ">=" | "in") value ]
 *   value   := literal | list | path | call | "(" or ")"
 *   literal := number | string in ' or " | "true" | "false" | "null"
 *   list    := "[" [ or { "," or } ] "]"                          right of "in" only
 *   path    := name { "." key | "[" (string | integer) "]" }      tasks["a b"].rows for odd names
 *   call    := status(node) | len(x) | exists(x) | default(x, y) | contains(x, y)
 *            | starts_with(x, y) | ends_with(x, y) | lower(x) | upper(x) | json(x) | join(x, y)
 *
 * Evaluation is total: what is missing is null; unlike types are never equal; ordering compares two
 * numbers or two strings and is false for anything else. False are false, null, 0, "", [] and {}.
 * So a condition has an outcome whatever the results look like; the only error is QK_ENOMEM.
 *
 * This header and its source depend on util/ alone, so that a store may use them. A parsed condition
 * is immutable: any thread may evaluate it.
 */
#ifndef QK_DAG_CONDITION_H
#define QK_DAG_CONDITION_H

#include <queuack/job.h>

typedef struct qk__condition qk__condition;

/* QK_EINVAL with the place ("at byte 7: …"), QK_ETOOLARGE, QK_ENOMEM. */
qk_status qk__condition_parse(qk__condition **out, const char *text, size_t length, qk_error *err);
/* The same, telling apart where (a byte, from 0) and what. */
qk_status qk__condition_parse_at(qk__condition **out, size_t *where, const char *text,
                                 size_t length, qk_error *err);
void qk__condition_free(qk__condition *condition); /* NULL-safe */

/* What a path can start with besides a node. These words win over nodes of the same name, which are
 * still reached as tasks.run, say. */
typedef enum qk__context {
    QK__CONTEXT_PARAMS = 0,
    QK__CONTEXT_ITEM = 1,
    QK__CONTEXT_RUN = 2,
    QK__CONTEXT_ENV = 3,
} qk__context;

/* Nodes that it asks for, each once, in order of appearance: "clean" for clean.rows,
 * tasks.clean.rows and status(clean). Borrowed. */
size_t qk__condition_node_count(const qk__condition *condition);
const char *qk__condition_node(const qk__condition *condition, size_t index);
/* True if it asks for that context. */
bool qk__condition_uses(const qk__condition *condition, qk__context context);

/* One path of it, or one status(): what it asks for. Borrowed. */
typedef struct qk__reference {
    const char *node; /* NULL: a context */
    qk__context context;
    const char *key; /* the first key behind a context; NULL: an index or none */
    size_t where; /* the byte of the text where it begins, from 0 */
} qk__reference;

/* The next one from *at (start with 0) on; false: there is none. */
bool qk__condition_next_reference(qk__reference *out, const qk__condition *condition, size_t *at);

/* Where values come from. Slots may be NULL: there is then nothing of that sort. What they return
 * must stay valid until the evaluation ends. */
typedef struct qk__condition_source {
    /* JSON text of a node's result; NULL: it has none. */
    const char *(*result)(void *user, size_t *length, const char *node);
    /* False: there is no such node; status() is then null. */
    bool (*status)(void *user, qk_job_status *out, const char *node);
    /* JSON text of all of a context; NULL: there is none. */
    const char *(*context)(void *user, size_t *length, qk__context context);
    void *user;
} qk__condition_source;

/* QK_ENOMEM. */
qk_status qk__condition_eval(bool *out, const qk__condition *condition,
                             const qk__condition_source *source);

/* The value itself as JSON text, for ${…}; free() it. */
qk_status qk__condition_value(char **out, const qk__condition *condition,
                              const qk__condition_source *source);

#endif
