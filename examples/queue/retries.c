/*
 * Errors and retries: a failed attempt is tried again after a growing pause until the budget is spent.
 * Every attempt is kept, with its error. A job that says its failure is permanent is not tried again.
 */
#include "../example.h"

static qk_id put(qk_queue *queue, const char *payload)
{
    qk_error err = QK_ERROR_INIT;
    qk_id id;
    qk_job_options options = QK_JOB_OPTIONS_INIT;
    options.max_attempts = 3;
    options.backoff = (qk_backoff){ .base = qk_ms(10), .factor = 2, .cap = qk_seconds(1) };
    check(qk_enqueue(&id, queue, "fetch", payload, &options, &err), &err);
    return id;
}

/* One attempt of whatever is next. */
static void attempt(qk_queue *queue, const char *error, bool permanent)
{
    qk_error err = QK_ERROR_INIT;
    qk_claim_options options = QK_CLAIM_OPTIONS_INIT;
    qk_claims *claims = NULL;
    options.wait = qk_seconds(10);
    check(qk_claim(&claims, queue, &options, &err), &err);
    const qk_claimed *job = &claims->items[0];
    printf("%s, attempt %d of %d: %s\n", job->payload, (int)job->attempts, (int)job->max_attempts,
           error ? error : "done");
    if (error)
        check(qk_fail(queue, &job->lease, error, permanent, &err), &err);
    else
        check(qk_ack(queue, &job->lease, NULL, &err), &err);
    qk_claims_free(claims);
}

static void show(qk_queue *queue, qk_id id)
{
    qk_error err = QK_ERROR_INIT;
    qk_job *job = NULL;
    check(qk_job_get(&job, queue, id, &err), &err);
    printf("  it is %s after %d attempts\n", qk_job_status_name(job->status), (int)job->attempts);
    qk_job_free(job);
}

int main(int argc, char **argv)
{
    qk_error err = QK_ERROR_INIT;
    qk_queue *queue = open_store(argc, argv, NULL);

    qk_id shaky = put(queue, "\"a shaky site\"");
    attempt(queue, "connection reset", false);
    attempt(queue, "connection reset", false);
    attempt(queue, NULL, false);
    show(queue, shaky);

    qk_id gone = put(queue, "\"a site that is gone\"");
    attempt(queue, "410 Gone", true);
    show(queue, gone);

    qk_rows *rows = NULL;
    check(qk_rows_open(&rows, queue,
                       "SELECT attempt, outcome, error FROM job_attempts ORDER BY claimed_at",
                       qk_us(0), &err),
          &err);
    printf("every attempt, from SQL:\n");
    while (qk_rows_next(rows, &err) == QK_OK) {
        const char *error = qk_rows_text(rows, 2);
        printf("  %s  %-7s %s\n", qk_rows_text(rows, 0), qk_rows_text(rows, 1), error ? error : "");
    }
    qk_rows_close(rows);
    qk_queue_close(queue);
}
