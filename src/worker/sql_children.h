/*
 * The SQL processes of a pool: one per database and folder, shared by all slots, started when a task
 * needs one and ended when none did for a while.
 *
 * `lock` inside guards the list; it is held while a process is started, never while a task runs.
 */
#ifndef QK_WORKER_SQL_CHILDREN_H
#define QK_WORKER_SQL_CHILDREN_H

#include "worker/worker_internal.h"

typedef struct qk__sql_child qk__sql_child;

/* QK_EINVAL (an option), QK_ENOTFOUND (no helper), QK_ENOMEM. Copies the options; NULL: the
 * defaults. */
qk_status qk__sql_children_open(qk__sql_children **out, qk_worker *pool,
                                const qk_sql_options *options, qk_error *err);
/* Ends all processes, and waits for that. NULL-safe. No task may run. */
void qk__sql_children_close(qk__sql_children *children);

/*
 * A socket to a task in the process of that database (empty: in memory) and folder, both canonical.
 * Give *child back with qk__sql_child_release and close the socket. QK_EREFUSED: not in a folder that
 * the options allow, or the queue's own file. QK_EBUSY, QK_EIO, QK_ENOMEM: not now.
 */
qk_status qk__sql_child_task(qk__sql_child **child, int *socket, qk__sql_children *children,
                             const char *database, const char *folder, qk_error *err);
void qk__sql_child_release(qk__sql_children *children, qk__sql_child *child);
/* It does not yield: kills it. Its other tasks are not to blame. */
void qk__sql_child_kill(qk__sql_children *children, qk__sql_child *child);
/* After its socket ended unasked: no further task gets it. True if we killed it; else *text says how
 * it ended. */
bool qk__sql_child_ended(qk__sql_children *children, qk__sql_child *child, char *text, size_t size);

/* Ends idle processes and takes in those that have ended. True while there are any. The keeper. */
bool qk__sql_children_look(qk__sql_children *children);

/* sql_helper.c. The path of queuack-sql, malloc'd: `given`, else $QUEUACK_SQL, else beside this
 * program or library. QK_ENOTFOUND, QK_ENOMEM. */
qk_status qk__sql_helper(char **out, const char *given, qk_error *err);

#endif
