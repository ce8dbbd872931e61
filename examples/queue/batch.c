/*
 * Batches: a thousand jobs in one commit, all or none; claimed a hundred at a time, and reported a
 * hundred at a time. This is how hundreds of thousands of jobs a second go through.
 */
#include "../example.h"

#define JOBS 1000
#define CHUNK 100

static void enqueue_all(qk_queue *queue)
{
    static qk_job_spec specs[JOBS];
    static char payloads[JOBS][32];
    qk_error err = QK_ERROR_INIT;
    qk_counters before, after;

    for (int i = 0; i < JOBS; i++) {
        snprintf(payloads[i], sizeof(payloads[i]), "{\"row\":%d}", i);
        specs[i] = (qk_job_spec){ "index", payloads[i], NULL };
    }
    qk_counters_get(&before, queue);
    check(qk_enqueue_batch(NULL, queue, specs, JOBS, &err), &err);
    qk_counters_get(&after, queue);
    printf("%d jobs in %d commit\n", JOBS, (int)(after.commits - before.commits));

    specs[500].payload = "{not json";
    qk_status rc = qk_enqueue_batch(NULL, queue, specs, JOBS, &err);
    printf("a bad one among them: %s\n  %s\n", qk_status_json_code(rc), err.message);
}

int main(int argc, char **argv)
{
    qk_error err = QK_ERROR_INIT;
    qk_queue *queue = open_store(argc, argv, NULL);
    enqueue_all(queue);

    qk_claim_options options = QK_CLAIM_OPTIONS_INIT;
    options.max = CHUNK;
    qk_claims *claims = NULL;
    int rounds = 0, done = 0;
    while (qk_claim_batch(&claims, queue, &options, &err) == QK_OK) {
        qk_outcome outcomes[CHUNK] = { 0 };
        for (size_t i = 0; i < claims->count; i++)
            outcomes[i].lease = claims->items[i].lease; /* a verdict of zero is an ack */
        check(qk_complete_batch(queue, NULL, outcomes, claims->count, &err), &err);
        done += (int)claims->count;
        rounds++;
        qk_claims_free(claims);
    }
    printf("%d done in %d rounds\n", done, rounds);
    qk_queue_close(queue);
}
