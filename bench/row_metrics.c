/*
 * Row "metrics": what counting costs a job, and what the text for Prometheus costs who asks for it.
 *
 * A job is counted in two histograms, where it is claimed and where it is reported. They are timed by
 * themselves, in a loop over values of all sizes, less the loop: in a run of jobs their cost is lost
 * in the noise.
 */
#include <stdlib.h>

#include "bench.h"
#include "measure.h"
#include "scene.h"
#include "util/histogram.h"

#define VALUES 65536u
#define ROUNDS 50

static int64_t values[VALUES];

static double best_round_ns(qk_histogram *waiting, qk_histogram *run, bool count)
{
    double best = 1e9;
    for (int round = 0; round < ROUNDS; round++) {
        int64_t sum = 0;
        double began = bench_now();
        for (size_t i = 0; i < VALUES; i++) {
            if (count) {
                qk__histogram_add(waiting, values[i]);
                qk__histogram_add(run, values[i ^ 77]);
            }
            sum += values[i] + values[i ^ 77];
            __asm__ volatile("" : "+r"(sum) : : "memory"); /* or the loop would be left out */
        }
        double took = (bench_now() - began) * 1e9 / VALUES;
        best = took < best ? took : best;
    }
    return best;
}

static void measure_text(bench *b)
{
    qk_error err = QK_ERROR_INIT;
    qk_queue *queue = bench_open_fresh(b, "metrics");
    double times[100];
    size_t length = 0;
    bench_enqueue(queue, 1000, 1000, 1, 40);
    for (size_t i = 0; i < 100; i++) {
        char *text = NULL;
        double began = bench_now();
        bench_must(qk_metrics_text(&text, &length, queue, &err), &err, "metrics");
        times[i] = (bench_now() - began) * 1e6;
        free(text);
    }
    bench_report(b, "metrics_text_us", bench_quantile(times, 100, 0.5), "us",
                 "the text for Prometheus, %zu bytes, one queue", length);
    qk_queue_close(queue);
}

void bench_row_metrics(bench *b)
{
    static qk_histogram waiting, run;
    for (size_t i = 0; i < VALUES; i++)
        values[i] = (int64_t)(((uint64_t)rand() * (uint64_t)rand()) >> (rand() % 40)) + 1;
    double with = best_round_ns(&waiting, &run, true);
    double without = best_round_ns(&waiting, &run, false);
    bench_report(b, "metrics_ns_per_job", with - without, "ns",
                 "two histograms, caches warm, best of %d rounds", ROUNDS);
    measure_text(b);
}
