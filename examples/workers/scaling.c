/*
 * Scaling by load: a supervisor looks at the backlog and adds pools while there is much to do, and ends
 * them when there is little. A pool that is closed finishes what runs and hands back the rest, so
 * nothing is lost on the way down.
 */
#define _POSIX_C_SOURCE 200809L
#include <poll.h>
#include <stdatomic.h>
#include <unistd.h>

#include "../example.h"

#define POOLS 4
#define JOBS 240
#define BATCH 80

static atomic_int runs;

static qk_status count(qk_task *task, void *user, qk_error *err)
{
    (void)task, (void)user, (void)err;
    atomic_fetch_add(&runs, 1);
    return QK_OK;
}

static qk_worker *add_pool(qk_queue *queue)
{
    qk_error err = QK_ERROR_INIT;
    qk_worker *pool = NULL;
    qk_worker_options options = QK_WORKER_OPTIONS_INIT;
    options.concurrency = 2;
    check(qk_worker_open(&pool, queue, &options, &err), &err);
    check(qk_worker_handle(pool, "count", count, NULL, &err), &err);
    check(qk_worker_start(pool, &err), &err);
    return pool;
}

/* One pool for every sixty that wait, one at least. */
static int pools_for(uint64_t waiting)
{
    uint64_t wanted = 1 + waiting / 60;
    return wanted < POOLS ? (int)wanted : POOLS;
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
    qk_worker *pools[POOLS] = { NULL };
    static qk_job_spec specs[BATCH];
    int live = 0;
    for (int i = 0; i < BATCH; i++)
        specs[i].kind = "count";

    check(qk_queue_pause(queue, "default", &err), &err); /* so that a backlog builds up */
    for (int sent = 0; sent < JOBS; sent += BATCH) {
        check(qk_enqueue_batch(NULL, queue, specs, BATCH, &err), &err);
        uint64_t waiting = waiting_in(queue);
        while (live < pools_for(waiting))
            pools[live++] = add_pool(queue);
        printf("%3d waiting: %d pools\n", (int)waiting, live);
    }
    check(qk_queue_resume(queue, "default", &err), &err);
    wait_for_all(queue);
    while (live > pools_for(waiting_in(queue)))
        qk_worker_close(pools[--live]);
    printf("all %d done: %d pool left\n", atomic_load(&runs), live);
    while (live > 0)
        qk_worker_close(pools[--live]);
    qk_queue_close(queue);
}
