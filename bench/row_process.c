/*
 * Row "process": no-op C handlers through a worker pool, from enqueue to durable ack.
 *
 * process_per_s has producers and workers running at the same time, and its clock runs from before
 * the first enqueue until the last result is durable. drain_per_s starts with a full queue and
 * leaves the enqueuing out; process_full_per_s adds the two phases up. Median of three files each.
 */
#include "bench.h"
#include "measure.h"
#include "scene.h"

/* `counters` (may be NULL) tells what was written for it. */
static double together(const bench *b, uint64_t total, size_t batch, size_t producers,
                       qk_counters *counters)
{
    qk_queue *queue = bench_open_fresh(b, "process");
    double seconds = bench_process(queue, total, batch, producers, b->slots);
    if (counters)
        qk_counters_get(counters, queue);
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

typedef struct rounds {
    double rate[3], large[3], single[3], raw[3], ratio[3];
    double cpu, raw_cpu; /* seconds of all rounds */
    qk_counters counters; /* of the last one */
} rounds;

/* The raw limit is measured again in every round, so that both meet the same machine. */
static void run_round(const bench *b, rounds *r, size_t i, uint64_t total)
{
    double began = bench_cpu();
    r->rate[i] = together(b, total, 1000, 4, &r->counters);
    double between = bench_cpu();
    r->raw[i] = bench_raw_per_s(b, 10000, total);
    r->cpu += between - began;
    r->raw_cpu += bench_cpu() - between;
    r->ratio[i] = r->rate[i] / r->raw[i];
    r->large[i] = together(b, total, 10000, 1, NULL);
    r->single[i] = together(b, total, 1000, 1, NULL);
}

void bench_row_process(bench *b)
{
    uint64_t total = b->full ? 1000000 : 50000;
    rounds r = { .cpu = 0 };
    for (size_t i = 0; i < 3; i++)
        run_round(b, &r, i, total);
    bench_report(b, "process_per_s", bench_quantile(r.rate, 3, 0.5), "/s",
                 "%llu jobs, enqueuing included, 4 producers, 1,000 a call, %d slots, median of 3",
                 (unsigned long long)total, b->slots);
    bench_report(b, "process_by_1_per_s", bench_quantile(r.single, 3, 0.5), "/s",
                 "the same, one producer");
    bench_report(b, "process_10000_by_1_per_s", bench_quantile(r.large, 3, 0.5), "/s",
                 "the same, one producer, 10,000 a call");
    bench_report(b, "process_raw_per_s", bench_quantile(r.raw, 3, 0.5), "/s",
                 "raw lifecycles in turn with it, 10,000 a commit");
    bench_report(b, "process_vs_raw", bench_quantile(r.ratio, 3, 0.5), "x",
                 "process_per_s to the raw limit in turn with it, median of 3 ratios");
    bench_report(b, "process_cpu_us_per_job", r.cpu / 3e-6 / (double)total, "us",
                 "processor time, all threads; opening and closing included");
    bench_report(b, "process_raw_cpu_us_per_job", r.raw_cpu / 3e-6 / (double)total, "us",
                 "processor time of the raw lifecycles in turn with it");
    double commits = (double)(r.counters.commits ? r.counters.commits : 1);
    bench_report(b, "process_rows_per_job", (double)r.counters.commit_rows / (double)total, "",
                 "journal rows, last round");
    bench_report(b, "process_rows_per_commit", (double)r.counters.commit_rows / commits, "",
                 "%.0f commits", commits);
    from_a_full_queue(b, total);
}
