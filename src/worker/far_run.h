/*
 * The run of a sub-DAG node in another store: made there, opened again, read. The slot's thread, or
 * the ferry's. Everything goes through the other store's handle.
 */
#ifndef QK_WORKER_FAR_RUN_H
#define QK_WORKER_FAR_RUN_H

#include <queuack/task.h>

/* Submits the DAG there as the run of this id and node; again is recognised. Seals the DAG. Errors as
 * qk_run_submit. */
qk_status qk__far_submit(qk_queue *other, qk_dag *dag, qk_id child, qk_id node, qk_error *err);

/* Whether the run `child` is there; one that has ended badly is opened again if the node has failed
 * since, which was a person's doing. *found. What the stores may fail with. */
qk_status qk__far_find(bool *found, qk_queue *own, qk_queue *other, qk_id child, qk_id node,
                       qk_error *err);

/* The map of the results of the run's done leaves, malloc'd; above `limit` bytes a reference,
 * {"$store_run":id}. */
qk_status qk__far_result(char **out, qk_queue *other, qk_id child, size_t limit, qk_error *err);

#endif
