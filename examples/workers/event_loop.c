/*
 * An event loop of one's own: qk_queue_wait_fd becomes readable when a job became ready or ended, so a
 * program that already polls sockets and timers can wait for jobs in the same place. No pool, no
 * further thread but the producer's.
 */
#define _POSIX_C_SOURCE 200809L
#include <poll.h>
#include <pthread.h>
#include <unistd.h>

#include "../example.h"

#define JOBS 5

static void *produce(void *arg)
{
    for (int i = 1; i <= JOBS; i++) {
        char payload[16];
        qk_error err = QK_ERROR_INIT;
        snprintf(payload, sizeof(payload), "%d", i);
        check(qk_enqueue(NULL, arg, "event", payload, NULL, &err), &err);
    }
    return NULL;
}

/* Takes what is there without waiting; returns how many. */
static int work_off(qk_queue *queue)
{
    qk_error err = QK_ERROR_INIT;
    qk_claims *claims = NULL;
    int count = 0;
    qk_status rc;
    while ((rc = qk_claim(&claims, queue, NULL, &err)) == QK_OK) {
        printf("event %s\n", claims->items[0].payload);
        check(qk_ack(queue, &claims->items[0].lease, NULL, &err), &err);
        qk_claims_free(claims);
        count++;
    }
    if (rc != QK_EMPTY)
        check(rc, &err);
    return count;
}

int main(int argc, char **argv)
{
    qk_queue *queue = open_store(argc, argv, NULL);
    pthread_t producer;
    if (pthread_create(&producer, NULL, produce, queue) != 0)
        return 1;

    struct pollfd fds[] = { { .fd = qk_queue_wait_fd(queue), .events = POLLIN } };
    int seen = 0;
    while (seen < JOBS) {
        if (poll(fds, 1, 10000) <= 0) { /* sockets and timers of the program go in here as well */
            fprintf(stderr, "nothing happened for ten seconds\n");
            return 1;
        }
        uint64_t drained;
        if (read(fds[0].fd, &drained, sizeof(drained)) < 0)
            continue; /* first read, then look: a change in between wakes us again */
        seen += work_off(queue);
    }
    pthread_join(producer, NULL);
    printf("%d events, no polling in vain\n", seen);
    qk_queue_close(queue);
}
