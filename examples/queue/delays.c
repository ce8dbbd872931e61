/*
 * Delays: a job that may not start before a time. It costs nothing while it waits, and a consumer that
 * waits for work is woken when the time has come.
 */
#include "../example.h"

int main(int argc, char **argv)
{
    qk_error err = QK_ERROR_INIT;
    qk_queue *queue = open_store(argc, argv, NULL);

    qk_job_options later = QK_JOB_OPTIONS_INIT;
    later.delay = qk_ms(300);
    check(qk_enqueue(NULL, queue, "remind", "\"later\"", &later, &err), &err);
    check(qk_enqueue(NULL, queue, "remind", "\"now\"", NULL, &err), &err);

    qk_claim_options options = QK_CLAIM_OPTIONS_INIT;
    qk_claims *claims = NULL;
    for (int i = 0; i < 2; i++) {
        qk_status rc = qk_claim(&claims, queue, &options, &err);
        if (rc == QK_EMPTY) {
            printf("nothing is ready; waiting for it\n");
            options.wait = qk_seconds(10);
            rc = qk_claim(&claims, queue, &options, &err);
        }
        check(rc, &err);
        printf("took %s\n", claims->items[0].payload);
        check(qk_ack(queue, &claims->items[0].lease, NULL, &err), &err);

        qk_job *job = NULL;
        check(qk_job_get(&job, queue, claims->items[0].lease.job, &err), &err);
        if (job->execute_after.us)
            printf("  %s\n", job->claimed_at.us >= job->execute_after.us ? "not before its time"
                                                                         : "too early");
        qk_job_free(job);
        qk_claims_free(claims);
    }
    qk_queue_close(queue);
}
