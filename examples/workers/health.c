/*
 * Health checks: is the pool alive, is it busy, is a handler stuck? From inside by qk_worker_health_get
 * and qk_worker_slots_get; from anywhere by the view `workers`.
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
static void report(const qk_worker *worker)
{
    qk_worker_health health;
    qk_slot_state slots[8];
    int with_job = 0;
    qk_worker_health_get(&health, worker);
    size_t count = qk_worker_slots_get(slots, 8, worker);
    for (size_t i = 0; i < count && i < 8; i++)
        with_job += slots[i].running;
    printf("%s: %u of %u slots busy, %u stuck%s\n", health.healthy ? "healthy" : "unhealthy",
           health.running, health.slots, health.overdue, health.stopping ? ", stopping" : "");
    printf("  slot by slot: %d have a job\n", with_job);
}

static void report_from_outside(qk_queue *queue)
{
    qk_error err = QK_ERROR_INIT;
    qk_rows *rows = NULL;
    check(qk_rows_open(&rows, queue,
                       "SELECT slots, now() - heartbeat_at < INTERVAL 30 SECONDS FROM workers",
                       qk_us(0), &err),
          &err);
    while (qk_rows_next(rows, &err) == QK_OK)
        printf("  the view: %s slots, alive: %s\n", qk_rows_text(rows, 0), qk_rows_text(rows, 1));
    qk_rows_close(rows);
}

int main(int argc, char **argv)
{
    qk_error err = QK_ERROR_INIT;
    qk_queue *queue = open_store(argc, argv, NULL);
    qk_worker *worker = NULL;
    qk_worker_options options = QK_WORKER_OPTIONS_INIT;
    sem_init(&started, 0, 0);
    sem_init(&may_end, 0, 0);
    options.concurrency = 3;
    check(qk_worker_open(&worker, queue, &options, &err), &err);
    check(qk_worker_handle(worker, "hold", hold, NULL, &err), &err);
    check(qk_worker_start(worker, &err), &err);
    for (int i = 0; i < 2; i++)
        check(qk_enqueue(NULL, queue, "hold", NULL, NULL, &err), &err);
    for (int i = 0; i < 2; i++)
        sem_wait(&started);
    report(worker);
    report_from_outside(queue);

    qk_worker_stop(worker, false);
    report(worker);
    for (int i = 0; i < 2; i++)
        sem_post(&may_end);
    check(qk_worker_run(worker, &err), &err);
    qk_worker_close(worker);
    qk_queue_close(queue);
}
