/*
 * Conditions and expressions: a small language over upstream results, parsed and evaluated without
 * executing anything. docs/conditions.md is its description for people.
 *
 *   or      := and { "or" and }                       also ||
 *   and     := not { "and" not }                      also &&
 *   not     := [ "not" ] compare                      also !
 *   compare := value [ ("==" | "!=" | "<" | "<=" | ">" | ">=" | "in") value ]
 *   value   := literal | path | call | "(" or ")"
 *   literal := number | string in ' or " | "true" | "false" | "null"
 *   path    := name { "." key | "[" (string | integer) "]" }      tasks["a b"].rows for odd names
 *   call    := function "(" [ or { "," or } ] ")"
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
void qk__condition_free(qk__condition *condition); /* NULL-safe */

/* Names that paths start with and that status() asks for, each once, in order of appearance:
 * "clean" for clean.rows, tasks.clean.rows and status(clean). Borrowed. With `item`, `params`,
 * `run` and `env` as they stand. */
size_t qk__condition_root_count(const qk__condition *condition);
const char *qk__condition_root(const qk__condition *condition, size_t index);

/* Where values come from. */
typedef struct qk__condition_source {
    /* JSON text of what `root` stands for: a node's result, or all of params, item, run, env. NULL:
     * there is none. Must stay valid until the evaluation ends. Asked at most once per use. */
    const char *(*value)(void *user, size_t *length, const char *root);
    /* The status of a node; false: there is none of that name (status() is then null). */
    bool (*status)(void *user, qk_job_status *out, const char *node);
    void *user;
} qk__condition_source;

/* QK_ENOMEM. */
qk_status qk__condition_eval(bool *out, const qk__condition *condition,
                             const qk__condition_source *source);

/* The value itself as JSON text, for ${…}; free() it. */
qk_status qk__condition_value(char **out, const qk__condition *condition,
                              const qk__condition_source *source);

#endif
