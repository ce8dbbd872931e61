/*
 * What a worker and its SQL processes say to each other.
 *
 * The process gets a control socket as descriptor 0. The first frame on it is QK__SQL_SETTINGS; then
 * each task comes as a socket of its own, handed over as a descriptor. On a task's socket:
 *
 *     worker → process   QK__SQL_REQUEST (the job's payload), later QK__SQL_CANCEL
 *     process → worker   QK__SQL_STARTED, QK__SQL_PROGRESS…, then QK__SQL_RESULT or QK__SQL_FAILED;
 *                        or at once QK__SQL_BUSY
 *
 * A socket that ends before QK__SQL_STARTED belongs to a task that has done nothing yet. When the
 * control socket ends the process does: cleanly if no task runs, else at once.
 */
#ifndef QK_SQL_PROTOCOL_H
#define QK_SQL_PROTOCOL_H

/* {"database", "folders": […], "protect", "temp", "memory", "threads", "request_max", "result_max"};
 * "database" and "protect" may be empty. */
#define QK__SQL_SETTINGS 1
#define QK__SQL_REQUEST 2 /* {"sql", "params", …}, or a string */
#define QK__SQL_CANCEL 3
#define QK__SQL_STARTED 4
#define QK__SQL_PROGRESS 5 /* a number from 0 to 1, as text */
#define QK__SQL_RESULT 6 /* {"rows", "first"} */
#define QK__SQL_FAILED 7 /* why, one line */
#define QK__SQL_BUSY 8 /* why another process has the database; the task can be tried later */

#define QK__SQL_SETTINGS_MAX ((size_t)1 << 20)
#define QK__SQL_ANSWER_ROOM ((size_t)64 << 10) /* what an answer may need beside its result */

#endif
