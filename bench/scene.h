/*
 * What most rows need: a queue in the row's folder, jobs put into it, a pool that runs no-ops.
 *
 * Helpers do not return errors: bench_must prints what failed and ends the row's process.
 */
#ifndef BENCH_SCENE_H
#define BENCH_SCENE_H

#include <semaphore.h>
#include <stdatomic.h>

#include "bench.h"

#define BENCH_KIND "noop"
#define BENCH_PATH_SIZE 4096
#define BENCH_PAYLOAD_SIZE 64

void bench_must(qk_status status, const qk_error *err, const char *what);
_Noreturn void bench_die(const char *format, ...) QK_PRINTF(1, 2);
void *bench_alloc(size_t count, size_t size);

/* Options of every bench queue: no backpressure before 100 million jobs. */
qk_queue_options bench_queue_options(void);
/* Writes `<dir>/<name>.duckdb`; removes what is left there from an earlier use. */
void bench_fresh_path(char path[BENCH_PATH_SIZE], const bench *b, const char *name);
qk_queue *bench_open(const char *path);
qk_queue *bench_open_fresh(const bench *b, const char *name);

/* Writes the last `digits` decimal digits of `number`, without a NUL. */
void bench_digits(char *out, uint64_t number, int digits);

/* A JSON object of exactly `bytes` (24 to 62) that differs with `number`. */
void bench_payload(char out[BENCH_PAYLOAD_SIZE], uint64_t number, int bytes);

/* Puts `total` jobs in, `batch` per call (1: qk_enqueue), by so many threads that start together.
 * Returns the seconds it took. */
double bench_enqueue(qk_queue *queue, uint64_t total, size_t batch, size_t threads,
                     int payload_bytes);

/* A pool whose handler does nothing but count. */
typedef struct bench_pool {
    qk_worker *worker;
    atomic_uint_fast64_t done;
    uint64_t target; /* `reached` is posted when so many have started */
    sem_t reached;
} bench_pool;

void bench_pool_open(bench_pool *pool, qk_queue *queue, int slots, bool drain, uint64_t target);
/* Waits for the target; stops; returns when all that was done is durable, and closes. */
void bench_pool_finish(bench_pool *pool);
/* Runs until nothing is left; returns when that is durable, and closes. */
void bench_pool_drain(bench_pool *pool);

/* Producers and workers at the same time: seconds from before the first enqueue until the last
 * result is durable. Ends the row unless exactly `total` more jobs are done. */
double bench_process(qk_queue *queue, uint64_t total, size_t batch, size_t producers, int slots);

uint64_t bench_count(qk_queue *queue, qk_job_status status);

#endif
