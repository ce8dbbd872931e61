/*
 * Backpressure: a queue that nobody empties says so, first with a warning in the log, then by refusing
 * more. The producer decides what to do: wait, shed, or, for what must get in, opt out.
 */
#include "../example.h"

static void on_log(void *user, const qk_log_record *record)
{
    (void)user;
    if (record->level >= QK_LOG_WARN)
        printf("  log: %s (%s)\n", record->message, record->event);
}

static qk_status put(qk_queue *queue, bool must)
{
    qk_error err = QK_ERROR_INIT;
    qk_job_options options = QK_JOB_OPTIONS_INIT;
    options.ignore_backpressure = must;
    qk_status rc = qk_enqueue(NULL, queue, "render", NULL, &options, &err);
    if (rc == QK_EBACKPRESSURE)
        printf("  refused: %s\n", err.message);
    else
        check(rc, &err);
    return rc;
}

int main(int argc, char **argv)
{
    qk_error err = QK_ERROR_INIT;
    qk_queue_options options = QK_QUEUE_OPTIONS_INIT;
    options.backpressure_warn = 5; /* 100,000 by default */
    options.backpressure_limit = 8; /* 1,000,000 */
    options.log = on_log;
    qk_queue *queue = open_store(argc, argv, &options);

    int taken = 0;
    while (put(queue, false) == QK_OK)
        taken++;
    printf("%d jobs were taken\n", taken);

    qk_claims *claims = NULL;
    check(qk_claim(&claims, queue, NULL, &err), &err);
    check(qk_ack(queue, &claims->items[0].lease, NULL, &err), &err);
    qk_claims_free(claims);
    printf("after one was done: %s\n", put(queue, false) == QK_OK ? "there is room again" : "full");
    printf("what must get in: %s\n", put(queue, true) == QK_OK ? "gets in" : "does not");
    qk_queue_close(queue);
}
