/*
 * Noticing a fork; see fork.h.
 *
 * A pthread_atfork handler runs in the child while it has one thread and bumps the counter, which
 * is all that code holding a generation needs to see that it is in another process. (A getpid()
 * per call would cost a system call each time.) The handler does nothing that is not safe there.
 */
#include "util/fork.h"

#include <pthread.h>
#include <stdatomic.h>

static _Atomic uint64_t generation = 1;
static pthread_once_t watch_once = PTHREAD_ONCE_INIT;

static void in_child(void)
{
    atomic_fetch_add_explicit(&generation, 1, memory_order_relaxed);
}

static void watch(void)
{
    /* Fails only for want of memory; a fork then goes unnoticed, no worse than without a check. */
    (void)pthread_atfork(NULL, NULL, in_child);
}

void qk__fork_watch(void)
{
    (void)pthread_once(&watch_once, watch);
}

uint64_t qk__fork_generation(void)
{
    return atomic_load_explicit(&generation, memory_order_relaxed);
}
