/*
 * Row "memory": what a waiting job costs.
 *
 * Growth of resident memory per waiting job with a payload of 40 bytes, after freed memory went back
 * to the kernel: right after the last enqueue (DuckDB's own buffers of the journal included), and
 * for the file opened afresh, in a process that has done nothing else.
 */
#include <sys/wait.h>
#include <unistd.h>

#include "bench.h"
#include "measure.h"
#include "scene.h"

static void enqueued(bench *b, const char *path, uint64_t total)
{
    qk_queue *queue = bench_open(path);
    double before = bench_rss();
    bench_enqueue(queue, total, 1000, 1, 40);
    double after = bench_rss();
    bench_report(b, "mem_bytes_per_waiting_job", (after - before) / (double)total, "B",
                 "%llu jobs, right after enqueuing; %.0f MB in all", (unsigned long long)total,
                 after / 1e6);
    bench_sleep_until_us(bench_now_us() + 2000000);
    after = bench_rss();
    bench_report(b, "mem_bytes_per_waiting_job_quiet", (after - before) / (double)total, "B",
                 "two seconds later");
    qk_queue_close(queue);
}

static void reopened(bench *b, const char *empty, const char *path, uint64_t total)
{
    qk_queue *queue = bench_open(empty);
    double before = bench_rss();
    qk_queue_close(queue);
    double began = bench_now();
    queue = bench_open(path);
    double seconds = bench_now() - began;
    double after = bench_rss();
    if (bench_count(queue, QK_JOB_PENDING) != total)
        bench_die("not all jobs are there");
    qk_queue_close(queue);
    bench_report(b, "mem_bytes_per_waiting_job_reopened", (after - before) / (double)total, "B",
                 "file opened again, in %.2f s", seconds);
}

/* The two measurements in a process each: the second must not find memory of the first. */
void bench_row_memory(bench *b)
{
    char path[BENCH_PATH_SIZE], empty[BENCH_PATH_SIZE];
    uint64_t total = b->full ? 1000000 : 100000;
    int status = 0;
    bench_fresh_path(path, b, "memory");
    bench_fresh_path(empty, b, "empty");
    pid_t child = fork();
    if (child == 0) {
        enqueued(b, path, total);
        _exit(0);
    }
    if (child < 0 || waitpid(child, &status, 0) < 0 || status)
        bench_die("the first measurement failed");
    reopened(b, empty, path, total);
    bench_fresh_path(path, b, "memory");
}
