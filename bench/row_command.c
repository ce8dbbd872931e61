/*
 * Row "command": the program `true` as a durable job with its output captured, beside xargs and make.
 *
 * All start the same program with the same parallelism, in turn; xargs reads its lines from a file,
 * make its targets, and neither keeps results nor survives anything.
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

/* Runs a tool with a file on its standard input; how long it took. */
static double time_tool(char *const argv[], const char *input)
{
    posix_spawn_file_actions_t actions;
    pid_t child;
    int status = 0;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, 0, input, O_RDONLY, 0);
    double began = bench_now();
    if (posix_spawnp(&child, argv[0], &actions, NULL, argv, environ) ||
        waitpid(child, &status, 0) < 0 || status)
        bench_die("%s failed", argv[0]);
    double seconds = bench_now() - began;
    posix_spawn_file_actions_destroy(&actions);
    return seconds;
}

static double with_xargs(const bench *b, uint64_t total)
{
    char path[BENCH_PATH_SIZE], parallel[32];
    snprintf(path, sizeof path, "%s/lines", b->dir);
    snprintf(parallel, sizeof parallel, "-P%d", b->slots);
    char xargs[] = "xargs", one[] = "-n1", program[] = "true";
    char *const argv[] = { xargs, parallel, one, program, NULL };
    write_lines(path, total);
    double seconds = time_tool(argv, path);
    unlink(path);
    return seconds;
}

/* A target per command, each a program: `true` alone would be the shell's own. */
static double with_make(const bench *b, uint64_t total)
{
    char path[BENCH_PATH_SIZE], parallel[32], targets[32];
    snprintf(path, sizeof path, "%s/makefile", b->dir);
    snprintf(parallel, sizeof parallel, "-j%d", b->slots);
    snprintf(targets, sizeof targets, "N=%llu", (unsigned long long)total);
    FILE *file = fopen(path, "we");
    if (!file ||
        fputs("ALL := $(shell seq $(N))\n.PHONY: all $(ALL)\nall: $(ALL)\n"
              "$(ALL):\n\t@/bin/true\n",
              file) < 0 ||
        fclose(file))
        bench_die("%s cannot be written", path);
    char make[] = "make", quiet[] = "-s", from[] = "-f", all[] = "all";
    char *const argv[] = { make, quiet, parallel, targets, from, path, all, NULL };
    double seconds = time_tool(argv, "/dev/null");
    unlink(path);
    return seconds;
}

void bench_row_command(bench *b)
{
    uint64_t total = b->full ? 10000 : 1000;
    double jobs[3], xargs[3], make[3];
    for (size_t i = 0; i < 3; i++) {
        jobs[i] = (double)total / as_jobs(b, total);
        xargs[i] = (double)total / with_xargs(b, total);
        make[i] = (double)total / with_make(b, total);
    }
    double ours = bench_quantile(jobs, 3, 0.5), theirs = bench_quantile(xargs, 3, 0.5);
    double makes = bench_quantile(make, 3, 0.5);
    bench_report(b, "command_per_s", ours, "/s", "`true` as a durable job, %d slots", b->slots);
    bench_report(b, "xargs_per_s", theirs, "/s", "xargs -P%d -n1 true", b->slots);
    bench_report(b, "make_per_s", makes, "/s", "make -j%d, a target each", b->slots);
    bench_report(b, "command_vs_xargs", ours / theirs, "x", "ratio");
    bench_report(b, "command_vs_make", ours / makes, "x", "ratio");
}
