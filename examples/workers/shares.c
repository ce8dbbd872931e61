/*
 * Several queues by weight: of every four jobs three are paid and one is free, as long as both wait.
 * Strict order would let the free ones wait until no paid one is left.
 */
#include "../example.h"

static int taken, paid_in_first_half;

static qk_status note(qk_task *task, void *user, qk_error *err)
{
    (void)user, (void)err;
    if (taken++ < 20)
        paid_in_first_half += qk_task_claim(task)->queue[0] == 'p';
    return QK_OK;
}

int main(int argc, char **argv)
{
    static const char *const queues[] = { "paid", "free" };
    static const int weights[] = { 3, 1 };
    qk_error err = QK_ERROR_INIT;
    qk_queue *queue = open_store(argc, argv, NULL);
    for (int i = 0; i < 40; i++) {
        qk_job_options options = QK_JOB_OPTIONS_INIT;
        options.queue = queues[i % 2];
        check(qk_enqueue(NULL, queue, "note", NULL, &options, &err), &err);
    }
    qk_worker_options options = QK_WORKER_OPTIONS_INIT;
    options.concurrency = 1;
    options.prefetch = -1;
    options.drain = true;
    options.queues = queues;
    options.queue_count = 2;
    options.weights = weights;
    qk_worker *worker = NULL;
    check(qk_worker_open(&worker, queue, &options, &err), &err);
    check(qk_worker_handle(worker, "note", note, NULL, &err), &err);
    check(qk_worker_run(worker, &err), &err);
    qk_worker_close(worker);
    printf("of the first 20 jobs %d were paid, of all %d the half\n", paid_in_first_half, taken);
    qk_queue_close(queue);
}
