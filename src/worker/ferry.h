/*
 * Nodes whose run is in another store: after the run was submitted there, the node holds no slot but
 * waits here, on one thread of the pool, whatever the number of nodes.
 *
 * The id of the child follows from the node's job, and its store is named in the node's payload, so
 * both are on the disk before anything happens there; submitting again is recognised by the id. So a
 * crash repeats nothing, and whoever claims the node next waits for the same run. The thread renews
 * the nodes' leases, tells the other store of pauses and cancels, and reports the end. When the pool
 * stops, waiting nodes are handed back and their runs go on.
 */
#ifndef QK_WORKER_FERRY_H
#define QK_WORKER_FERRY_H

#include <queuack/worker.h>

typedef struct qk__ferry qk__ferry;

/* The id of the run in another store of the node with this job. */
qk_id qk__ferry_child(qk_id job);

/* The task's node waits for the run `child` of `other` from now on; the slot must not report it.
 * QK_ENOMEM, QK_ECLOSED: the pool is stopping. */
qk_status qk__ferry_put(qk_task *task, qk_queue *other, qk_id child, qk_error *err);

/* After the last slot has ended: hands back what waits, joins, frees. */
void qk__ferry_finish(qk_worker *pool);

#endif
