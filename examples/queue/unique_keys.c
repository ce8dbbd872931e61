/*
 * Unique keys: while a job with a key has not ended, enqueueing that key again finds it instead of
 * making a second one. And ids of the caller's own: repeating an enqueue after a crash doubles nothing.
 */
#include "../example.h"

static void sync_account(qk_queue *queue, const char *who)
{
    qk_error err = QK_ERROR_INIT;
    qk_job_options options = QK_JOB_OPTIONS_INIT;
    qk_enqueued made;
    options.unique_key = "account:42";
    qk_job_spec spec = { "sync", "{\"account\":42}", &options };
    check(qk_enqueue_batch(&made, queue, &spec, 1, &err), &err);
    printf("%s: %s\n", who, made.duplicate ? "it is in the queue already" : "enqueued");
}

int main(int argc, char **argv)
{
    qk_error err = QK_ERROR_INIT;
    qk_queue *queue = open_store(argc, argv, NULL);
    sync_account(queue, "web");
    sync_account(queue, "cron");

    qk_claims *claims = NULL;
    check(qk_claim(&claims, queue, NULL, &err), &err);
    sync_account(queue, "while it runs");
    check(qk_ack(queue, &claims->items[0].lease, NULL, &err), &err);
    qk_claims_free(claims);
    sync_account(queue, "after it ended");

    qk_job_options mine = QK_JOB_OPTIONS_INIT;
    mine.id = qk_id_new(); /* kept by the caller before it calls */
    qk_id first, second;
    check(qk_enqueue(&first, queue, "charge", "{\"cents\":995}", &mine, &err), &err);
    check(qk_enqueue(&second, queue, "charge", "{\"cents\":995}", &mine, &err), &err);
    printf("the same id twice: %s\n", qk_id_compare(first, second) == 0 ? "one job" : "two jobs");
    qk_queue_close(queue);
}
