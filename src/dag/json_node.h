/*
 * Reading one node of a JSON definition. One thread; recursion over sub-DAGs in place only.
 */
#ifndef QK_DAG_JSON_NODE_H
#define QK_DAG_JSON_NODE_H

#include "dag/graph.h"
#include "util/json_walk.h"

/* One definition being read, with those inside it. */
typedef struct qk__json_reading {
    const qk_dag_parse_options *options;
    qk__arena arena; /* decoded strings; the DAG makes its own copies */
    int max_depth;
    qk_error *err;
} qk__json_reading;

/* A node as far as it was read. Spans: at NULL: not there. */
typedef struct qk__json_node {
    qk__json_reading *reading;
    qk_dag *dag;
    const char *key; /* the one being read */
    const char *name; /* NULL: an automatic one */
    char label[24]; /* for messages about a node without a name */
    qk_job_options job;
    qk_node_options options;
    const char *kind, *factory, *from, *file, *sql;
    qk__json_span payload, command, cwd, env, slots, params, child, with;
    int depth;
} qk__json_node;

/* A DAG object at that depth; the caller owns *out. */
qk_status qk__json_read_dag(qk_dag **out, qk__json_reading *reading, qk__json_span object,
                            int depth, const char *default_name);
/* Adds the node that the object describes. */
qk_status qk__json_read_node(qk__json_reading *reading, qk_dag *dag, qk__json_span object,
                             int depth);
/* The work of a node whose keys are read: adds it. */
qk_status qk__json_add_work(qk__json_node *node);

qk_status qk__json_wrong(const qk__json_node *node, const char *wanted);
/* Decodes into the arena. QK_EINVAL if it is no string or has a NUL in it. */
qk_status qk__json_text(const char **out, qk__json_node *node, qk__json_span value);

#endif
