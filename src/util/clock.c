/*
 * The machine's clocks; see clock.h. Stateless; any thread.
 */
#include "util/clock.h"

#include <time.h>

static int64_t read_us(clockid_t clock)
{
    struct timespec now;
    if (clock_gettime(clock, &now) != 0)
        return 0;
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static qk_time wall(void *user)
{
    (void)user;
    qk_time now = { read_us(CLOCK_REALTIME) };
    return now;
}

static int64_t monotonic_us(void *user)
{
    (void)user;
    return read_us(CLOCK_BOOTTIME);
}

qk_clock qk__clock_system(void)
{
    qk_clock clock = { wall, monotonic_us, NULL };
    return clock;
}
