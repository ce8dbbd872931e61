/*
 * Noticing a fork cheaply: a counter that differs between a process and its forked children.
 */
#ifndef QK_UTIL_FORK_H
#define QK_UTIL_FORK_H

#include <stdint.h>

/* Starts counting; idempotent, any thread. Call before the first use of the generation. */
void qk__fork_watch(void);

/* Rises by one in each forked child. One relaxed load; any thread. */
uint64_t qk__fork_generation(void);

#endif
