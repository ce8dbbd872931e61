/*
 * Row "idle": from an enqueue to the start of its handler while nothing else is going on.
 *
 * The clock runs from before qk_enqueue to the handler's first instruction. The claim is pipelined,
 * the enqueue durable by then. Each job is waited for, and two milliseconds pass, before the next.
 */
#include <semaphore.h>

#include "bench.h"
#include "measure.h"
#include "scene.h"

#define SAMPLES 500
#define WARM_UP 20

typedef struct probe {
    double started; /* written by the handler, read after `ran` */
    sem_t ran;
} probe;

static qk_status note_start(qk_task *task, void *user, qk_error *err)
{
    probe *p = user;
    p->started = bench_now();
    sem_post(&p->ran);
    (void)task;
    (void)err;
    return QK_OK;
}

static void measure_one(probe *p, qk_queue *queue, double *start_ms, double *durable_ms)
{
    qk_error err = QK_ERROR_INIT;
    char payload[BENCH_PAYLOAD_SIZE];
    qk_id id;
    bench_payload(payload, 0, 36);
    double began = bench_now();
    bench_must(qk_enqueue(&id, queue, BENCH_KIND, payload, NULL, &err), &err, "enqueue");
    while (sem_wait(&p->ran)) {
    }
    *start_ms = (p->started - began) * 1e3;
    bench_must(qk_wait(NULL, queue, id, qk_seconds(10), &err), &err, "wait");
    *durable_ms = (bench_now() - began) * 1e3;
    bench_sleep_until_us(bench_now_us() + 2000);
}

static void measure(bench *b, probe *p, qk_queue *queue)
{
    static double start_ms[SAMPLES], durable_ms[SAMPLES];
    double ignored;
    for (int i = 0; i < WARM_UP; i++)
        measure_one(p, queue, &ignored, &ignored);
    for (int i = 0; i < SAMPLES; i++)
        measure_one(p, queue, &start_ms[i], &durable_ms[i]);
    bench_report(b, "idle_start_p50_ms", bench_quantile(start_ms, SAMPLES, 0.5), "ms",
                 "enqueue to the handler's start, %d single jobs", SAMPLES);
    bench_report(b, "idle_start_p99_ms", bench_quantile(start_ms, SAMPLES, 0.99), "ms",
                 "the same, p99");
    bench_report(b, "idle_start_max_ms", bench_quantile(start_ms, SAMPLES, 1), "ms",
                 "the same, the slowest");
    bench_report(b, "idle_done_p50_ms", bench_quantile(durable_ms, SAMPLES, 0.5), "ms",
                 "enqueue to durable result");
}

void bench_row_idle(bench *b)
{
    probe p = { .started = 0 };
    qk_error err = QK_ERROR_INIT;
    qk_worker *worker = NULL;
    qk_worker_options options = QK_WORKER_OPTIONS_INIT;
    qk_queue *queue = bench_open_fresh(b, "idle");
    options.concurrency = b->slots;
    sem_init(&p.ran, 0, 0);
    bench_must(qk_worker_open(&worker, queue, &options, &err), &err, "worker");
    bench_must(qk_worker_handle(worker, BENCH_KIND, note_start, &p, &err), &err, "handler");
    bench_must(qk_worker_start(worker, &err), &err, "start");
    measure(b, &p, queue);
    qk_worker_close(worker);
    qk_queue_close(queue);
    sem_destroy(&p.ran);
}
