/*
 * A DAG made ready for a store: a run and its jobs, parents first, with ids and every default.
 */
#ifndef QK_DAG_SUBMISSION_H
#define QK_DAG_SUBMISSION_H

#include <queuack/dag.h>

#include "queue/spec.h"
#include "store/store.h"

/* Borrows from the DAG, which must outlive it. Zero-initialise; dispose in any case. */
typedef struct qk__submission {
    qk__new_run run;
    qk__new_job *jobs;
    size_t count;
    /* private */
    qk__spec_memory memory;
    qk_id *needs;
    char **payloads;
    char *definition;
} qk__submission;

/* `expansion`: of a sub-DAG node, or nodes added to a run: never refused for backpressure. Seals the
 * DAG. `outer` (may be NULL): ids of the nodes that an addition depends on, by index of
 * graph.outer. Errors name node and DAG: QK_EINVAL, QK_ETOOLARGE, QK_ENOMEM, as qk_dag_validate. */
qk_status qk__submission_make(qk__submission *out, const qk_queue *queue, qk_dag *dag,
                              bool expansion, const qk_id *outer, qk_error *err);
void qk__submission_dispose(qk__submission *submission);

#endif
