/*
 * Row "delayed": does one old job that is not due slow the new ones down?
 *
 * The delayed job has to be carried along by every checkpoint and found again at every open. Both
 * files are used in turn, three times; the old job's file is opened again for each turn.
 */
#include "bench.h"
#include "measure.h"
#include "scene.h"

static void put_delayed(const char *path)
{
    qk_error err = QK_ERROR_INIT;
    qk_job_options options = QK_JOB_OPTIONS_INIT;
    qk_queue *queue = bench_open(path);
    options.delay = qk_seconds(3600);
    bench_must(qk_enqueue(NULL, queue, BENCH_KIND, NULL, &options, &err), &err, "enqueue");
    qk_queue_close(queue);
}

static double process(const bench *b, const char *path, uint64_t total)
{
    qk_queue *queue = bench_open(path);
    double seconds = bench_process(queue, total, 1000, 4, b->slots);
    qk_queue_close(queue);
    return (double)total / seconds;
}

void bench_row_delayed(bench *b)
{
    char plain[BENCH_PATH_SIZE], old[BENCH_PATH_SIZE];
    double without[3], with[3];
    uint64_t total = b->full ? 1000000 : 50000;
    bench_fresh_path(plain, b, "plain");
    bench_fresh_path(old, b, "old");
    put_delayed(old);
    for (size_t i = 0; i < 3; i++) {
        without[i] = process(b, plain, total);
        with[i] = process(b, old, total);
    }
    double base = bench_quantile(without, 3, 0.5), rate = bench_quantile(with, 3, 0.5);
    bench_report(b, "process_with_delayed_per_s", rate, "/s", "one job delayed by an hour waits");
    bench_report(b, "process_with_delayed_ratio", rate / base, "x", "to the same without it");
}
