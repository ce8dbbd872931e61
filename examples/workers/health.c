/*
 * Health checks: is the pool alive, is it busy, is a handler stuck? From inside by qk_worker_stats_get,
 * from anywhere by the view `workers`, which tells when a pool last gave a sign of life.
 */
#define _POSIX_C_SOURCE 200809L
#include <semaphore.h>

#include "../example.h"

static sem_t started, may_end;

static qk_status hold(qk_task *task, void *user, qk_error *err)
{
    (void)task, (void)user, (void)err;
    sem_post(&started);
    while (sem_wait(&may_end) != 0) {
    }
    return QK_OK;
}

/* What a /healthz of your own would answer. */
static void report(qk_queue *queue, const qk_worker *worker)
{
    qk_error err = QK_ERROR_INIT;
    qk_worker_stats stats;
    qk_rows *rows = NULL;
    qk_worker_stats_get(&stats, worker);
    printf("%u of %u slots busy, %u stuck: %s\n", stats.running, stats.slots, stats.overdue,
           stats.overdue ? "unhealthy" : "healthy");
    check(qk_rows_open(&rows, queue,
                       "SELECT slots, running, now() - heartbeat_at < INTERVAL 30 SECONDS AS alive "
                       "FROM workers",
                       qk_us(0), &err),
          &err);
    while (qk_rows_next(rows, &err) == QK_OK)
        printf("  the view: %s slots, alive: %s\n", qk_rows_text(rows, 0), qk_rows_text(rows, 2));
    qk_rows_close(rows);
}

int main(int argc, char **argv)
{
    qk_error err = QK_ERROR_INIT;
    qk_queue *queue = open_store(argc, argv, NULL);
    qk_worker *worker = NULL;
    qk_worker_options options = QK_WORKER_OPTIONS_INIT;
    qk_id ids[2];
    sem_init(&started, 0, 0);
    sem_init(&may_end, 0, 0);
    options.concurrency = 3;
    check(qk_worker_open(&worker, queue, &options, &err), &err);
    check(qk_worker_handle(worker, "hold", hold, NULL, &err), &err);
    check(qk_worker_start(worker, &err), &err);
    for (int i = 0; i < 2; i++)
        check(qk_enqueue(&ids[i], queue, "hold", NULL, NULL, &err), &err);
    for (int i = 0; i < 2; i++)
        sem_wait(&started);
    report(queue, worker);

    for (int i = 0; i < 2; i++)
        sem_post(&may_end);
    for (int i = 0; i < 2; i++)
        check(qk_wait(NULL, queue, ids[i], qk_seconds(30), &err), &err);
    qk_worker_stop(worker, false);
    check(qk_worker_run(worker, &err), &err);
    report(queue, worker);
    qk_worker_close(worker);
    qk_queue_close(queue);
}
