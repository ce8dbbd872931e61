/*
 * What a pool's slots run, written where it outlives the pool: WORKER.procs in <store>.logs.
 *
 * A worker that is killed leaves its commands running. The next one to start on the store finds the
 * list, whose lock the kernel has released, and ends them before it claims anything, so that no two
 * attempts run side by side. A record says job and attempt before the process exists, which is how
 * it is found by its mark; process id and start time, noted later, find one that dropped its mark.
 *
 * The list is a shared mapping: writing a record costs no system call.
 */
#ifndef QK_WORKER_PROCS_H
#define QK_WORKER_PROCS_H

#include <sys/types.h>

#include <queuack/job.h>

#include "util/log.h"

typedef struct qk__procs qk__procs;

/* Ends what other, dead workers left (says so in the log), makes the list. NULL: it cannot be made,
 * which is logged; commands run without. `dir` must stay open. */
qk__procs *qk__procs_open(int dir, const char *worker_id, int slots, const qk__log *log);
/* Removes the list. NULL-safe. */
void qk__procs_close(qk__procs *procs);

/* Of one slot each, on its thread; NULL-safe. */
void qk__procs_begin(qk__procs *procs, int slot, qk_id job, int32_t attempt);
void qk__procs_started(qk__procs *procs, int slot, pid_t pid);
void qk__procs_timed(qk__procs *procs, int slot, uint64_t started);
void qk__procs_end(qk__procs *procs, int slot);

#endif
