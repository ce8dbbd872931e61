/*
 * Row "enqueue": jobs put in and durable, nobody working.
 *
 * Payloads of 36 bytes. Every figure has a file of its own; making the payloads' text is part of
 * the time, opening the file is not.
 */
#include "bench.h"
#include "measure.h"
#include "scene.h"

static double per_s(const bench *b, uint64_t total, size_t batch, size_t threads)
{
    qk_queue *queue = bench_open_fresh(b, "enqueue");
    double seconds = bench_enqueue(queue, total, batch, threads, 36);
    uint64_t waiting = bench_count(queue, QK_JOB_PENDING);
    if (waiting != total)
        bench_die("%llu jobs wait instead of %llu", (unsigned long long)waiting,
                  (unsigned long long)total);
    qk_queue_close(queue);
    return (double)total / seconds;
}

static double bulk(bench *b, size_t batch, size_t threads)
{
    char key[64];
    uint64_t total = b->full ? 1000000 : 50000;
    double rounds[3];
    for (size_t i = 0; i < 3; i++)
        rounds[i] = per_s(b, total, batch, threads);
    double median = bench_quantile(rounds, 3, 0.5);
    snprintf(key, sizeof key, "enqueue_bulk_%zu_by_%zu_per_s", batch, threads);
    bench_report(b, key, median, "/s", "%llu jobs, %zu a call, %zu thread%s, median of 3",
                 (unsigned long long)total, batch, threads, threads > 1 ? "s" : "");
    return median;
}

void bench_row_enqueue(bench *b)
{
    uint64_t one = b->full ? 5000 : 500, many = b->full ? 200000 : 10000;
    double by_one = bulk(b, 1000, 1), by_four = bulk(b, 1000, 4);
    bench_report(b, "enqueue_bulk_per_s", by_one > by_four ? by_one : by_four, "/s",
                 "1,000 a call, the better of 1 and 4 threads");
    bulk(b, 10000, 1);
    bulk(b, 10000, 4);
    bench_report(b, "enqueue_one_per_s", per_s(b, one, 1, 1), "/s",
                 "%llu calls of one job, one caller", (unsigned long long)one);
    bench_report(b, "enqueue_64_per_s", per_s(b, many, 1, 64), "/s",
                 "%llu calls of one job, 64 callers", (unsigned long long)many);
}
