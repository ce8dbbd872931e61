/*
 * Processes that stem from a command: its session and group, its descendants, and whoever has the
 * job's mark in its environment, as one that left the session (setsid) and lost its parent has.
 *
 * Linux, by /proc. A process is signalled through a pidfd opened before it was looked at, so that a
 * reused id hits nobody. Any thread; a qk__strays belongs to one.
 */
#ifndef QK_WORKER_STRAYS_H
#define QK_WORKER_STRAYS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* Two variables as they stand in the environment of the command. */
typedef struct qk__mark {
    char job[64]; /* QUEUACK_JOB_ID=… */
    char attempt[32]; /* QUEUACK_ATTEMPT=… */
} qk__mark;

typedef struct qk__strays qk__strays;

/* Who is there now. `leader`: a child not yet reaped, or 0 to go by the mark alone; `mark` may be
 * NULL. NULL: out of memory. */
qk__strays *qk__strays_find(pid_t leader, const qk__mark *mark);
/* To those that a signal to the leader's group does not reach. NULL-safe. */
void qk__strays_signal(const qk__strays *strays, int signal);
/* True while one of them, the leader apart, lives. NULL-safe. */
bool qk__strays_alive(const qk__strays *strays);
/* Kills them and all that came since until nobody is left, frees, and returns how many there were.
 * NULL-safe. */
size_t qk__strays_end(qk__strays *strays);

/* When the process started (clock ticks since boot); 0: there is none. */
uint64_t qk__process_started(pid_t pid);

#endif
