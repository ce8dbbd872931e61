/*
 * Waits in steps; see wait.h. Uses the machine's clock: a store's waits are real time even where
 * the handle's clock is injected. Each wait belongs to one thread.
 */
#include "queue/wait.h"

#include "queue/queue_internal.h"
#include "util/clock.h"

#define STEP_US INT64_C(200000)

static int64_t now_us(void)
{
    qk_clock clock = qk__clock_system();
    return clock.monotonic_us(clock.user);
}

qk__wait_steps qk__wait_begin(qk_queue *queue, int64_t wait_us)
{
    return (qk__wait_steps){
        .queue = queue,
        .left_us = wait_us,
        .whole = qk__queue_store(queue)->ops->stop != NULL,
    };
}

int64_t qk__wait_step(qk__wait_steps *steps)
{
    steps->step_us = steps->whole || steps->left_us < STEP_US ? steps->left_us : STEP_US;
    steps->step_began_us = steps->whole ? 0 : now_us();
    return steps->step_us;
}

bool qk__wait_more(qk__wait_steps *steps)
{
    if (steps->whole || qk__queue_closing(steps->queue))
        return false;
    if (now_us() - steps->step_began_us < steps->step_us)
        return false;
    if (steps->left_us != INT64_MAX)
        steps->left_us -= steps->step_us;
    return steps->left_us > 0;
}
