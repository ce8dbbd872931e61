/*
 * Priorities: 0 to 100, higher first; among equals the one that came first. A job that fails and comes
 * back keeps its place among them.
 */
#include "../example.h"

static void put(qk_queue *queue, const char *payload, int priority)
{
    qk_error err = QK_ERROR_INIT;
    qk_job_options options = QK_JOB_OPTIONS_INIT;
    options.priority = priority;
    check(qk_enqueue(NULL, queue, "page", payload, &options, &err), &err);
    printf("in:  %-22s priority %d\n", payload, priority);
}

int main(int argc, char **argv)
{
    qk_error err = QK_ERROR_INIT;
    qk_queue *queue = open_store(argc, argv, NULL);

    put(queue, "\"newsletter\"", 10);
    put(queue, "\"first invoice\"", QK_PRIORITY_DEFAULT);
    put(queue, "\"second invoice\"", QK_PRIORITY_DEFAULT);
    put(queue, "\"password reset\"", 90);

    qk_claims *claims = NULL;
    while (qk_claim(&claims, queue, NULL, &err) == QK_OK) {
        printf("out: %s\n", claims->items[0].payload);
        check(qk_ack(queue, &claims->items[0].lease, NULL, &err), &err);
        qk_claims_free(claims);
    }
    qk_queue_close(queue);
}
