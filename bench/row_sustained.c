/*
 * Row "sustained": a steady rate for a long time, checkpoints included.
 *
 * 64 producers, 50 jobs a call, latencies from the intended times (load.h). A line every ten seconds
 * shows that interval alone; the figures at the end cover the whole run.
 */
#include <math.h>

#include "bench.h"
#include "load.h"
#include "scene.h"

#define INTERVAL_US 10000000

typedef struct sustained {
    bench_histogram enqueue, start; /* intervals that are over */
    bench_load_figures figures; /* the running one */
    double rss_first, rss_last, rss_most;
} sustained;

static void line(sustained *s, qk_queue *queue, const char *path, double elapsed, double rate)
{
    qk_counters counters;
    qk_counters_get(&counters, queue);
    s->rss_last = bench_rss();
    if (!s->rss_first)
        s->rss_first = s->rss_last;
    s->rss_most = fmax(s->rss_most, s->rss_last);
    fprintf(stderr,
            "%5.0f s  %6.0f done/s  enqueue p50 %.1f p99 %.1f p99.9 %.1f max %.1f ms"
            "  start p99 %.1f max %.1f ms  rss %.0f MB  file %.0f MB  wal %.0f MB"
            "  checkpoints %llu\n",
            elapsed, rate, bench_histogram_ms(&s->figures.enqueue, 0.5),
            bench_histogram_ms(&s->figures.enqueue, 0.99),
            bench_histogram_ms(&s->figures.enqueue, 0.999),
            bench_histogram_ms(&s->figures.enqueue, 1), bench_histogram_ms(&s->figures.start, 0.99),
            bench_histogram_ms(&s->figures.start, 1), s->rss_last / 1e6,
            bench_file_size(path) / 1e6, bench_wal_size(path) / 1e6,
            (unsigned long long)counters.checkpoints);
    bench_histogram_move(&s->enqueue, &s->figures.enqueue);
    bench_histogram_move(&s->start, &s->figures.start);
}

static void watch(sustained *s, qk_queue *queue, const char *path, int seconds)
{
    int64_t began = bench_now_us(), end = began + (int64_t)seconds * 1000000;
    uint64_t done = 0;
    for (int64_t last = began; last < end;) {
        int64_t next = last + INTERVAL_US < end ? last + INTERVAL_US : end;
        bench_sleep_until_us(next);
        uint64_t now_done = atomic_load(&s->figures.done);
        line(s, queue, path, (double)(next - began) / 1e6,
             (double)(now_done - done) * 1e6 / (double)(next - last));
        done = now_done;
        last = next;
    }
}

static void report_latency(bench *b, const char *what, const bench_histogram *histogram,
                           const char *note)
{
    static const struct {
        const char *name;
        double quantile;
    } places[] = { { "p50", 0.5 }, { "p99", 0.99 }, { "p999", 0.999 }, { "max", 1 } };
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        char key[64];
        snprintf(key, sizeof key, "sustained_%s_%s_ms", what, places[i].name);
        bench_report(b, key, bench_histogram_ms(histogram, places[i].quantile), "ms", "%s", note);
    }
}

static void report(bench *b, sustained *s, qk_queue *queue, const char *path, double seconds)
{
    qk_counters counters;
    qk_counters_get(&counters, queue);
    double sent = (double)atomic_load(&s->figures.sent);
    bench_histogram_move(&s->enqueue, &s->figures.enqueue);
    bench_histogram_move(&s->start, &s->figures.start);
    bench_report(b, "sustained_per_s", sent / seconds, "/s",
                 "enqueued, run and durable; %.0f wanted, %.0f s", b->rate, seconds);
    report_latency(b, "enqueue", &s->enqueue, "intended time to durable, 50 jobs a call");
    report_latency(b, "start", &s->start, "intended time to the handler's start");
    bench_report(b, "sustained_rss_first_mb", s->rss_first / 1e6, "MB", "after the first interval");
    bench_report(b, "sustained_rss_last_mb", s->rss_last / 1e6, "MB", "at the end, most %.0f",
                 s->rss_most / 1e6);
    bench_report(b, "sustained_file_mb", bench_file_size(path) / 1e6, "MB", "wal %.0f MB",
                 bench_wal_size(path) / 1e6);
    bench_report(b, "sustained_checkpoints", (double)counters.checkpoints, "",
                 "%llu commits, %llu rows", (unsigned long long)counters.commits,
                 (unsigned long long)counters.commit_rows);
}

void bench_row_sustained(bench *b)
{
    static sustained s;
    char path[BENCH_PATH_SIZE];
    bench_fresh_path(path, b, "sustained");
    qk_queue *queue = bench_open(path);
    bench_load_plan plan = { .rate = b->rate, .producers = 64, .batch = 50, .slots = b->slots };
    double began = bench_now(), cpu = bench_cpu();
    bench_load *load = bench_load_start(queue, &plan, &s.figures);
    watch(&s, queue, path, b->sustained_s);
    bench_load_stop(load);
    double seconds = bench_now() - began;
    if (bench_count(queue, QK_JOB_DONE) != atomic_load(&s.figures.sent))
        bench_die("not everything that was sent is done");
    report(b, &s, queue, path, seconds);
    bench_report(b, "sustained_cores_busy", (bench_cpu() - cpu) / seconds, "",
                 "processor time over time, producers included");
    qk_queue_close(queue);
    bench_fresh_path(path, b, "sustained");
}
