/*
 * Row "finished": speed, opening time and size of a file that has seen many jobs.
 *
 * A long history is made in the closed file with one INSERT … SELECT (ids UUIDv7, one job in a
 * hundred failed). Processing takes turns between that file and an empty one. Bytes per job are also
 * measured on jobs that were really processed and settled.
 */
#include "bench.h"
#include "duck.h"
#include "measure.h"
#include "scene.h"

static double process(const bench *b, const char *path, uint64_t total, double *open_ms)
{
    double began = bench_now();
    qk_queue *queue = bench_open(path);
    *open_ms = (bench_now() - began) * 1e3;
    double seconds = bench_process(queue, total, 1000, 4, b->slots);
    qk_queue_close(queue);
    return (double)total / seconds;
}

static void make(const bench *b, char path[BENCH_PATH_SIZE], const char *name, uint64_t finished)
{
    bench_fresh_path(path, b, name);
    qk_queue_close(bench_open(path));
    if (finished)
        bench_duck_history(path, finished);
}

static void compare(bench *b, uint64_t finished, uint64_t total)
{
    char empty[BENCH_PATH_SIZE], full[BENCH_PATH_SIZE], key[64];
    double without[3], with[3], open_ms[3], ignored;
    unsigned long long n = finished;
    make(b, full, "finished", finished);
    double bytes = bench_file_size(full);
    for (size_t i = 0; i < 3; i++) {
        make(b, empty, "empty", 0);
        without[i] = process(b, empty, total, &ignored);
        with[i] = process(b, full, total, &open_ms[i]);
    }
    double base = bench_quantile(without, 3, 0.5), rate = bench_quantile(with, 3, 0.5);
    snprintf(key, sizeof key, "finished_%llu_process_per_s", n);
    bench_report(b, key, rate, "/s", "%llu jobs among so many finished ones",
                 (unsigned long long)total);
    snprintf(key, sizeof key, "finished_%llu_ratio", n);
    bench_report(b, key, rate / base, "x", "to an empty file in turn with it (%.0f/s)", base);
    snprintf(key, sizeof key, "finished_%llu_open_ms", n);
    bench_report(b, key, bench_quantile(open_ms, 3, 0.5), "ms", "median of 3");
    snprintf(key, sizeof key, "finished_%llu_file_bytes_per_job", n);
    bench_report(b, key, bytes / (double)finished, "B", "file after a checkpoint, made-up history");
    bench_fresh_path(full, b, "finished");
    bench_fresh_path(empty, b, "empty");
}

static void real_size(bench *b, uint64_t total)
{
    char path[BENCH_PATH_SIZE];
    double ignored;
    make(b, path, "settled", 0);
    double before = bench_file_size(path);
    process(b, path, total, &ignored);
    double closed = bench_file_size(path) + bench_wal_size(path);
    qk_queue_close(bench_open(path));
    double again = bench_file_size(path) + bench_wal_size(path);
    bench_report(b, "bytes_per_finished_job", (closed - before) / (double)total, "B",
                 "%llu processed, file closed (%.1f once opened and closed again)",
                 (unsigned long long)total, (again - before) / (double)total);
    bench_fresh_path(path, b, "settled");
}

void bench_row_finished(bench *b)
{
    uint64_t total = b->full ? 1000000 : 50000;
    real_size(b, b->full ? 1000000 : 100000);
    if (b->finished != UINT64_MAX) {
        compare(b, b->finished, total);
    } else if (b->full) {
        compare(b, 1000000, total);
        compare(b, 10000000, total);
    } else {
        compare(b, 200000, total);
    }
}
