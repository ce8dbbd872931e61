/*
 * Several queues in strict order: as long as there is something urgent, nothing else starts. A pool
 * takes only from the queues it names, so a queue can have workers of its own.
 */
#include "../example.h"

static qk_status say(qk_task *task, void *user, qk_error *err)
{
    (void)user, (void)err;
    printf("%-8s %s\n", qk_task_claim(task)->queue, qk_task_payload(task));
    return QK_OK;
}

static void put(qk_queue *queue, const char *name, const char *payload)
{
    qk_error err = QK_ERROR_INIT;
    qk_job_options options = QK_JOB_OPTIONS_INIT;
    options.queue = name;
    check(qk_enqueue(NULL, queue, "say", payload, &options, &err), &err);
}

int main(int argc, char **argv)
{
    static const char *const order[] = { "urgent", "normal" };
    qk_error err = QK_ERROR_INIT;
    qk_queue *queue = open_store(argc, argv, NULL);
    put(queue, "normal", "1");
    put(queue, "reports", "2");
    put(queue, "urgent", "3");
    put(queue, "normal", "4");
    put(queue, "urgent", "5");

    qk_worker_options options = QK_WORKER_OPTIONS_INIT;
    options.concurrency = 1;
    options.drain = true;
    options.queues = order;
    options.queue_count = 2;
    qk_worker *worker = NULL;
    check(qk_worker_open(&worker, queue, &options, &err), &err);
    check(qk_worker_handle(worker, "say", say, NULL, &err), &err);
    check(qk_worker_run(worker, &err), &err);
    qk_worker_close(worker);

    qk_stats *stats = NULL;
    check(qk_stats_get(&stats, queue, &err), &err);
    for (size_t i = 0; i < stats->count; i++) {
        if (stats->queues[i].counts[QK_JOB_PENDING])
            printf("left in %s: %d\n", stats->queues[i].name,
                   (int)stats->queues[i].counts[QK_JOB_PENDING]);
    }
    qk_stats_free(stats);
    qk_queue_close(queue);
}
