/*
 * Row "command": the program `true` as a durable job with its output captured, beside xargs.
 *
 * Both start the same program with the same parallelism, in turn; xargs reads its lines from a file
 * and neither keeps results nor survives anything.
 */
#include <fcntl.h>
#include <spawn.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench.h"
#include "measure.h"
#include "scene.h"

extern char **environ;

static double as_jobs(const bench *b, uint64_t total)
{
    qk_error err = QK_ERROR_INIT;
    qk_queue *queue = bench_open_fresh(b, "command");
    qk_worker_options options = QK_WORKER_OPTIONS_INIT;
    qk_worker *worker = NULL;
    options.concurrency = b->slots;
    options.drain = true;
    qk_job_spec *specs = bench_alloc(total, sizeof *specs);
    for (uint64_t i = 0; i < total; i++)
        specs[i] = (qk_job_spec){ .kind = "command", .payload = "{\"argv\":[\"true\"]}" };
    double began = bench_now();
    bench_must(qk_enqueue_batch(NULL, queue, specs, total, &err), &err, "enqueue");
    bench_must(qk_worker_open(&worker, queue, &options, &err), &err, "worker");
    bench_must(qk_worker_run(worker, &err), &err, "run");
    double seconds = bench_now() - began;
    qk_worker_close(worker);
    free(specs);
    if (bench_count(queue, QK_JOB_DONE) != total)
        bench_die("not every command is done");
    qk_queue_close(queue);
    return seconds;
}

static void write_lines(const char *path, uint64_t total)
{
    FILE *file = fopen(path, "we");
    for (uint64_t i = 0; file && i < total; i++)
        fprintf(file, "%llu\n", (unsigned long long)i);
    if (!file || fclose(file))
        bench_die("%s cannot be written", path);
}

static double with_xargs(const bench *b, uint64_t total)
{
    char path[BENCH_PATH_SIZE], parallel[32];
    snprintf(path, sizeof path, "%s/lines", b->dir);
    snprintf(parallel, sizeof parallel, "-P%d", b->slots);
    char xargs[] = "xargs", one[] = "-n1", program[] = "true";
    char *const argv[] = { xargs, parallel, one, program, NULL };
    posix_spawn_file_actions_t actions;
    pid_t child;
    int status = 0;
    write_lines(path, total);
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, 0, path, O_RDONLY, 0);
    double began = bench_now();
    if (posix_spawnp(&child, xargs, &actions, NULL, argv, environ) ||
        waitpid(child, &status, 0) < 0 || status)
        bench_die("xargs failed");
    double seconds = bench_now() - began;
    posix_spawn_file_actions_destroy(&actions);
    unlink(path);
    return seconds;
}

void bench_row_command(bench *b)
{
    uint64_t total = b->full ? 10000 : 300;
    double jobs[3], xargs[3];
    for (size_t i = 0; i < 3; i++) {
        jobs[i] = (double)total / as_jobs(b, total);
        xargs[i] = (double)total / with_xargs(b, total);
    }
    double ours = bench_quantile(jobs, 3, 0.5), theirs = bench_quantile(xargs, 3, 0.5);
    bench_report(b, "command_per_s", ours, "/s", "`true` as a durable job, %d slots", b->slots);
    bench_report(b, "xargs_per_s", theirs, "/s", "xargs -P%d -n1 true", b->slots);
    bench_report(b, "command_vs_xargs", ours / theirs, "x", "ratio");
}
