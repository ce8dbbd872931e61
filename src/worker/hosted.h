/*
 * Plugins whose handlers run in processes of their own, so that a crash costs one attempt.
 *
 * Each process runs one job at a time and is kept for further ones. A slot takes an idle one or starts
 * one, and gives it back; one that died is reaped by who had it. Their list is guarded by a lock of its
 * own, under which nothing blocks.
 */
#ifndef QK_WORKER_HOSTED_H
#define QK_WORKER_HOSTED_H

#include "worker/host_process.h"
#include "worker/worker_internal.h"

/* A factory that a plugin brought. */
typedef struct qk__hosted_factory {
    struct qk__hosted_factory *next;
    qk__hosted *hosted;
    char name[];
} qk__hosted_factory;

struct qk__hosted {
    qk__hosted *next;
    qk_worker *pool;
    char *path; /* of the plugin */
    char **argv; /* of its host */
    qk__hosted_factory *factories;
    pthread_mutex_t lock; /* of the rest */
    qk__host *idle;
    size_t idle_count;
    int64_t number; /* of the last job */
};

/* hosted_load.c */
/* A process that has loaded the plugin and is idle. QK_EINVAL: it cannot be loaded. */
qk_status qk__hosted_take(qk__host **out, qk__hosted *hosted, qk_error *err);
/* Kept for the next job, unless there are more than slots. */
void qk__hosted_give_back(qk__hosted *hosted, qk__host *host);
int64_t qk__hosted_number(qk__hosted *hosted); /* of the next job */
size_t qk__hosted_longest(const qk_worker *pool); /* bytes of a message, at most */
/* How a process ended, from what waitpid said. */
void qk__hosted_describe(char *text, size_t size, int status);
/* Ends the processes of all plugins and frees. No slot runs any more. */
void qk__hosted_close(qk_worker *pool);

/* hosted.c. The slot's thread: runs the claimed job in a process, fills everything of *outcome but
 * the lease. A process that does not answer 5 s after the job was cut short is killed. */
void qk__hosted_run(qk__slot *slot, qk_outcome *outcome);
/* A factory; user is the qk__hosted_factory. */
qk_status qk__hosted_build(qk_dag **out, const qk_factory_call *call, void *user, qk_error *err);

#endif
