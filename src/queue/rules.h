/*
 * The rules every store shares: which transitions exist, how long to back off, when a job with
 * parents may start. Pure functions of their arguments: no clock, no randomness, no memory of
 * their own; any thread.
 */
#ifndef QK_QUEUE_RULES_H
#define QK_QUEUE_RULES_H

#include <queuack/job.h>

/* True if the lifecycle has an edge from → to. Staying where it is is not a transition. */
bool qk__rule_transition(qk_job_status from, qk_job_status to);

/*
 * Delay before the next attempt: uniform in [d/2, d], d = min(cap, base · factor^(failures − 1)).
 * `failures`: failed attempts so far, this one included. `random`: 64 random bits, the jitter.
 * Negative numbers count as 0, a factor below 1 or NaN as 1. Never negative, never overflows.
 */
int64_t qk__rule_backoff_us(int64_t base_us, double factor, int64_t cap_us, int32_t failures,
                            uint64_t random);

/* How a job's parents stand. Terminal ones are done + conditional + failed ≤ total. */
typedef struct qk__parents {
    uint32_t total;
    uint32_t done; /* done, or failed with continue_on_failure */
    uint32_t conditional; /* skipped because of a condition */
    uint32_t failed; /* failed, cancelled, or skipped for a failure */
} qk__parents;

typedef enum qk__readiness {
    QK__READY_WAIT, /* cannot tell yet */
    QK__READY_START,
    QK__READY_NEVER, /* to be skipped */
} qk__readiness;

/* A job without parents is an entry point: it may start in every mode. */
qk__readiness qk__rule_readiness(qk_dependency_mode mode, qk__parents parents);

#endif
