/*
 * What both ends of the protocol must agree on: its number, and the names of counters and histograms.
 */
#ifndef QK_STORE_PROTOCOL_H
#define QK_STORE_PROTOCOL_H

/* Both sides say which protocol they speak; other numbers are refused. Rises when a message changes
 * so that the other side would misunderstand it, not when one gets a new field. */
#define QK__PROTOCOL 1
#define QK__PROTOCOL_HEADER "Queuack-Protocol"

/* Longest body: four payloads, or this if that is more. */
#define QK__BODY_MIN ((size_t)64 << 20)

/* X(member of qk_counters) */
#define QK__COUNTERS(X)                                                                            \
    X(enqueued)                                                                                    \
    X(claimed)                                                                                     \
    X(done)                                                                                        \
    X(failed)                                                                                      \
    X(retried)                                                                                     \
    X(lost)                                                                                        \
    X(cancelled)                                                                                   \
    X(skipped)                                                                                     \
    X(commits)                                                                                     \
    X(commit_rows)                                                                                 \
    X(commit_failures)                                                                             \
    X(checkpoints)                                                                                 \
    X(backpressure_warnings)                                                                       \
    X(sql_refused)

/* X(histogram of qk_metrics) */
#define QK__HISTOGRAMS(X)                                                                          \
    X(commit_us)                                                                                   \
    X(commit_rows)                                                                                 \
    X(waiting_us)                                                                                  \
    X(run_us)

#endif
