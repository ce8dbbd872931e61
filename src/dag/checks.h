/*
 * The checks of qk__dag_prepare, apart from the graph itself. Each reports through `problem`.
 */
#ifndef QK_DAG_CHECKS_H
#define QK_DAG_CHECKS_H

#include "dag/graph.h"

typedef struct qk__checks {
    qk_dag *dag;
    qk_error *err;
    size_t problems;
    qk_error first; /* with fail_fast off */
} qk__checks;

/* Reports a problem of a node (NULL: of the DAG): ends the checks with `code` if fail_fast is on,
 * else tells it and returns QK_OK. */
qk_status qk__checks_problem(qk__checks *checks, qk_status code, const char *node,
                             const char *format, ...) QK_PRINTF(4, 5);

/* Conditions ask for parents only; kinds and factories exist. */
qk_status qk__checks_nodes(qk__checks *checks, const qk__graph *graph);
/* A chain "a → b → a" among the nodes that no order reached: those with left[i] > 0. */
qk_status qk__checks_cycle(qk__checks *checks, const qk__graph *graph, const uint32_t *left);
/* No entry point, disconnected parts. QK_ENOMEM. */
qk_status qk__checks_warn(qk__checks *checks, const qk__graph *graph);

#endif
