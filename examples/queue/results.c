/*
 * Results: a job leaves JSON, and whoever enqueued it waits for that. The waiting and the work are on
 * different threads here, and could be hours apart: the result stays in the store until it is purged.
 */
#include "../example.h"

static qk_status square(qk_task *task, void *user, qk_error *err)
{
    char result[64];
    (void)user;
    long n = strtol(qk_task_payload(task), NULL, 10);
    snprintf(result, sizeof(result), "{\"n\":%ld,\"square\":%ld}", n, n * n);
    return qk_task_result(task, result, err);
}

int main(int argc, char **argv)
{
    qk_error err = QK_ERROR_INIT;
    qk_queue *queue = open_store(argc, argv, NULL);
    qk_worker *worker = NULL;
    check(qk_worker_open(&worker, queue, NULL, &err), &err);
    check(qk_worker_handle(worker, "square", square, NULL, &err), &err);
    check(qk_worker_start(worker, &err), &err);

    qk_id ids[3];
    static const char *const numbers[] = { "7", "12", "40" };
    for (int i = 0; i < 3; i++)
        check(qk_enqueue(&ids[i], queue, "square", numbers[i], NULL, &err), &err);
    for (int i = 0; i < 3; i++) {
        char *result = NULL;
        check(qk_wait(NULL, queue, ids[i], qk_seconds(30), &err), &err);
        check(qk_result(&result, queue, ids[i], &err), &err);
        printf("%s → %s\n", numbers[i], result);
        free(result);
    }
    qk_worker_close(worker);
    qk_queue_close(queue);
}
