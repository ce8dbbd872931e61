/*
 * One worker: a pool with one slot that runs a C handler. It drains the queue and ends; without
 * `drain` it would wait for more.
 */
#include "../example.h"

static qk_status shout(qk_task *task, void *user, qk_error *err)
{
    int *count = user;
    (void)err;
    printf("attempt %d of job %d: %s\n", (int)qk_task_attempt(task), ++*count,
           qk_task_payload(task));
    return QK_OK;
}

int main(int argc, char **argv)
{
    int count = 0;
    qk_error err = QK_ERROR_INIT;
    qk_queue *queue = open_store(argc, argv, NULL);
    check(qk_enqueue(NULL, queue, "shout", "\"one\"", NULL, &err), &err);
    check(qk_enqueue(NULL, queue, "shout", "\"two\"", NULL, &err), &err);
    check(qk_enqueue(NULL, queue, "whisper", "\"nobody handles this kind\"", NULL, &err), &err);

    qk_worker_options options = QK_WORKER_OPTIONS_INIT;
    options.concurrency = 1;
    options.drain = true;
    qk_worker *worker = NULL;
    check(qk_worker_open(&worker, queue, &options, &err), &err);
    check(qk_worker_handle(worker, "shout", shout, &count, &err), &err);
    check(qk_worker_run(worker, &err), &err);

    qk_worker_stats stats;
    qk_worker_stats_get(&stats, worker);
    printf("%d done, %d failed; other kinds are left for others\n", (int)stats.done,
           (int)stats.failed);
    qk_worker_close(worker);
    qk_queue_close(queue);
}
