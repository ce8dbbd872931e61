/*
 * What the expressions of one text of a task may ask for, and the values that travel with its job.
 * One thread, as long as the task is loaded.
 */
#ifndef QK_WORKFLOW_SCOPE_H
#define QK_WORKFLOW_SCOPE_H

#include "dag/condition.h"
#include "workflow/loading.h"

typedef struct qk__scope {
    const qk__task_load *task;
    bool no_item; /* item is not known here */
    bool no_env; /* what is read here is stored: no secrets */
    bool claimed; /* evaluated before the job runs: of run only id and name are known */
    const char **values; /* expressions, each once, in the arena */
    size_t count, capacity;
} qk__scope;

/* Checks an expression that stands at byte `offset` of a scalar. */
qk_status qk__scope_check(const qk__scope *scope, const qk__yaml_node *node, size_t offset,
                          const char *text, size_t length);
/* The same, and *index is its place among the values. */
qk_status qk__scope_value(qk__scope *scope, size_t *index, const qk__yaml_node *node, size_t offset,
                          const char *text, size_t length);
/* Every ${…} in the node and below, keys aside. */
qk_status qk__scope_check_all(const qk__scope *scope, const qk__yaml_node *node);
/* True if there is any ${…} of ours, or an escape, in it. */
bool qk__has_template(const qk__yaml_node *node);

/* shell.c: a shell line in which each ${…} has become a reference to a variable. `shell` is its
 * program, whose quoting is known if it is a Bourne shell; others take no ${…}. */
qk_status qk__compile_shell(qk__buffer *out, qk__scope *scope, const qk__yaml_node *node,
                            const char *shell);
/* True for the name or path of sh, bash, dash, ash, ksh, mksh and zsh. */
bool qk__is_shell(const char *program);

/* sql.c: SQL in which each ${…} has become a named parameter. */
qk_status qk__compile_sql(qk__buffer *out, qk__scope *scope, const qk__yaml_node *node);

#endif
