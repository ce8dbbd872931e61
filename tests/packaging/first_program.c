/*
 * The smallest complete program: opens a store, enqueues a job, runs it, closes. The README shows
 * it; the packaging tests compile it against an installed Queuack.
 */
#include <queuack/queuack.h>

static qk_status resize(qk_task *task, void *user, qk_error *err)
{
    (void)user;
    return qk_task_result(task, "{\"ok\":true}", err);
}

int main(void)
{
    qk_error err = QK_ERROR_INIT;
    qk_queue *queue = NULL;
    qk_id id;
    if (qk_queue_open(&queue, "jobs.duckdb", NULL, &err)) {
        fputs(err.message, stderr);
        return 1;
    }

    qk_job_options options = QK_JOB_OPTIONS_INIT;
    options.priority = 90;
    qk_enqueue(&id, queue, "resize", "{\"w\":80}", &options, &err);

    qk_worker_options drain = QK_WORKER_OPTIONS_INIT;
    drain.concurrency = 4;
    drain.drain = true;
    qk_worker *worker = NULL;
    qk_worker_open(&worker, queue, &drain, &err);
    qk_worker_handle(worker, "resize", resize, NULL, &err);
    qk_worker_run(worker, &err);
    qk_worker_close(worker);

    qk_job *job = NULL;
    if (qk_job_get(&job, queue, id, &err) == QK_OK)
        printf("%s %s\n", qk_job_status_name(job->status), job->result ? job->result : "");
    qk_job_free(job);
    qk_queue_close(queue);
    return err.code == QK_OK ? 0 : 1;
}
