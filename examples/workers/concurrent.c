/*
 * Concurrent workers: eight slots work on 400 jobs while four threads enqueue them. Every job runs
 * exactly once, which the handlers prove by counting. A store in memory that is told of several workers
 * (workers_num) moves itself to a temporary file, which goes at close.
 */
#include <pthread.h>
#include <stdatomic.h>

#include "../example.h"

#define PRODUCERS 4
#define EACH 100

static atomic_int runs[PRODUCERS * EACH];
static atomic_int at_once, most_at_once;

static qk_status count(qk_task *task, void *user, qk_error *err)
{
    (void)user, (void)err;
    int now = atomic_fetch_add(&at_once, 1) + 1, seen = atomic_load(&most_at_once);
    while (now > seen && !atomic_compare_exchange_weak(&most_at_once, &seen, now)) {
    }
    atomic_fetch_add(&runs[strtol(qk_task_payload(task), NULL, 10)], 1);
    atomic_fetch_sub(&at_once, 1);
    return QK_OK;
}

typedef struct producer {
    qk_queue *queue;
    int first;
    pthread_t thread;
} producer;

static void *produce(void *arg)
{
    const producer *self = arg;
    for (int i = 0; i < EACH; i++) {
        char payload[16];
        qk_error err = QK_ERROR_INIT;
        snprintf(payload, sizeof(payload), "%d", self->first + i);
        check(qk_enqueue(NULL, self->queue, "count", payload, NULL, &err), &err);
    }
    return NULL;
}

int main(int argc, char **argv)
{
    qk_error err = QK_ERROR_INIT;
    qk_queue_options options = QK_QUEUE_OPTIONS_INIT;
    options.workers_num = 8;
    qk_queue *queue = open_store(argc, argv, &options);
    printf("moved to a file: %s\n", qk_queue_auto_migrated(queue) ? "yes" : "no");
    qk_worker *pool = qk_queue_worker(queue); /* the handle's own; it closes with it */
    check(qk_worker_handle(pool, "count", count, NULL, &err), &err);
    check(qk_worker_start(pool, &err), &err);

    producer producers[PRODUCERS];
    for (int i = 0; i < PRODUCERS; i++) {
        producers[i] = (producer){ .queue = queue, .first = i * EACH };
        if (pthread_create(&producers[i].thread, NULL, produce, &producers[i]) != 0)
            return 1;
    }
    for (int i = 0; i < PRODUCERS; i++)
        pthread_join(producers[i].thread, NULL);

    qk_worker_stop(pool, false); /* what is claimed is finished */
    check(qk_worker_run(pool, &err), &err);
    qk_worker_options drain = QK_WORKER_OPTIONS_INIT; /* and a second pool takes the rest */
    qk_worker *rest = NULL;
    drain.drain = true;
    drain.concurrency = 8;
    check(qk_worker_open(&rest, queue, &drain, &err), &err);
    check(qk_worker_handle(rest, "count", count, NULL, &err), &err);
    check(qk_worker_run(rest, &err), &err);
    qk_worker_close(rest);

    int once = 0;
    for (int i = 0; i < PRODUCERS * EACH; i++)
        once += atomic_load(&runs[i]) == 1;
    printf("%d of %d jobs ran exactly once\n", once, PRODUCERS * EACH);
    printf("more than 8 at a time: %s\n", atomic_load(&most_at_once) > 8 ? "yes" : "never");
    qk_queue_close(queue);
}
