/*
 * Clocks, percentiles, sizes, and a histogram for latencies.
 *
 * Nothing here knows Queuack. The histogram may be recorded into from any thread; the rest is for
 * one thread at a time.
 */
#ifndef BENCH_MEASURE_H
#define BENCH_MEASURE_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

/* Monotonic time: seconds, microseconds. */
double bench_now(void);
int64_t bench_now_us(void);
/* Processor time of this process so far, all threads, user and system, in seconds. */
double bench_cpu(void);
/* Sleeps until this point of bench_now_us; returns at once if it has passed. */
void bench_sleep_until_us(int64_t us);

/* Sorts the values and returns the one at `quantile` (0 to 1); median of an even count is the
 * upper one. 0 if there are none. */
double bench_quantile(double *values, size_t count, double quantile);

/* Resident memory of this process in bytes, after freed memory was handed back to the kernel. */
double bench_rss(void);
/* Bytes of the file and of its write-ahead log; 0 where missing. */
double bench_file_size(const char *path);
double bench_wal_size(const char *path);

/* Counts by powers of two, each cut into 64 parts: a value is off by at most 1.6 %. Microseconds. */
#define BENCH_HISTOGRAM_PARTS 64
#define BENCH_HISTOGRAM_BUCKETS ((uint64_t)BENCH_HISTOGRAM_PARTS * 40)

typedef struct bench_histogram {
    _Atomic uint64_t counts[BENCH_HISTOGRAM_BUCKETS];
    _Atomic uint64_t max;
} bench_histogram;

void bench_histogram_record(bench_histogram *histogram, int64_t us);
/* Milliseconds at `quantile`; 1 gives the largest value exactly. */
double bench_histogram_ms(const bench_histogram *histogram, double quantile);
/* Adds the counts of `from` to `into` and clears `from`. What is recorded meanwhile is in one of
 * them. */
void bench_histogram_move(bench_histogram *into, bench_histogram *from);

#endif
