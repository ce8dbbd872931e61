/* Log-linear histogram of latencies; see measure.h. Lock-free: relaxed atomic counters. */
#include "measure.h"

/* Values below PARTS have a bucket each; above, `shift` low bits are dropped. */
static uint64_t bucket_of(uint64_t us)
{
    if (us < BENCH_HISTOGRAM_PARTS)
        return us;
    uint64_t shift = 57 - (uint64_t)__builtin_clzll(us);
    uint64_t bucket = shift * BENCH_HISTOGRAM_PARTS + (us >> shift);
    return bucket < BENCH_HISTOGRAM_BUCKETS ? bucket : BENCH_HISTOGRAM_BUCKETS - 1;
}

/* The largest value that falls into the bucket. */
static uint64_t bucket_end(uint64_t bucket)
{
    if (bucket < BENCH_HISTOGRAM_PARTS)
        return bucket;
    uint64_t shift = bucket / BENCH_HISTOGRAM_PARTS - 1;
    uint64_t top = bucket % BENCH_HISTOGRAM_PARTS + BENCH_HISTOGRAM_PARTS;
    return ((top + 1) << shift) - 1;
}

static void raise_max(bench_histogram *histogram, uint64_t us)
{
    uint64_t max = atomic_load_explicit(&histogram->max, memory_order_relaxed);
    while (us > max && !atomic_compare_exchange_weak(&histogram->max, &max, us)) {
    }
}

void bench_histogram_record(bench_histogram *histogram, int64_t us)
{
    uint64_t value = us < 0 ? 0 : (uint64_t)us;
    atomic_fetch_add_explicit(&histogram->counts[bucket_of(value)], 1, memory_order_relaxed);
    raise_max(histogram, value);
}

double bench_histogram_ms(const bench_histogram *histogram, double quantile)
{
    uint64_t total = 0, seen = 0, max = atomic_load(&histogram->max);
    for (uint64_t i = 0; i < BENCH_HISTOGRAM_BUCKETS; i++)
        total += histogram->counts[i];
    if (quantile >= 1 || !total)
        return (double)max / 1e3;
    uint64_t wanted = (uint64_t)((double)total * quantile) + 1;
    for (uint64_t i = 0; i < BENCH_HISTOGRAM_BUCKETS; i++) {
        seen += histogram->counts[i];
        if (seen >= wanted)
            return (double)(bucket_end(i) < max ? bucket_end(i) : max) / 1e3;
    }
    return (double)max / 1e3;
}

void bench_histogram_move(bench_histogram *into, bench_histogram *from)
{
    for (uint64_t i = 0; i < BENCH_HISTOGRAM_BUCKETS; i++)
        atomic_fetch_add(&into->counts[i], atomic_exchange(&from->counts[i], 0));
    raise_max(into, atomic_exchange(&from->max, 0));
}
