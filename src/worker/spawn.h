/*
 * Starting a child process: session, descriptors, folder, limits. Any thread.
 *
 * Processes started here are the library's own children. Whoever adopts orphans (strays.h) must not
 * take their exit codes, so they are known from before they can end until qk__spawn_forget.
 */
#ifndef QK_WORKER_SPAWN_H
#define QK_WORKER_SPAWN_H

#include <sys/types.h>

#include <queuack/error.h>
#include <queuack/worker.h>

typedef struct qk__spawn_spec {
    char *const *argv; /* NULL-terminated */
    char *const *env; /* NULL-terminated */
    const char *cwd; /* NULL: the worker's */
    const int *fds; /* three, above 2: what becomes 0, 1 and 2 */
    const qk_limits *limits; /* NULL, and zero fields: as the worker's */
} qk__spawn_spec;

/* QK_EINVAL: it cannot be started, err says why (no such program, not executable, no such folder);
 * QK_EIO, QK_ENOMEM: this machine cannot start it now (descriptors, processes, memory). */
qk_status qk__spawn(pid_t *out, const qk__spawn_spec *spec, qk_error *err);
/* After the child was reaped. */
void qk__spawn_forget(pid_t pid);

/* Reaps children of this process that nobody here started (adopted orphans). Does not block. */
void qk__spawn_reap_adopted(void);

#endif
