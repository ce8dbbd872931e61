/*
 * Texts with ${…} in them: where expressions stand, and what such a text amounts to.
 *
 * ${x} is an expression if x holds a dot, is `item`, or is a call (a name and a bracket); others, as
 * ${HOME}, are left as they are, for a shell to see. $${ stands for the two characters ${. Expressions
 * are those of condition.h. Pure but for what the source does; any thread.
 */
#ifndef QK_DAG_TEMPLATE_H
#define QK_DAG_TEMPLATE_H

#include "dag/condition.h"
#include "util/buffer.h"

/* Bytes of the ${…} that text[0] begins, its brackets included; 0: it begins none, or does not end.
 * A } within quotes does not end it. */
size_t qk__template_span(const char *text, size_t length);
/* Whether what stands between the brackets is an expression of ours. */
bool qk__template_is_ours(const char *inner, size_t length);

typedef struct qk__piece {
    bool is_expression;
    const char *at; /* the text, or the expression without its brackets */
    size_t length;
} qk__piece;

/* The next piece from *at (start with 0) on; false: the end. */
bool qk__template_next(qk__piece *out, const char *text, size_t length, size_t *at);
/* True if it has an expression or an escape in it. */
bool qk__template_has_any(const char *text, size_t length);

/*
 * Appends. An expression's value as text: strings as they are, numbers as they were written, lists
 * and objects as JSON. QK_EINVAL (it is null or missing, or cannot be parsed), QK_ENOMEM.
 */
qk_status qk__expression_text(qk__buffer *out, const char *expression, size_t length,
                              const qk__condition_source *source, qk_error *err);
qk_status qk__template_text(qk__buffer *out, const char *text, size_t length,
                            const qk__condition_source *source, qk_error *err);
/* As JSON: of a text that is nothing but one expression its value, else a string. */
qk_status qk__template_json(qk__buffer *out, const char *text, size_t length,
                            const qk__condition_source *source, qk_error *err);
/* A JSON value (checked) with every string in it treated like that; keys stay. */
qk_status qk__template_expand(qk__buffer *out, const char *json, size_t length,
                              const qk__condition_source *source, qk_error *err);

#endif
