/*
 * Row "process": no-op C handlers through a worker pool, from enqueue to durable ack.
 *
 * process_per_s has producer and workers running at the same time, and its clock runs from before
 * the first enqueue until the last result is durable. drain_per_s starts with a full queue and
 * leaves the enqueuing out; process_full_per_s adds the two phases up. Median of three files each.
 */
#include "bench.h"
#include "measure.h"
#include "scene.h"

static double together(const bench *b, uint64_t total, size_t batch)
{
    qk_queue *queue = bench_open_fresh(b, "process");
    double seconds = bench_process(queue, total, batch, b->slots);
    qk_queue_close(queue);
    return (double)total / seconds;
}

static double drain(const bench *b, uint64_t total, double *filled_in)
{
    bench_pool pool;
    qk_queue *queue = bench_open_fresh(b, "process");
    *filled_in = bench_enqueue(queue, total, 1000, 1, 36);
    bench_pool_open(&pool, queue, b->slots, true, total);
    double began = bench_now();
    bench_pool_drain(&pool);
    double seconds = bench_now() - began;
    uint64_t done = bench_count(queue, QK_JOB_DONE);
    if (done != total)
        bench_die("%llu jobs done instead of %llu", (unsigned long long)done,
                  (unsigned long long)total);
    qk_queue_close(queue);
    return seconds;
}

static void from_a_full_queue(bench *b, uint64_t total)
{
    double drained[3], both[3];
    for (size_t i = 0; i < 3; i++) {
        double filled_in = 0, seconds = drain(b, total, &filled_in);
        drained[i] = (double)total / seconds;
        both[i] = (double)total / (seconds + filled_in);
    }
    bench_report(b, "drain_per_s", bench_quantile(drained, 3, 0.5), "/s",
                 "from a full queue, without enqueuing, %d slots", b->slots);
    bench_report(b, "process_full_per_s", bench_quantile(both, 3, 0.5), "/s",
                 "fill, then drain: both phases");
}

/* The raw limit is measured again between the rounds, so that both meet the same machine. */
void bench_row_process(bench *b)
{
    uint64_t total = b->full ? 1000000 : 200000;
    double by_1000[3], by_10000[3], ratios[3], raw[3], cpu = 0, raw_cpu = 0;
    for (size_t i = 0; i < 3; i++) {
        double began = bench_cpu();
        by_1000[i] = together(b, total, 1000);
        double between = bench_cpu();
        raw[i] = bench_raw_per_s(b, 10000, total);
        cpu += between - began;
        raw_cpu += bench_cpu() - between;
        by_10000[i] = together(b, total, 10000);
        ratios[i] = by_1000[i] / raw[i];
    }
    bench_report(b, "process_per_s", bench_quantile(by_1000, 3, 0.5), "/s",
                 "%llu jobs, enqueuing included, 1,000 a call, %d slots, median of 3",
                 (unsigned long long)total, b->slots);
    bench_report(b, "process_10000_per_s", bench_quantile(by_10000, 3, 0.5), "/s",
                 "the same, 10,000 a call");
    bench_report(b, "process_raw_per_s", bench_quantile(raw, 3, 0.5), "/s",
                 "raw lifecycles in turn with it, 10,000 a commit");
    bench_report(b, "process_vs_raw", bench_quantile(ratios, 3, 0.5), "x",
                 "process_per_s to the raw limit in turn with it, median of 3 ratios");
    bench_report(b, "process_cpu_us_per_job", cpu / 3e-6 / (double)total, "us",
                 "processor time, all threads; opening and closing included");
    bench_report(b, "process_raw_cpu_us_per_job", raw_cpu / 3e-6 / (double)total, "us",
                 "processor time of the raw lifecycles in turn with it");
    from_a_full_queue(b, total);
}
