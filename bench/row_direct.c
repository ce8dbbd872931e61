/*
 * Row "direct": the calls a program of its own makes, claim and ack, from one thread.
 *
 * One by one each ack waits for a commit; in batches of 1,000 one commit serves them all.
 */
#include <stdlib.h>

#include "bench.h"
#include "measure.h"
#include "scene.h"

static double one_by_one(qk_queue *queue, int count)
{
    qk_error err = QK_ERROR_INIT;
    double began = bench_now();
    for (int i = 0; i < count; i++) {
        qk_claims *claims = NULL;
        bench_must(qk_claim(&claims, queue, NULL, &err), &err, "claim");
        bench_must(qk_ack(queue, &claims->items[0].lease, NULL, &err), &err, "ack");
        qk_claims_free(claims);
    }
    return bench_now() - began;
}

static double batched(qk_queue *queue, uint64_t count, bool strict)
{
    qk_error err = QK_ERROR_INIT;
    qk_claim_options options = QK_CLAIM_OPTIONS_INIT;
    qk_outcome *outcomes = bench_alloc(1000, sizeof *outcomes);
    options.max = 1000;
    options.strict = strict;
    double began = bench_now();
    for (uint64_t done = 0; done < count;) {
        qk_claims *claims = NULL;
        bench_must(qk_claim_batch(&claims, queue, &options, &err), &err, "claim");
        for (size_t i = 0; i < claims->count; i++)
            outcomes[i] = (qk_outcome){ .lease = claims->items[i].lease };
        bench_must(qk_complete_batch(queue, NULL, outcomes, claims->count, &err), &err, "ack");
        done += claims->count;
        qk_claims_free(claims);
    }
    double seconds = bench_now() - began;
    free(outcomes);
    return seconds;
}

void bench_row_direct(bench *b)
{
    int single = b->full ? 2000 : 300;
    uint64_t many = b->full ? 500000 : 20000;
    qk_queue *queue = bench_open_fresh(b, "direct");
    bench_enqueue(queue, (uint64_t)single + many * 2, 1000, 1, 36);
    bench_report(b, "claim_ack_one_per_s", single / one_by_one(queue, single), "/s",
                 "qk_claim and qk_ack, one thread");
    bench_report(b, "claim_ack_1000_per_s", (double)many / batched(queue, many, false), "/s",
                 "qk_claim_batch and qk_complete_batch, 1,000 a call, one thread");
    bench_report(b, "claim_ack_1000_strict_per_s", (double)many / batched(queue, many, true), "/s",
                 "the same, claims durable before they are handed out");
    if (bench_count(queue, QK_JOB_DONE) != (uint64_t)single + many * 2)
        bench_die("not all jobs are done");
    qk_queue_close(queue);
}
