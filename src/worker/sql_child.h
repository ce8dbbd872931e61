/*
 * One SQL process and their list, for sql_children.c and the start of one in sql_start.c. Guarded by
 * the list's lock.
 */
#ifndef QK_WORKER_SQL_CHILD_H
#define QK_WORKER_SQL_CHILD_H

#include "worker/sql_children.h"

#define QK__SQL_SOCKET_WAIT_S 10 /* for a process that does not read or write */

struct qk__sql_child {
    qk__sql_child *next;
    char *database, *folder;
    pid_t pid;
    int pidfd; /* -1: the kernel has none */
    int control; /* -1: told to end */
    unsigned tasks;
    int64_t idle_us; /* machine's clock; since when without a task */
    bool broken, killed, reaped;
    int status; /* of waitid: si_code and si_status */
    int code;
};

struct qk__sql_children {
    qk_worker *pool;
    pthread_mutex_t lock;
    qk__sql_child *first;
    char *helper;
    char **folders; /* canonical; NULL: each task's own */
    size_t folder_count;
    char *protect; /* canonical; NULL: the store is no file */
    uint64_t memory;
    int threads;
};

/* Starts a process and puts it into the list; the caller holds the lock. *out is listed, and must be
 * reaped, even if it did not take its settings. QK_EIO, QK_ENOMEM, QK_EINVAL (it cannot be run). */
qk_status qk__sql_child_start(qk__sql_child **out, qk__sql_children *children, const char *database,
                              const char *folder, qk_error *err);
/* Of one that was reaped or never started. */
void qk__sql_child_free(qk__sql_child *child);

#endif
