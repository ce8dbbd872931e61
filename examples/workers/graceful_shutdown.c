/*
 * Graceful shutdown: a pool that is asked to stop takes no new jobs, lets the running one finish and
 * keeps its result; what had not started stays in the queue. Here the handler of the first job asks.
 * With options.handle_signals SIGTERM and SIGINT ask, as graceful_shutdown.sh shows.
 */
#include "../example.h"

typedef struct program {
    qk_worker *worker;
} program;

static qk_status work(qk_task *task, void *user, qk_error *err)
{
    const program *self = user;
    printf("job %s starts; the pool is asked to stop\n", qk_task_payload(task));
    qk_worker_stop(self->worker, false); /* true would cancel this job as well */
    printf("job %s goes on; cancelled: %s\n", qk_task_payload(task),
           qk_task_cancelled(task) ? "yes" : "no");
    return qk_task_result(task, "\"finished\"", err);
}

int main(int argc, char **argv)
{
    qk_error err = QK_ERROR_INIT;
    qk_queue *queue = open_store(argc, argv, NULL);
    program self = { NULL };
    qk_id first;
    check(qk_enqueue(&first, queue, "work", "1", NULL, &err), &err);
    check(qk_enqueue(NULL, queue, "work", "2", NULL, &err), &err);

    qk_worker_options options = QK_WORKER_OPTIONS_INIT;
    options.concurrency = 1;
    check(qk_worker_open(&self.worker, queue, &options, &err), &err);
    check(qk_worker_handle(self.worker, "work", work, &self, &err), &err);
    check(qk_worker_run(self.worker, &err), &err); /* returns when it has stopped */
    qk_worker_close(self.worker);

    char *result = NULL;
    check(qk_result(&result, queue, first, &err), &err);
    printf("job 1: %s\n", result);
    free(result);
    qk_stats *stats = NULL;
    check(qk_stats_get(&stats, queue, &err), &err);
    printf("still waiting: %d\n", (int)stats->queues[0].counts[QK_JOB_PENDING]);
    qk_stats_free(stats);
    qk_queue_close(queue);
}
