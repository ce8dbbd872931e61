/*
 * Adaptive backpressure: a producer that looks at how much waits and holds itself back, instead of
 * running into the limit. It sleeps on qk_queue_wait_fd, which wakes it when a job has ended.
 */
#define _POSIX_C_SOURCE 200809L
#include <poll.h>
#include <unistd.h>

#include "../example.h"

#define JOBS 300
#define HIGH 20 /* hold back from here */
#define LOW 5 /* go on from here */

static qk_status nothing(qk_task *task, void *user, qk_error *err)
{
    (void)task, (void)user, (void)err;
    return QK_OK;
}

static int waiting_in(qk_queue *queue)
{
    qk_error err = QK_ERROR_INIT;
    qk_stats *stats = NULL;
    check(qk_stats_get(&stats, queue, &err), &err);
    int waiting = (int)stats->queues[0].counts[QK_JOB_PENDING];
    qk_stats_free(stats);
    return waiting;
}

/* Until the backlog is low. A worker may need a push to begin: it is started when we first wait. */
static void hold_back(qk_queue *queue)
{
    struct pollfd changed = { .fd = qk_queue_wait_fd(queue), .events = POLLIN };
    uint64_t drained;
    while (waiting_in(queue) > LOW) {
        if (poll(&changed, 1, 100) > 0 && read(changed.fd, &drained, sizeof(drained)) < 0)
            continue;
    }
}

int main(int argc, char **argv)
{
    qk_error err = QK_ERROR_INIT;
    qk_queue *queue = open_store(argc, argv, NULL);
    qk_worker *worker = NULL;
    int most = 0, pauses = 0;
    check(qk_worker_open(&worker, queue, NULL, &err), &err);
    check(qk_worker_handle(worker, "work", nothing, NULL, &err), &err);

    for (int i = 0; i < JOBS; i++) {
        int waiting = waiting_in(queue);
        most = waiting > most ? waiting : most;
        if (waiting >= HIGH) {
            if (pauses++ == 0)
                check(qk_worker_start(worker, &err), &err); /* late, so that there is a backlog */
            hold_back(queue);
        }
        check(qk_enqueue(NULL, queue, "work", NULL, NULL, &err), &err);
    }
    hold_back(queue);
    printf("%d jobs enqueued, never more than %d waiting\n", JOBS, most);
    printf("the producer held back: %s\n", pauses > 0 ? "yes" : "no");
    qk_worker_close(worker);
    qk_queue_close(queue);
}
