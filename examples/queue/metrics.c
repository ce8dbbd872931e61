/*
 * Metrics: what a handle has counted and how long things took, as numbers, and as text that Prometheus
 * reads.
 */
#include <string.h>

#include "../example.h"

static qk_status nothing(qk_task *task, void *user, qk_error *err)
{
    (void)task, (void)user, (void)err;
    return QK_OK;
}

static void run_some(qk_queue *queue)
{
    static qk_job_spec specs[500];
    qk_error err = QK_ERROR_INIT;
    qk_worker_options drain = QK_WORKER_OPTIONS_INIT;
    qk_worker *worker = NULL;
    for (int i = 0; i < 500; i++)
        specs[i].kind = "ping";
    check(qk_enqueue_batch(NULL, queue, specs, 500, &err), &err);
    drain.drain = true;
    check(qk_worker_open(&worker, queue, &drain, &err), &err);
    check(qk_worker_handle(worker, "ping", nothing, NULL, &err), &err);
    check(qk_worker_run(worker, &err), &err);
    qk_worker_close(worker);
}

static void show(const char *what, const qk_histogram *times)
{
    printf("%s: %d, half within %.3f ms, 99 %% within %.3f ms\n", what, (int)times->count,
           (double)qk_histogram_quantile(times, 0.5) / 1000,
           (double)qk_histogram_quantile(times, 0.99) / 1000);
}

int main(int argc, char **argv)
{
    qk_error err = QK_ERROR_INIT;
    qk_queue *queue = open_store(argc, argv, NULL);
    run_some(queue);

    qk_metrics *metrics = NULL;
    check(qk_metrics_get(&metrics, queue, &err), &err);
    printf("enqueued %d, claimed %d, done %d\n", (int)metrics->counters.enqueued,
           (int)metrics->counters.claimed, (int)metrics->counters.done);
    show("waiting", &metrics->waiting_us);
    show("running", &metrics->run_us);
    printf("more rows than commits: %s\n",
           metrics->counters.commit_rows > metrics->counters.commits ? "yes" : "no");
    qk_metrics_free(metrics);

    char *text = NULL;
    check(qk_metrics_text(&text, NULL, queue, &err), &err);
    printf("for Prometheus, among much else:\n");
    for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n")) {
        if (strstr(line, "queuack_jobs_done_total") || strstr(line, "status=\"done\""))
            printf("  %s\n", line);
    }
    free(text);
    qk_queue_close(queue);
}
