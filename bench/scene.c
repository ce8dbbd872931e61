/*
 * Queues, producers and no-op pools for the rows; see scene.h.
 *
 * Producers are threads of their own that meet at a barrier; the clock starts there. The no-op
 * handler runs on the pool's slots and touches one atomic counter.
 */
#include "scene.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "measure.h"

_Noreturn void bench_die(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fputs("queuack-bench: ", stderr);
    vfprintf(stderr, format, args);
    fputc('\n', stderr);
    va_end(args);
    _exit(1);
}

void bench_must(qk_status status, const qk_error *err, const char *what)
{
    if (status != QK_OK)
        bench_die("%s: %s (%s)", what, err->message, qk_status_json_code(status));
}

void *bench_alloc(size_t count, size_t size)
{
    void *memory = calloc(count, size);
    if (!memory)
        bench_die("out of memory");
    return memory;
}

qk_queue_options bench_queue_options(void)
{
    qk_queue_options options = QK_QUEUE_OPTIONS_INIT;
    options.backpressure_warn = options.backpressure_limit = 100000000;
    return options;
}

void bench_fresh_path(char path[BENCH_PATH_SIZE], const bench *b, const char *name)
{
    static const char *const endings[] = { "", ".wal", ".lock", ".wal.checkpoint", ".tmp" };
    char file[BENCH_PATH_SIZE + 32];
    if (snprintf(path, BENCH_PATH_SIZE, "%s/%s.duckdb", b->dir, name) >= BENCH_PATH_SIZE)
        bench_die("the folder's name is too long");
    for (size_t i = 0; i < sizeof endings / sizeof *endings; i++) {
        snprintf(file, sizeof file, "%s%s", path, endings[i]);
        unlink(file);
    }
}

qk_queue *bench_open(const char *path)
{
    qk_error err = QK_ERROR_INIT;
    qk_queue *queue = NULL;
    qk_queue_options options = bench_queue_options();
    bench_must(qk_queue_open(&queue, path, &options, &err), &err, "open");
    return queue;
}

qk_queue *bench_open_fresh(const bench *b, const char *name)
{
    char path[BENCH_PATH_SIZE];
    bench_fresh_path(path, b, name);
    return bench_open(path);
}

void bench_digits(char *out, uint64_t number, int digits)
{
    for (int i = digits - 1; i >= 0; i--, number /= 10)
        out[i] = (char)('0' + number % 10);
}

/* Written by hand: printf would cost more than the enqueue that is measured. */
void bench_payload(char out[BENCH_PAYLOAD_SIZE], uint64_t number, int bytes)
{
    static const char template[BENCH_PAYLOAD_SIZE] =
        "{\"i\":10000000,\"s\":\"abcdefghijklmnopqrstuvwxyzabcdefghijklmnop";
    memcpy(out, template, (size_t)bytes - 2);
    bench_digits(out + 5, 10000000 + number % 90000000, 8);
    memcpy(out + bytes - 2, "\"}", 3);
}

typedef struct producer {
    pthread_t thread;
    pthread_barrier_t *start;
    qk_queue *queue;
    uint64_t first, total;
    size_t batch;
    int payload_bytes;
} producer;

static void produce_one(const producer *p, uint64_t number)
{
    qk_error err = QK_ERROR_INIT;
    char payload[BENCH_PAYLOAD_SIZE];
    qk_id id;
    bench_payload(payload, number, p->payload_bytes);
    bench_must(qk_enqueue(&id, p->queue, BENCH_KIND, payload, NULL, &err), &err, "enqueue");
}

static void produce_batches(const producer *p)
{
    qk_error err = QK_ERROR_INIT;
    qk_job_spec *specs = bench_alloc(p->batch, sizeof *specs);
    qk_enqueued *made = bench_alloc(p->batch, sizeof *made);
    char(*payloads)[BENCH_PAYLOAD_SIZE] = bench_alloc(p->batch, sizeof *payloads);
    for (uint64_t done = 0; done < p->total;) {
        size_t count = p->total - done < p->batch ? (size_t)(p->total - done) : p->batch;
        for (size_t i = 0; i < count; i++) {
            bench_payload(payloads[i], p->first + done + i, p->payload_bytes);
            specs[i] = (qk_job_spec){ .kind = BENCH_KIND, .payload = payloads[i] };
        }
        bench_must(qk_enqueue_batch(made, p->queue, specs, count, &err), &err, "enqueue");
        done += count;
    }
    free(payloads);
    free(made);
    free(specs);
}

