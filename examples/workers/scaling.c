/*
 * Scaling: a pool grows and shrinks while it runs. By hand with qk_worker_resize, as here, where a
 * supervisor looks at the backlog; by itself when min_concurrency and max_concurrency are given. Slots
 * that go finish what they run, so nothing is lost on the way down.
 */
#define _POSIX_C_SOURCE 200809L
#include <poll.h>
#include <stdatomic.h>
#include <unistd.h>

#include "../example.h"

#define MOST_SLOTS 8
#define JOBS 240
#define BATCH 80

static atomic_int runs;

static qk_status count(qk_task *task, void *user, qk_error *err)
{
    (void)task, (void)user, (void)err;
    atomic_fetch_add(&runs, 1);
    return QK_OK;
}

/* One slot for every thirty that wait, one at least. */
static int slots_for(uint64_t waiting)
{
    uint64_t wanted = 1 + waiting / 30;
    return wanted < MOST_SLOTS ? (int)wanted : MOST_SLOTS;
}

static uint64_t waiting_in(qk_queue *queue)
{
    qk_error err = QK_ERROR_INIT;
    qk_stats *stats = NULL;
    check(qk_stats_get(&stats, queue, &err), &err);
    uint64_t waiting = stats->queues[0].counts[QK_JOB_PENDING];
    qk_stats_free(stats);
    return waiting;
}

static void resize(qk_worker *worker, uint64_t waiting)
{
    qk_error err = QK_ERROR_INIT;
    int slots = slots_for(waiting);
    check(qk_worker_resize(worker, slots, &err), &err);
    printf("%3d waiting: %d slots\n", (int)waiting, slots);
}

/* Sleeps until something changed in the queue, and looks again. */
static void wait_for_all(qk_queue *queue)
{
    struct pollfd changed = { .fd = qk_queue_wait_fd(queue), .events = POLLIN };
    uint64_t drained;
    while (atomic_load(&runs) < JOBS) {
        if (poll(&changed, 1, 100) > 0 && read(changed.fd, &drained, sizeof(drained)) < 0)
            continue;
    }
}

int main(int argc, char **argv)
{
    qk_error err = QK_ERROR_INIT;
    qk_queue *queue = open_store(argc, argv, NULL);
    qk_worker *worker = NULL;
    qk_worker_options options = QK_WORKER_OPTIONS_INIT;
    static qk_job_spec specs[BATCH];
    for (int i = 0; i < BATCH; i++)
        specs[i].kind = "count";
    options.concurrency = 1;
    check(qk_queue_pause(queue, "default", &err), &err); /* so that a backlog builds up */
    check(qk_worker_open(&worker, queue, &options, &err), &err);
    check(qk_worker_handle(worker, "count", count, NULL, &err), &err);
    check(qk_worker_start(worker, &err), &err);

    for (int sent = 0; sent < JOBS; sent += BATCH) {
        check(qk_enqueue_batch(NULL, queue, specs, BATCH, &err), &err);
        resize(worker, waiting_in(queue));
    }
    check(qk_queue_resume(queue, "default", &err), &err);
    wait_for_all(queue);
    printf("all %d done\n", atomic_load(&runs));
    resize(worker, waiting_in(queue));
    qk_worker_close(worker);
    qk_queue_close(queue);
}
