/*
 * The worker's side of a process that hosts a plugin: starting, talking, ending. One thread at a time
 * per process.
 */
#ifndef QK_WORKER_HOST_PROCESS_H
#define QK_WORKER_HOST_PROCESS_H

#include <stdatomic.h>
#include <sys/types.h>

#include "worker/host_wire.h"

#define QK__HOST_LOAD_MS 60000 /* for loading a plugin */

typedef struct qk__host {
    struct qk__host *next; /* while idle */
    pid_t pid;
    qk__link link;
} qk__host;

/* What is asked, and when to give up. */
typedef struct qk__host_call {
    qk__buffer *out; /* the message; a cancellation is appended */
    const atomic_bool *cancelled; /* NULL: never */
    int cancel_fd; /* readable when it was set; or -1 */
    int64_t number; /* of the job, for the cancellation */
    int64_t limit_ms; /* 0: as long as it takes */
} qk__host_call;

/* QK_EINVAL: the program cannot be started; QK_EIO, QK_ENOMEM: not now. `argv` is NULL-terminated. */
qk_status qk__host_start(qk__host **out, char *const *argv, char *const *env, size_t longest,
                         qk_error *err);
/* True: the answer is in link.in. False: the process has died, was killed for not answering, or
 * talks nonsense: what is left is to reap it. */
bool qk__host_ask(qk__host *host, const qk__host_call *call);
/* True if nothing has come from it, not even its end. */
bool qk__host_is_idle(const qk__host *host);
/* Ends it, if need be by force, and frees. Returns what waitpid said; -1: somebody else reaped it. */
int qk__host_reap(qk__host *host);
/* Asks it to end, without waiting. qk__host_reap must follow. */
void qk__host_quit(qk__host *host);
/* Waits until it has ended by itself, at most so long. */
void qk__host_await(const qk__host *host, int ms);

#endif
