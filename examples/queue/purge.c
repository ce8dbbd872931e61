/*
 * Purging: ended jobs stay, with their results, until somebody deletes them. Here those that are done
 * and carry a tag go, and then everything that ended at least a moment ago.
 */
#include "../example.h"

static void work_off(qk_queue *queue)
{
    qk_error err = QK_ERROR_INIT;
    qk_claims *claims = NULL;
    while (qk_claim(&claims, queue, NULL, &err) == QK_OK) {
        const qk_lease *lease = &claims->items[0].lease;
        bool good = strtol(claims->items[0].payload, NULL, 10) % 3 != 0;
        check(good ? qk_ack(queue, lease, NULL, &err) : qk_fail(queue, lease, "no", true, &err),
              &err);
        qk_claims_free(claims);
    }
}

static void show(qk_queue *queue, const char *when)
{
    qk_error err = QK_ERROR_INIT;
    qk_stats *stats = NULL;
    check(qk_stats_get(&stats, queue, &err), &err);
    printf("%s: %d done, %d failed\n", when, (int)stats->queues[0].counts[QK_JOB_DONE],
           (int)stats->queues[0].counts[QK_JOB_FAILED]);
    qk_stats_free(stats);
}

int main(int argc, char **argv)
{
    static const char *const tags[] = { "nightly" };
    qk_error err = QK_ERROR_INIT;
    qk_queue *queue = open_store(argc, argv, NULL);
    for (int i = 0; i < 12; i++) {
        char payload[16];
        qk_job_options options = QK_JOB_OPTIONS_INIT;
        options.tags = tags;
        options.tag_count = i % 2;
        snprintf(payload, sizeof(payload), "%d", i);
        check(qk_enqueue(NULL, queue, "import", payload, &options, &err), &err);
    }
    work_off(queue);
    show(queue, "before");

    size_t count = 0;
    qk_job_filter filter = QK_JOB_FILTER_INIT;
    filter.statuses = 1u << QK_JOB_DONE;
    filter.tag = "nightly";
    check(qk_purge(&count, queue, &filter, &err), &err);
    printf("purged %zu that were done and nightly\n", count);
    show(queue, "then");

    filter = (qk_job_filter)QK_JOB_FILTER_INIT;
    filter.older_than = qk_us(1); /* a week would be qk_seconds(7 * 86400) */
    check(qk_purge(&count, queue, &filter, &err), &err);
    printf("purged %zu that had ended\n", count);
    show(queue, "after");
    qk_queue_close(queue);
}
