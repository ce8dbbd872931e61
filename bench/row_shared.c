/*
 * Row "shared": what another process gets from the owner of a file: enqueues one by one, by 64
 * callers, in batches; jobs claimed, run and acknowledged by a follower's pool; and how long a
 * follower's call takes when the owner has just been killed.
 *
 * The owner is a forked child that keeps the file open until it is killed. For the takeovers a
 * second follower stays, so that there is always one that wants the file.
 */
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench.h"
#include "measure.h"
#include "scene.h"

#define TAKEOVERS 50

/* The child owns the file once the pipe says so. */
static pid_t start_owner(const char *path)
{
    int ready[2];
    char byte = 0;
    if (pipe(ready) != 0)
        bench_die("pipe");
    pid_t child = fork();
    if (child == 0) {
        qk_queue *queue = bench_open(path);
        (void)!write(ready[1], &byte, 1);
        for (;;)
            pause();
        qk_queue_close(queue);
    }
    close(ready[1]);
    if (child < 0 || read(ready[0], &byte, 1) != 1)
        bench_die("the owner did not start");
    close(ready[0]);
    return child;
}

static void end_owner(pid_t owner)
{
    kill(owner, SIGKILL);
    waitpid(owner, NULL, 0);
}

static void throughput(bench *b)
{
    char path[BENCH_PATH_SIZE];
    uint64_t few = b->full ? 5000 : 500, many = b->full ? 40000 : 4000;
    uint64_t bulk = b->full ? 400000 : 40000;
    bench_fresh_path(path, b, "shared");
    pid_t owner = start_owner(path);
    qk_queue *queue = bench_open(path);
    bench_report(b, "remote_one_per_s", (double)few / bench_enqueue(queue, few, 1, 1, 36), "1/s",
                 "one caller in another process, one by one");
    bench_report(b, "remote_64_per_s", (double)many / bench_enqueue(queue, many, 1, 64, 36), "1/s",
                 "64 callers in another process");
    bench_report(b, "remote_batch_per_s", (double)bulk / bench_enqueue(queue, bulk, 1000, 1, 36),
                 "1/s", "batches of 1,000 from another process");
    qk_queue_close(queue);
    end_owner(owner);
    bench_fresh_path(path, b, "shared_process");
    owner = start_owner(path);
    queue = bench_open(path);
    bench_report(b, "remote_process_per_s",
                 (double)many / bench_process(queue, many, 1000, 1, b->slots), "1/s",
                 "no-op handlers in another process, enqueue to durable result");
    qk_queue_close(queue);
    end_owner(owner);
}

/* Each time the owner is a new child, and the caller one that only passes by, so that what is
 * measured is always a follower's takeover seen by another follower. */
static void takeover(bench *b)
{
    char path[BENCH_PATH_SIZE];
    double ms[TAKEOVERS];
    qk_error err = QK_ERROR_INIT;
    qk_queue *queue = NULL;
    qk_queue_options options = bench_queue_options();
    options.brief = true;
    bench_fresh_path(path, b, "takeover");
    pid_t owner = start_owner(path);
    bench_must(qk_queue_open(&queue, path, &options, &err), &err, "open");
    for (size_t i = 0; i < TAKEOVERS; i++) {
        qk_id id;
        pid_t next = start_owner(path);
        bench_must(qk_enqueue(&id, queue, BENCH_KIND, "{}", NULL, &err), &err, "enqueue");
        double began = bench_now();
        kill(owner, SIGKILL);
        bench_must(qk_enqueue(&id, queue, BENCH_KIND, "{}", NULL, &err), &err, "enqueue");
        ms[i] = (bench_now() - began) * 1e3;
        waitpid(owner, NULL, 0);
        owner = next;
    }
    qk_queue_close(queue);
    end_owner(owner);
    bench_report(b, "takeover_ms", bench_quantile(ms, TAKEOVERS, 0.5), "ms",
                 "SIGKILL of the owner until a follower's next enqueue is durable, median of 50");
    bench_report(b, "takeover_worst_ms", bench_quantile(ms, TAKEOVERS, 1.0), "ms",
                 "the worst of 50");
}

void bench_row_shared(bench *b)
{
    throughput(b);
    takeover(b);
}
