/*
 * Counting into a qk_histogram. Whoever calls holds the lock that guards it; a few nanoseconds.
 */
#ifndef QK_UTIL_HISTOGRAM_H
#define QK_UTIL_HISTOGRAM_H

#include <queuack/metrics.h>

/* The bucket of a value; see queuack/metrics.h for their shape. */
static inline size_t qk__histogram_bucket(uint64_t value)
{
    if (value <= 4)
        return (size_t)value;
    uint64_t below = value - 1;
    unsigned top = 63u - (unsigned)__builtin_clzll(below);
    size_t bucket = 1 + (size_t)(top - 1) * 4 + ((below >> (top - 2)) & 3);
    return bucket < QK_HISTOGRAM_BUCKETS ? bucket : QK_HISTOGRAM_BUCKETS - 1;
}

/* A negative value, of a clock that was set back, counts as 0. */
static inline void qk__histogram_add(qk_histogram *histogram, int64_t value)
{
    uint64_t counted = value > 0 ? (uint64_t)value : 0;
    histogram->count++;
    histogram->sum += counted;
    histogram->buckets[qk__histogram_bucket(counted)]++;
}

#endif
