/*
 * What a running handler can ask for and say.
 *
 * A qk_task is valid during the handler's call only, on any thread of the handler's.
 */
#ifndef QUEUACK_TASK_H
#define QUEUACK_TASK_H

#include <queuack/job.h>

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

/* 0 to 1, and a message or NULL. Cheap; sent at most ten times a second. */
QK_API qk_status qk_task_progress(qk_task *task, double fraction, const char *message,
                                  qk_error *err);

#ifdef __cplusplus
}
#endif
#endif
