/*
 * Which nodes a person's retry opens again: pure planning over a picture of one tree of runs, made by
 * embedded_retry_run.c from the tables and the engine. No I/O, no lock; any thread.
 */
#ifndef QK_STORE_EMBEDDED_RETRY_H
#define QK_STORE_EMBEDDED_RETRY_H

#include <queuack/job.h>

#define QK__NOWHERE SIZE_MAX

struct plan_node {
    qk_id id, run_id;
    size_t run, child; /* indexes of runs; QK__NOWHERE. A job of no run has a child only */
    uint8_t status;
    bool for_failure; /* skipped, because of one */
    bool live; /* in memory, not ended */
    bool waiting;
    bool marked, waits; /* the outcome: to be opened, back to waiting */
};

struct plan_run {
    qk_id id, parent_job;
    size_t parent; /* node; QK__NOWHERE */
    size_t first, count; /* its nodes in `by_run` */
};

struct plan_edge {
    size_t parent, child; /* nodes */
};

struct picture {
    struct plan_node *nodes; /* sorted by id */
    size_t node_count;
    size_t *by_run; /* nodes, grouped */
    struct plan_run *runs; /* sorted by id */
    size_t run_count;
    struct plan_edge *edges; /* within a run, sorted by parent */
    size_t edge_count;
};

enum retry_what { RETRY_RUN, RETRY_FROM, RETRY_NODE };

size_t plan_find_node(const struct picture *picture, qk_id id);
size_t plan_find_run(const struct picture *picture, qk_id id);

/* Marks what is to be opened. QK_ESTATE: that is nothing, or what is above or below forbids it;
 * QK_ENOMEM. `node` for RETRY_FROM and RETRY_NODE. */
qk_status plan_retry(struct picture *picture, enum retry_what what, size_t run, size_t node,
                     qk_error *err);

#endif
