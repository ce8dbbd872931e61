/*
 * The simplest queue: jobs go in, are taken out one at a time, and are reported done. What is in the
 * store survives the program; give it a file (simple jobs.duckdb) and look with `queuack jobs list`.
 */
#include "../example.h"

int main(int argc, char **argv)
{
    static const char *const names[] = { "\"Ada\"", "\"Grace\"", "\"Edsger\"" };
    qk_error err = QK_ERROR_INIT;
    qk_queue *queue = open_store(argc, argv, NULL);

    for (int i = 0; i < 3; i++) {
        qk_id id;
        char text[QK_ID_TEXT_SIZE];
        check(qk_enqueue(&id, queue, "greet", names[i], NULL, &err), &err);
        printf("enqueued %s as %s\n", names[i], qk_id_format(text, id));
    }

    qk_claims *claims = NULL;
    qk_status rc;
    while ((rc = qk_claim(&claims, queue, NULL, &err)) == QK_OK) {
        const qk_claimed *job = &claims->items[0];
        printf("hello, %s\n", job->payload);
        check(qk_ack(queue, &job->lease, "{\"greeted\":true}", &err), &err);
        qk_claims_free(claims);
    }
    if (rc != QK_EMPTY)
        check(rc, &err);

    qk_stats *stats = NULL;
    check(qk_stats_get(&stats, queue, &err), &err);
    printf("%d done, %d waiting\n", (int)stats->queues[0].counts[QK_JOB_DONE],
           (int)stats->queues[0].counts[QK_JOB_PENDING]);
    qk_stats_free(stats);
    qk_queue_close(queue);
}
