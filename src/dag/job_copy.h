/*
 * Options of a node's job, checked and copied into the DAG. And the one way to add a node.
 */
#ifndef QK_DAG_JOB_COPY_H
#define QK_DAG_JOB_COPY_H

#include "dag/graph.h"

/* *out: a copy of `given` (NULL: the defaults) with the ids added to its needs; the one kept last if
 * it is alike. Errors name DAG and node. */
qk_status qk__job_copy(const qk_job_options **out, qk_dag *dag, const char *node,
                       const qk_job_options *given, const qk_id *ids, size_t id_count,
                       qk_error *err);

/* Adds a node whose type, source, kind, payload, subject and child are set; their strings live as
 * long as the DAG. Takes the child over only on success. */
qk_status qk__dag_add_node(qk_dag *dag, const char *name, const qk__node *what,
                           const qk_node_options *options, qk_error *err);

#endif
