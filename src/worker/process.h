/*
 * A child process in a session of its own, its output read as it comes. One thread: the caller's.
 * Only this child is ever waited for.
 */
#ifndef QK_WORKER_PROCESS_H
#define QK_WORKER_PROCESS_H

#include <stdatomic.h>
#include <sys/types.h>

#include <queuack/worker.h>

#include "worker/capture.h"
#include "worker/mask.h"
#include "worker/strays.h"

struct qk__process_end;

typedef struct qk__process_spec {
    char *const *argv; /* NULL-terminated */
    char *const *env; /* NULL-terminated */
    const char *cwd; /* NULL: the worker's */
    const char *input; /* NULL: standard input is /dev/null */
    size_t input_length;
    /* Once true: SIGTERM to its group and whoever else stems from it, 5 s later SIGKILL. */
    const atomic_bool *cancelled;
    int cancel_fd; /* readable when `cancelled` was set */
    /* About five times a second while it runs, with what it has written so far. */
    void (*tick)(void *user, const struct qk__process_end *so_far);
    void (*started)(void *user, pid_t pid); /* or NULL */
    void *user;
    const qk_limits *limits; /* NULL: none */
    const qk__secrets *secrets; /* masked in its output; NULL: none */
    const qk__mark *mark; /* its variables in `env`, by which strays are found; NULL: none */
} qk__process_spec;

typedef struct qk__process_end {
    bool known; /* false: the application reaps all children, so how it ended is lost */
    int exit_code; /* 128 + n for signal n */
    int signal; /* 0: it exited */
    qk__stream out, err;
    qk__tail log; /* both, as read */
} qk__process_end;

/*
 * Runs the program and returns when it has ended and its output is read: to the end, or, when some
 * other process holds the pipes open, for a second. QK_EINVAL: it cannot be started, err says why
 * (no such program, not executable, no such folder); QK_EIO, QK_ENOMEM: this machine cannot start it
 * now (descriptors, processes, memory). *end must be disposed in every case.
 */
qk_status qk__process_run(qk__process_end *end, const qk__process_spec *spec, qk_error *err);
void qk__process_end_dispose(qk__process_end *end);

#endif
