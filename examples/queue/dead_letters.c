/*
 * Dead letters: jobs that failed for good wait to be looked at. Put right what was wrong, retry them,
 * and they start anew with a full budget, their history kept.
 */
#include "../example.h"

static bool server_is_up = false;

static qk_status send_mail(qk_task *task, void *user, qk_error *err)
{
    (void)user;
    if (!server_is_up) {
        snprintf(err->message, sizeof(err->message), "cannot reach the mail server");
        return QK_EIO;
    }
    printf("  sent %s\n", qk_task_payload(task));
    return QK_OK;
}

/* Runs what is there and ends. */
static void drain(qk_queue *queue)
{
    qk_error err = QK_ERROR_INIT;
    qk_worker *worker = NULL;
    qk_worker_options options = QK_WORKER_OPTIONS_INIT;
    options.concurrency = 1;
    options.drain = true;
    check(qk_worker_open(&worker, queue, &options, &err), &err);
    check(qk_worker_handle(worker, "mail", send_mail, NULL, &err), &err);
    check(qk_worker_run(worker, &err), &err);
    qk_worker_close(worker);
}

int main(int argc, char **argv)
{
    qk_error err = QK_ERROR_INIT;
    qk_queue *queue = open_store(argc, argv, NULL);
    qk_job_options once = QK_JOB_OPTIONS_INIT;
    qk_job_list *dead = NULL;
    once.max_attempts = 1;
    check(qk_enqueue(NULL, queue, "mail", "\"to Ada\"", &once, &err), &err);
    check(qk_enqueue(NULL, queue, "mail", "\"to Grace\"", &once, &err), &err);
    drain(queue);

    check(qk_dead_letters(&dead, queue, NULL, &err), &err);
    printf("%zu dead letters, newest first:\n", dead->count);
    for (size_t i = 0; i < dead->count; i++)
        printf("  %s: %s\n", dead->items[i].payload, dead->items[i].error);

    server_is_up = true;
    printf("the server is back; trying them again\n");
    for (size_t i = 0; i < dead->count; i++)
        check(qk_retry(queue, dead->items[i].id, &err), &err);
    qk_job_list_free(dead);
    drain(queue);

    check(qk_dead_letters(&dead, queue, NULL, &err), &err);
    printf("%zu dead letters left\n", dead->count);
    qk_job_list_free(dead);
    qk_queue_close(queue);
}
