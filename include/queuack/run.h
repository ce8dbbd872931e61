/*
 * Runs: executions of a DAG.
 *
 * A run is submitted whole, with its definition, in one commit; it ends when every node is terminal.
 * A sub-DAG node is the parent of a run of its own. All calls take a queue handle, are safe from any
 * thread, and return only when what they report is durable, unless they say otherwise.
 */
#ifndef QUEUACK_RUN_H
#define QUEUACK_RUN_H

#include <queuack/dag.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum qk_run_status {
    QK_RUN_PENDING = 0, /* no node has started */
    QK_RUN_RUNNING = 1,
    QK_RUN_PAUSED = 2, /* it, or a run around it */
    QK_RUN_DONE = 3,
    QK_RUN_FAILED = 4, /* a node failed or was cancelled, or was skipped for a failure elsewhere */
    QK_RUN_CANCELLED = 6, /* by a person */
} qk_run_status;

#ifdef __cplusplus
}
#endif
#endif
