/*
 * SQL tasks of workflows: what their process is sent instead of the payload. Values are evaluated at
 * the moment the task runs and bound as parameters: none becomes part of the SQL's text. The slot's
 * thread.
 */
#ifndef QK_WORKER_SQL_VALUES_H
#define QK_WORKER_SQL_VALUES_H

#include "worker/worker_internal.h"

/*
 * The request, to be freed; NULL if it is the payload as it stands. QK_EINVAL (a value is missing, or
 * the payload is wrong: it will be at the next attempt too), QK_ENOMEM, and what the store says.
 */
qk_status qk__sql_request(char **out, qk_task *task, qk_error *err);
/* The text with *** for the secrets that the task's workflow names; free() it. NULL: out of memory. */
char *qk__sql_mask(const qk_task *task, const char *text);

#endif