static void *produce(void *argument)
{
    producer *p = argument;
    pthread_barrier_wait(p->start);
    if (p->batch > 1)
        produce_batches(p);
    else
        for (uint64_t i = 0; i < p->total; i++)
            produce_one(p, p->first + i);
    return NULL;
}

double bench_enqueue(qk_queue *queue, uint64_t total, size_t batch, size_t threads,
                     int payload_bytes)
{
    pthread_barrier_t start;
    producer *producers = bench_alloc(threads, sizeof *producers);
    pthread_barrier_init(&start, NULL, (unsigned)threads + 1);
    for (size_t i = 0; i < threads; i++) {
        uint64_t first = total * i / threads, end = total * (i + 1) / threads;
        producers[i] = (producer){ .start = &start,
                                   .queue = queue,
                                   .first = first,
                                   .total = end - first,
                                   .batch = batch,
                                   .payload_bytes = payload_bytes };
        if (pthread_create(&producers[i].thread, NULL, produce, &producers[i]))
            bench_die("no thread");
    }
    pthread_barrier_wait(&start);
    double began = bench_now();
    for (size_t i = 0; i < threads; i++)
        pthread_join(producers[i].thread, NULL);
    double seconds = bench_now() - began;
    pthread_barrier_destroy(&start);
    free(producers);
    return seconds;
}

static qk_status noop(qk_task *task, void *user, qk_error *err)
{
    bench_pool *pool = user;
    (void)task;
    (void)err;
    if (atomic_fetch_add_explicit(&pool->done, 1, memory_order_relaxed) + 1 == pool->target)
        sem_post(&pool->reached);
    return QK_OK;
}

void bench_pool_open(bench_pool *pool, qk_queue *queue, int slots, bool drain, uint64_t target)
{
    qk_error err = QK_ERROR_INIT;
    qk_worker_options options = QK_WORKER_OPTIONS_INIT;
    options.concurrency = slots;
    options.drain = drain;
    pool->worker = NULL;
    pool->target = target;
    atomic_init(&pool->done, 0);
    sem_init(&pool->reached, 0, 0);
    bench_must(qk_worker_open(&pool->worker, queue, &options, &err), &err, "worker");
    bench_must(qk_worker_handle(pool->worker, BENCH_KIND, noop, pool, &err), &err, "handler");
    if (!drain)
        bench_must(qk_worker_start(pool->worker, &err), &err, "start");
}

static void pool_run(bench_pool *pool)
{
    qk_error err = QK_ERROR_INIT;
    bench_must(qk_worker_run(pool->worker, &err), &err, "run");
    qk_worker_close(pool->worker);
    sem_destroy(&pool->reached);
}

void bench_pool_finish(bench_pool *pool)
{
    while (sem_wait(&pool->reached)) {
    }
    qk_worker_stop(pool->worker, false);
    pool_run(pool);
}

void bench_pool_drain(bench_pool *pool)
{
    pool_run(pool);
}

uint64_t bench_count(qk_queue *queue, qk_job_status status)
{
    qk_error err = QK_ERROR_INIT;
    qk_stats *stats = NULL;
    uint64_t count = 0;
    bench_must(qk_stats_get(&stats, queue, &err), &err, "stats");
    for (size_t i = 0; i < stats->count; i++)
        count += stats->queues[i].counts[status];
    qk_stats_free(stats);
    return count;
}

double bench_process(qk_queue *queue, uint64_t total, size_t batch, size_t producers, int slots)
{
    bench_pool pool;
    uint64_t before = bench_count(queue, QK_JOB_DONE);
    bench_pool_open(&pool, queue, slots, false, total);
    double began = bench_now();
    bench_enqueue(queue, total, batch, producers, 36);
    bench_pool_finish(&pool);
    double seconds = bench_now() - began;
    uint64_t done = bench_count(queue, QK_JOB_DONE) - before;
    if (done != total)
        bench_die("%llu jobs done instead of %llu", (unsigned long long)done,
                  (unsigned long long)total);
    return seconds;
}
