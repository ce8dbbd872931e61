/*
 * A paced load; see load.h.
 *
 * One thread per producer, each with its own batch of specs. The intended time travels in the
 * payload, 10^15 µs added so that it always has 16 digits at the same place.
 */
#include "load.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "scene.h"

#define DIGITS_BASE 1000000000000000LL
#define DIGITS_PLACE 5 /* after {"t": */

typedef struct producer {
    pthread_t thread;
    bench_load *load;
    int64_t offset_us;
    uint64_t sent;
    char (*payloads)[BENCH_PAYLOAD_SIZE];
    qk_job_spec *specs;
    qk_enqueued *made;
} producer;

struct bench_load {
    qk_queue *queue;
    qk_worker *worker;
    bench_load_plan plan;
    bench_load_figures *figures;
    atomic_bool stop;
    int64_t began_us;
    double period_us; /* of one producer */
    producer *producers;
};

/* 36 bytes. */
static void write_payload(char *out, int64_t intended_us, uint64_t number)
{
    static const char template[] = "{\"t\":0000000000000000,\"s\":\"0000000\"}";
    memcpy(out, template, sizeof template);
    bench_digits(out + DIGITS_PLACE, (uint64_t)(DIGITS_BASE + intended_us), 16);
    bench_digits(out + 27, number, 7);
}

static void send_batch(producer *p, int64_t intended_us)
{
    qk_error err = QK_ERROR_INIT;
    bench_load *load = p->load;
    size_t count = (size_t)load->plan.batch;
    for (size_t i = 0; i < count; i++)
        write_payload(p->payloads[i], intended_us, p->sent + i);
    bench_must(qk_enqueue_batch(p->made, load->queue, p->specs, count, &err), &err, "enqueue");
    bench_histogram_record(&load->figures->enqueue, bench_now_us() - intended_us);
    atomic_fetch_add(&load->figures->sent, count);
    p->sent += count;
}

static void *produce(void *argument)
{
    producer *p = argument;
    bench_load *load = p->load;
    for (uint64_t turn = 0; !atomic_load_explicit(&load->stop, memory_order_relaxed); turn++) {
        int64_t intended =
            load->began_us + p->offset_us + (int64_t)((double)turn * load->period_us);
        bench_sleep_until_us(intended);
        send_batch(p, intended);
    }
    return NULL;
}

static qk_status note_start(qk_task *task, void *user, qk_error *err)
{
    bench_load_figures *figures = user;
    int64_t now = bench_now_us();
    long long intended = strtoll(qk_task_payload(task) + DIGITS_PLACE, NULL, 10) - DIGITS_BASE;
    bench_histogram_record(&figures->start, now - intended);
    atomic_fetch_add_explicit(&figures->done, 1, memory_order_relaxed);
    (void)err;
    return QK_OK;
}

static void start_pool(bench_load *load)
{
    qk_error err = QK_ERROR_INIT;
    qk_worker_options options = QK_WORKER_OPTIONS_INIT;
    options.concurrency = load->plan.slots;
    bench_must(qk_worker_open(&load->worker, load->queue, &options, &err), &err, "worker");
    bench_must(qk_worker_handle(load->worker, BENCH_KIND, note_start, load->figures, &err), &err,
               "handler");
    bench_must(qk_worker_start(load->worker, &err), &err, "start");
}

static void start_producer(bench_load *load, int index)
{
    producer *p = &load->producers[index];
    size_t count = (size_t)load->plan.batch;
    p->load = load;
    p->offset_us = (int64_t)(load->period_us * index / load->plan.producers);
    p->payloads = bench_alloc(count, sizeof *p->payloads);
    p->specs = bench_alloc(count, sizeof *p->specs);
    p->made = bench_alloc(count, sizeof *p->made);
    for (size_t i = 0; i < count; i++)
        p->specs[i] = (qk_job_spec){ .kind = BENCH_KIND, .payload = p->payloads[i] };
    if (pthread_create(&p->thread, NULL, produce, p))
        bench_die("no thread");
}

bench_load *bench_load_start(qk_queue *queue, const bench_load_plan *plan,
                             bench_load_figures *figures)
{
    bench_load *load = bench_alloc(1, sizeof *load);
    load->queue = queue;
    load->plan = *plan;
    load->figures = figures;
    load->period_us = 1e6 * plan->producers * plan->batch / plan->rate;
    load->producers = bench_alloc((size_t)plan->producers, sizeof *load->producers);
    start_pool(load);
    load->began_us = bench_now_us() + 50000; /* time to create the threads */
    for (int i = 0; i < plan->producers; i++)
        start_producer(load, i);
    return load;
}

static void wait_until_done(bench_load *load)
{
    int64_t deadline = bench_now_us() + 60000000;
    while (atomic_load(&load->figures->done) < atomic_load(&load->figures->sent)) {
        bench_sleep_until_us(bench_now_us() + 2000);
        if (bench_now_us() > deadline)
            bench_die("jobs are left over a minute after the last enqueue");
    }
}

void bench_load_stop(bench_load *load)
{
    qk_error err = QK_ERROR_INIT;
    atomic_store(&load->stop, true);
    for (int i = 0; i < load->plan.producers; i++) {
        producer *p = &load->producers[i];
        pthread_join(p->thread, NULL);
        free(p->payloads);
        free(p->specs);
        free(p->made);
    }
    wait_until_done(load);
    qk_worker_stop(load->worker, false);
    bench_must(qk_worker_run(load->worker, &err), &err, "run");
    qk_worker_close(load->worker);
    free(load->producers);
    free(load);
}
