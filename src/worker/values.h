/*
 * Values of a workflow's expressions for the task that runs: params and the run, upstream results,
 * the item, names of the environment that its "workflow" object allows (queuack/workflow.h). The
 * slot's thread, while the task runs.
 */
#ifndef QK_WORKER_VALUES_H
#define QK_WORKER_VALUES_H

#include "dag/condition.h"
#include "util/json_walk.h"
#include "worker/worker_internal.h"

typedef struct qk__values {
    qk_task *task;
    qk__json_span workflow; /* length 0: none */
    qk__run_info *info; /* read when first asked for */
    char *about_run, *environment; /* JSON, likewise */
    qk_status rc; /* the first failure of the store's: what was evaluated does not count */
    qk_error err;
    qk__condition_source source; /* for qk__expression_… and qk__template_… */
} qk__values;

/* `workflow`: JSON text of the object, borrowed, checked; length 0: none. Dispose in every case. */
void qk__values_init(qk__values *values, qk_task *task, qk__json_span workflow);
void qk__values_dispose(qk__values *values);
/* After evaluating: `rc`, unless the store failed meanwhile; then that, with its message in err. */
qk_status qk__values_check(const qk__values *values, qk_status rc, qk_error *err);

/* The "workflow" member of a payload; length 0: there is none, or it is no object. */
qk__json_span qk__values_find(const char *payload, size_t length);

/* run_info.c: what expressions can ask of a run; shared by the tasks of a pool. */
struct qk__run_info {
    atomic_uint references;
    qk_id id;
    char *name, *params, *trigger; /* params: JSON; NULL: none */
    qk_time created_at, scheduled_for; /* of the root run where it has none of its own */
};
qk_status qk__run_info_get(qk__run_info **out, qk_worker *pool, qk_id run, qk_error *err);
void qk__run_info_drop(qk__run_info *info); /* NULL-safe */

#endif
