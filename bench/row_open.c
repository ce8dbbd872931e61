/*
 * Row "open": how long opening takes: a new file, one closed cleanly, one whose owner was killed,
 * and a memory store that moves to a file for its workers.
 *
 * The killed owner is a child that has put jobs in, has had half of them processed, and then kills
 * itself without any clean-up.
 */
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench.h"
#include "measure.h"
#include "scene.h"

static double timed_open(const char *path, uint32_t workers)
{
    qk_error err = QK_ERROR_INIT;
    qk_queue *queue = NULL;
    qk_queue_options options = bench_queue_options();
    options.workers_num = workers;
    double began = bench_now();
    bench_must(qk_queue_open(&queue, path, &options, &err), &err, "open");
    double ms = (bench_now() - began) * 1e3;
    if (workers > 1 && !qk_queue_auto_migrated(queue))
        bench_die("the memory store was not moved to a file");
    qk_queue_close(queue);
    return ms;
}

static void simple(bench *b)
{
    char path[BENCH_PATH_SIZE];
    double new_ms[5], again_ms[5], migrated_ms[5], memory_ms[5];
    for (size_t i = 0; i < 5; i++) {
        bench_fresh_path(path, b, "open");
        new_ms[i] = timed_open(path, 0);
        again_ms[i] = timed_open(path, 0);
        memory_ms[i] = timed_open(":memory:", 0);
        migrated_ms[i] = timed_open(":memory:", 4);
    }
    bench_report(b, "open_new_ms", bench_quantile(new_ms, 5, 0.5), "ms", "a new file, median of 5");
    bench_report(b, "open_empty_ms", bench_quantile(again_ms, 5, 0.5), "ms",
                 "an empty file, closed cleanly");
    bench_report(b, "open_memory_ms", bench_quantile(memory_ms, 5, 0.5), "ms", ":memory:");
    bench_report(b, "auto_migration_ms", bench_quantile(migrated_ms, 5, 0.5), "ms",
                 ":memory: with 4 workers, moved to a file; the whole open");
}

/* Half of the jobs done, half waiting, one commit per `batch` enqueued. */
static void use(const bench *b, qk_queue *queue, uint64_t jobs, size_t batch)
{
    bench_process(queue, jobs / 2, batch > 1 ? batch : 10, 4, b->slots);
    bench_enqueue(queue, jobs / 2, batch, batch > 1 ? 1 : 8, 36);
}

static double after_use(const bench *b, uint64_t jobs, size_t batch, bool killed)
{
    char path[BENCH_PATH_SIZE];
    int status = 0;
    bench_fresh_path(path, b, "open");
    pid_t child = fork();
    if (child == 0) {
        qk_queue *queue = bench_open(path);
        use(b, queue, jobs, batch);
        if (killed)
            kill(getpid(), SIGKILL);
        qk_queue_close(queue);
        _exit(0);
    }
    if (child < 0 || waitpid(child, &status, 0) < 0)
        bench_die("no child process");
    if (killed ? !WIFSIGNALED(status) : status != 0)
        bench_die("the file's first user failed");
    double ms = timed_open(path, 0);
    bench_fresh_path(path, b, "open");
    return ms;
}

void bench_row_open(bench *b)
{
    uint64_t large = b->full ? 2000000 : 100000, small = b->full ? 8000 : 2000;
    /* Nothing is open in this process whenever it forks. */
    double clean_ms = after_use(b, large, 1000, false);
    double killed_ms = after_use(b, large, 1000, true);
    double commits_ms = after_use(b, small, 1, true);
    bench_report(b, "open_clean_ms", clean_ms, "ms", "%llu jobs, half done, closed cleanly",
                 (unsigned long long)large);
    bench_report(b, "open_killed_ms", killed_ms, "ms", "the same, owner killed");
    bench_report(b, "open_killed_small_commits_ms", commits_ms, "ms",
                 "%llu jobs in small commits, owner killed", (unsigned long long)small);
    simple(b);
}
