/*
 * The machine's clocks behind qk_clock.
 */
#ifndef QK_UTIL_CLOCK_H
#define QK_UTIL_CLOCK_H

#include <queuack/queue.h>

/* Wall: CLOCK_REALTIME. Monotonic: CLOCK_BOOTTIME, which counts while the machine sleeps. */
qk_clock qk__clock_system(void);

#endif
