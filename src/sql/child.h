/*
 * The SQL process from inside: settings, the database, tasks.
 *
 * Threads: the main one listens (main.c), one per task runs its statements (task.c).
 */
#ifndef QK_SQL_CHILD_H
#define QK_SQL_CHILD_H

#include <duckdb.h>
#include <jansson.h>
#include <pthread.h>
#include <stdatomic.h>

#include <queuack/types.h>

#include "util/buffer.h"

/* Constant once read. Texts are borrowed from `json`. */
typedef struct settings {
    json_t *json;
    const char *database; /* empty: each task has one in memory */
    json_t *folders; /* of strings */
    const char *protect; /* the queue's file; empty: none */
    const char *temp; /* where to spill: a folder of this process's own */
    uint64_t memory; /* bytes */
    int threads; /* 0: one per core */
    size_t request_max, result_max;
} settings;

/* A connection with what it needs to be closed. */
typedef struct session {
    duckdb_connection connection;
    duckdb_database own; /* in memory, of this task alone; NULL: the shared one */
} session;

typedef struct task {
    struct task *next;
    const settings *settings;
    int fd;
    int wake; /* eventfd of the main thread */
    pthread_t thread;
    pthread_mutex_t lock; /* sending; and `session.connection` against its end */
    atomic_bool listening; /* its request was read: what comes now is for the main thread */
    atomic_bool cancelled, finished;
    session session;
    size_t statement, statements; /* at work on, of so many; under the lock */
} task;

/* database.c. The first session opens the database: its settings are locked from then on. QK_EBUSY:
 * another process has it. Any thread. */
qk_status database_session(session *out, const settings *settings, qk_error *err);
void database_session_close(session *session);
/* Closes the database, which writes what its log holds into it. No session may be left. */
void database_close(void);
/* DuckDB's text as one line of err. */
qk_status database_error(qk_error *err, qk_status code, const char *text);

/* bind.c. Binds the parameters a statement has: `params` is an array (?, $1), an object ($name), or
 * NULL. */
qk_status bind_parameters(duckdb_prepared_statement statement, json_t *params, qk_error *err);

/* result.c */
typedef struct collected {
    uint64_t rows;
    qk__buffer first; /* an array's inside */
    size_t kept, limit;
} collected;
/* Reads the result to its end, keeping the first rows. */
qk_status collect_result(collected *out, duckdb_result *result, qk_error *err);

/* task.c */
void *task_main(void *task);
void task_send(task *task, uint32_t type, const char *text);

#endif
