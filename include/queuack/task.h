/*
 * What a running handler can ask for and say.
 *
 * A qk_task is valid during the handler's call only, on any thread of the handler's.
 */
#ifndef QUEUACK_TASK_H
#define QUEUACK_TASK_H

#include <queuack/dag.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct qk_task qk_task;

/* Runs one attempt of a job. QK_OK completes it; any other status fails the attempt with
 * err->message as the job's error. `user` is what was given with the handler. */
typedef qk_status (*qk_handler_fn)(qk_task *task, void *user, qk_error *err);

/* All borrow from the task. */
QK_API const qk_claimed *qk_task_claim(const qk_task *task);
QK_API qk_id qk_task_job_id(const qk_task *task);
QK_API int32_t qk_task_attempt(const qk_task *task);
QK_API const char *qk_task_payload(const qk_task *task);
QK_API qk_queue *qk_task_queue(const qk_task *task);

/* The task running on this thread, or NULL outside a handler. */
QK_API qk_task *qk_task_current(void);

/* True when it was cancelled, timed out, lost its lease, or the worker is stopping hard. A handler
 * that goes on cannot ack. Cheap: one atomic load. */
QK_API bool qk_task_cancelled(const qk_task *task);

/* Sets the result: JSON text, copied; NULL clears. QK_EINVAL, QK_ETOOLARGE. */
QK_API qk_status qk_task_result(qk_task *task, const char *json, qk_error *err);

/* If the handler then fails, no further attempt is made. */
QK_API void qk_task_permanent(qk_task *task);

/*
 * Of a job of a run (or with parents). Everything handed out lives until the handler returns; one
 * thread of the handler may ask at a time. Results are JSON text, NULL where a job left none; large
 * ones are read once and shared by all tasks of the pool. Expected: what the store may fail with.
 */
QK_API qk_id qk_task_run_id(const qk_task *task); /* none outside a run */
QK_API const char *qk_task_node(const qk_task *task); /* NULL outside a run */
/* How many parents it has; their names then by index, NULL for jobs outside a run. */
QK_API qk_status qk_task_parent_count(size_t *out, qk_task *task, qk_error *err);
QK_API const char *qk_task_parent(const qk_task *task, size_t index);

/* The result of a parent, by its node's name (of a job outside: its id). QK_ENOTFOUND: not a parent,
 * QK_ESTATE: it is not done. */
QK_API qk_status qk_task_upstream(const char **out, qk_task *task, const char *name, qk_error *err);
/* The same, with `fallback` where there is no result. */
QK_API qk_status qk_task_upstream_or(const char **out, qk_task *task, const char *name,
                                     const char *fallback, qk_error *err);
/* A JSON object of every parent's result by name (null: none), or of those that are done. Until the
 * next of these two calls. */
QK_API qk_status qk_task_upstream_all(const char **out, qk_task *task, qk_error *err);
QK_API qk_status qk_task_upstream_completed(const char **out, qk_task *task, qk_error *err);
/* A parent that is done, and its result. QK_ENOTFOUND: none is. */
QK_API qk_status qk_task_upstream_any(const char **name, const char **out, qk_task *task,
                                      qk_error *err);
/* True if it is a parent and done. */
QK_API bool qk_task_has_upstream(qk_task *task, const char *name);
QK_API bool qk_task_has_upstream_any(qk_task *task, const char *const *names, size_t count);

/* Adds the nodes of a DAG made with qk_dag_options.addition to the task's run, all or none: they may
 * depend on nodes of the run by name. QK_ELEASE, QK_ECONFLICT (a name exists), QK_ENOTFOUND (a
 * dependency does not), and as qk_run_submit. */
QK_API qk_status qk_task_add_nodes(qk_task *task, qk_dag *dag, qk_error *err);

/* 0 to 1, and a message or NULL. Cheap; sent at most ten times a second. */
QK_API qk_status qk_task_progress(qk_task *task, double fraction, const char *message,
                                  qk_error *err);

#ifdef __cplusplus
}
#endif
#endif
