/*
 * Dependencies: a job that starts when others have ended, and what happens when they fail.
 */
#include "../example.h"

static qk_id put(qk_queue *queue, const char *name, const qk_id *needs, size_t count,
                 qk_dependency_mode mode)
{
    qk_error err = QK_ERROR_INIT;
    qk_id id;
    qk_job_options options = QK_JOB_OPTIONS_INIT;
    options.name = name;
    options.needs = needs;
    options.needs_count = count;
    options.mode = mode;
    check(qk_enqueue(&id, queue, "step", NULL, &options, &err), &err);
    return id;
}

int main(int argc, char **argv)
{
    qk_error err = QK_ERROR_INIT;
    qk_queue *queue = open_store(argc, argv, NULL);
    qk_id parents[2];
    parents[0] = put(queue, "extract", NULL, 0, QK_MODE_ALL);
    parents[1] = put(queue, "validate", NULL, 0, QK_MODE_ALL);
    put(queue, "load", parents, 2, QK_MODE_ALL);
    put(queue, "report", parents, 2, QK_MODE_ALL_DONE);
    put(queue, "alert", parents, 2, QK_MODE_ONE_FAILED);

    qk_claims *claims = NULL;
    while (qk_claim(&claims, queue, NULL, &err) == QK_OK) {
        const qk_claimed *job = &claims->items[0];
        bool fails = job->name[0] == 'v';
        printf("ran %s%s\n", job->name, fails ? ", which fails" : "");
        check(fails ? qk_fail(queue, &job->lease, "bad rows", true, &err)
                    : qk_ack(queue, &job->lease, NULL, &err),
              &err);
        qk_claims_free(claims);
    }

    qk_rows *rows = NULL;
    check(qk_rows_open(&rows, queue,
                       "SELECT name, status, skip_reason IS NOT NULL FROM jobs ORDER BY created_at",
                       qk_us(0), &err),
          &err);
    while (qk_rows_next(rows, &err) == QK_OK)
        printf("%-9s %s%s\n", qk_rows_text(rows, 0), qk_rows_text(rows, 1),
               qk_rows_text(rows, 2)[0] == 't' ? ": what it needs has failed" : "");
    qk_rows_close(rows);
    qk_queue_close(queue);
}
