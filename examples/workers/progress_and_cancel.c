/*
 * Progress and cancelling: a long handler says how far it is, everybody can see that, and when a person
 * cancels the job it notices and stops.
 */
#define _POSIX_C_SOURCE 200809L
#include <semaphore.h>
#include <time.h>

#include "../example.h"

static sem_t halfway;

static qk_status copy(qk_task *task, void *user, qk_error *err)
{
    const struct timespec moment = { 0, 1000000 };
    (void)user;
    qk_status rc = qk_task_progress(task, 0.5, "half of the files", err);
    if (rc)
        return rc;
    sem_post(&halfway);
    while (!qk_task_cancelled(task))
        nanosleep(&moment, NULL); /* the other half takes for ever */
    printf("the handler: I was cancelled\n");
    snprintf(err->message, sizeof(err->message), "cancelled");
    return QK_EINTERRUPTED;
}

int main(int argc, char **argv)
{
    qk_error err = QK_ERROR_INIT;
    qk_queue *queue = open_store(argc, argv, NULL);
    qk_worker *worker = NULL;
    qk_id id;
    sem_init(&halfway, 0, 0);
    qk_worker_options options = QK_WORKER_OPTIONS_INIT;
    options.lease = qk_seconds(1); /* how soon it notices: a third of this */
    check(qk_worker_open(&worker, queue, &options, &err), &err);
    check(qk_worker_handle(worker, "copy", copy, NULL, &err), &err);
    check(qk_worker_start(worker, &err), &err);
    check(qk_enqueue(&id, queue, "copy", NULL, NULL, &err), &err);

    sem_wait(&halfway);
    qk_job *job = NULL;
    check(qk_job_get(&job, queue, id, &err), &err);
    printf("it is %s at %.0f %%: %s\n", qk_job_status_name(job->status), 100 * job->progress,
           job->progress_message);
    qk_job_free(job);

    check(qk_cancel(queue, id, &err), &err);
    check(qk_wait(&job, queue, id, qk_seconds(30), &err), &err);
    qk_worker_close(worker);
    printf("the job is %s\n", qk_job_status_name(job->status));
    qk_job_free(job);
    qk_queue_close(queue);
}
