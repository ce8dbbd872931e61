/*
 * Inside a dry run: what was given, and the state of each DAG that runs. One thread.
 */
#ifndef QK_DAG_SIMULATE_H
#define QK_DAG_SIMULATE_H

#include "dag/graph.h"
#include "queue/rules.h"
#include "util/json_walk.h"

#define QK__NO_CAUSE UINT32_MAX

/* A node that is to fail, or whose condition is to be false. */
typedef struct qk__given_node {
    const qk_dag *dag;
    size_t index;
    bool failing;
} qk__given_node;

typedef struct qk__given {
    const qk_dag *top;
    qk__given_node *items;
    size_t count;
    qk__json_span results; /* at NULL: none */
} qk__given;

typedef struct qk__scene_node {
    qk__parents parents; /* those that are terminal */
    uint32_t cause; /* of the parents' failures the first; QK__NO_CAUSE: skipped by a condition */
    uint32_t failed_as; /* failed: the place in the order of finishing */
    uint8_t status; /* qk_job_status; pending: not decided, or running */
    bool started, given_failing, given_untrue;
} qk__scene_node;

typedef struct qk__scene qk__scene;
struct qk__scene {
    qk_dag *dag;
    const qk__given *given;
    const qk__json_span *results; /* NULL: conditions are taken to be true */
    qk__scene_node *nodes;
    qk__scene **children; /* of sub-DAGs that ran; NULL if there are none */
    uint32_t *finishing, *skips; /* queues; a node enters each at most once */
    uint32_t finishing_at, finishing_end, skips_at, skips_end;
    bool failed;
};

/* On failure *out may be set; free it all the same. QK_ENOMEM. */
qk_status qk__scene_new(qk__scene **out, const qk__given *given, qk_dag *dag);
qk_status qk__scene_run(qk__scene *scene);
void qk__scene_free(qk__scene *scene);

#endif
