/*
 * Counters and histograms of a handle, as numbers and as text for Prometheus. Any thread; no state.
 */
#include <queuack/metrics.h>

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "queue/queue_internal.h"
#include "util/buffer.h"
#include "util/error.h"

/* Ten thousand queues fit. */
#define TEXT_CEILING ((size_t)16 << 20)
/* Buckets of the text end at 4^(n - 1): three days of microseconds, a million rows. */
#define TIME_BOUNDS 20
#define ROW_BOUNDS 11

qk_status qk_metrics_get(qk_metrics **out, qk_queue *queue, qk_error *err)
{
    if (!out)
        return qk__error(err, QK_EINVAL, "out: must not be NULL");
    *out = NULL;
    qk_status rc = qk__queue_enter(queue, err);
    if (rc)
        return rc;
    qk_metrics *metrics = calloc(1, sizeof(*metrics));
    if (metrics) {
        qk_store *store = qk__queue_store(queue);
        store->ops->metrics(store, metrics);
        metrics->counters.auto_migrations = qk_queue_auto_migrated(queue);
        *out = metrics;
    } else {
        rc = qk__error(err, QK_ENOMEM, "out of memory");
    }
    qk__queue_leave(queue);
    return rc;
}

void qk_metrics_free(qk_metrics *metrics)
{
    free(metrics);
}

typedef struct counter {
    const char *name, *help;
    size_t offset; /* in qk_counters */
} counter;

static const counter counters[] = {
#define COUNTER(member, name, help)                                                                \
    {                                                                                              \
        name, help, offsetof(qk_counters, member)                                                  \
    }
    COUNTER(enqueued, "queuack_jobs_enqueued_total", "Jobs taken in."),
    COUNTER(claimed, "queuack_jobs_claimed_total", "Claims handed out."),
    COUNTER(done, "queuack_jobs_done_total", "Jobs that ended well."),
    COUNTER(failed, "queuack_jobs_failed_total", "Jobs that failed for good."),
    COUNTER(retried, "queuack_jobs_retried_total", "Failures that another attempt follows."),
    COUNTER(lost, "queuack_jobs_lost_total", "Claims whose lease ran out."),
    COUNTER(cancelled, "queuack_jobs_cancelled_total", "Jobs that were cancelled."),
    COUNTER(skipped, "queuack_jobs_skipped_total", "Jobs that could no longer start."),
    COUNTER(commits, "queuack_commits_total", "Commits of the store."),
    COUNTER(commit_failures, "queuack_commit_failures_total", "Commits that failed."),
    COUNTER(checkpoints, "queuack_checkpoints_total", "Checkpoints of the store."),
    COUNTER(auto_migrations, "queuack_auto_migrations_total",
            "Stores in memory that were moved to a file."),
    COUNTER(backpressure_warnings, "queuack_backpressure_warnings_total",
            "Times a queue passed its warning mark."),
    COUNTER(sql_refused, "queuack_sql_refused_total", "Queries that were refused unrun."),
#undef COUNTER
};

static void put_head(qk__buffer *text, const char *name, const char *help, const char *type)
{
    qk__buffer_printf(text, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static void put_counters(qk__buffer *text, const qk_counters *values)
{
    for (size_t i = 0; i < sizeof(counters) / sizeof(counters[0]); i++) {
        uint64_t value;
        memcpy(&value, (const char *)values + counters[i].offset, sizeof(value));
        put_head(text, counters[i].name, counters[i].help, "counter");
        qk__buffer_printf(text, "%s %" PRIu64 "\n", counters[i].name, value);
    }
}

/* Without a double: the program's locale may have a decimal comma. */
static void put_amount(qk__buffer *text, uint64_t value, bool is_time)
{
    if (is_time)
        qk__buffer_printf(text, "%" PRIu64 ".%06" PRIu64, value / 1000000, value % 1000000);
    else
        qk__buffer_printf(text, "%" PRIu64, value);
}

static void put_histogram(qk__buffer *text, const char *name, const char *help,
                          const qk_histogram *histogram, bool is_time, unsigned bounds)
{
    uint64_t below = 0;
    size_t bucket = 0;
    put_head(text, name, help, "histogram");
    for (unsigned i = 0; i < bounds; i++) {
        uint64_t bound = UINT64_C(1) << (2 * i);
        while (bucket < QK_HISTOGRAM_BUCKETS && qk_histogram_bound(bucket) <= bound)
            below += histogram->buckets[bucket++];
        qk__buffer_printf(text, "%s_bucket{le=\"", name);
        put_amount(text, bound, is_time);
        qk__buffer_printf(text, "\"} %" PRIu64 "\n", below);
    }
    qk__buffer_printf(text, "%s_bucket{le=\"+Inf\"} %" PRIu64 "\n", name, histogram->count);
    qk__buffer_printf(text, "%s_sum ", name);
    put_amount(text, histogram->sum, is_time);
    qk__buffer_printf(text, "\n%s_count %" PRIu64 "\n", name, histogram->count);
}

static void put_label(qk__buffer *text, const char *value)
{
    for (const char *c = value; *c; c++) {
        if (*c == '\n')
            qk__buffer_text(text, "\\n");
        else if (*c == '"' || *c == '\\')
            qk__buffer_printf(text, "\\%c", *c);
        else
            qk__buffer_append(text, c, 1);
    }
}

static void put_jobs(qk__buffer *text, const qk_stats *stats)
{
    put_head(text, "queuack_jobs", "Jobs by queue and status.", "gauge");
    for (size_t i = 0; i < stats->count; i++) {
        for (int s = 0; s < QK_JOB_STATUS_COUNT; s++) {
            qk__buffer_text(text, "queuack_jobs{queue=\"");
            put_label(text, stats->queues[i].name);
            qk__buffer_printf(text, "\",status=\"%s\"} %" PRIu64 "\n",
                              qk_job_status_name((qk_job_status)s), stats->queues[i].counts[s]);
        }
    }
    put_head(text, "queuack_queue_paused", "Whether a queue is paused.", "gauge");
    for (size_t i = 0; i < stats->count; i++) {
        qk__buffer_text(text, "queuack_queue_paused{queue=\"");
        put_label(text, stats->queues[i].name);
        qk__buffer_printf(text, "\"} %d\n", stats->queues[i].paused);
    }
}

static void put_all(qk__buffer *text, const qk_metrics *metrics, const qk_stats *stats)
{
    put_head(text, "queuack_build_info", "Versions; always 1.", "gauge");
    qk__buffer_printf(text, "queuack_build_info{version=\"%s\",duckdb=\"%s\"} 1\n", qk_version(),
                      qk_store_library_version());
    put_jobs(text, stats);
    put_counters(text, &metrics->counters);
    put_histogram(text, "queuack_job_waiting_seconds", "From enqueue to the first claim.",
                  &metrics->waiting_us, true, TIME_BOUNDS);
    put_histogram(text, "queuack_job_run_seconds", "From claim to ack or fail.", &metrics->run_us,
                  true, TIME_BOUNDS);
    put_histogram(text, "queuack_commit_seconds", "How long commits took.", &metrics->commit_us,
                  true, TIME_BOUNDS);
    put_histogram(text, "queuack_commit_rows", "Rows that a commit wrote.", &metrics->commit_rows,
                  false, ROW_BOUNDS);
}

qk_status qk_metrics_text(char **out, size_t *length, qk_queue *queue, qk_error *err)
{
    qk_metrics *metrics = NULL;
    qk_stats *stats = NULL;
    qk__buffer text;

    if (!out)
        return qk__error(err, QK_EINVAL, "out: must not be NULL");
    *out = NULL;
    qk__buffer_init(&text, TEXT_CEILING);
    qk_status rc = qk_metrics_get(&metrics, queue, err);
    if (!rc)
        rc = qk_stats_get(&stats, queue, err);
    if (!rc) {
        put_all(&text, metrics, stats);
        size_t written = text.length;
        *out = qk__buffer_take(&text);
        if (!*out)
            rc = qk__error(err, QK_ENOMEM, "out of memory, or too many queues for one text");
        else if (length)
            *length = written;
    }
    qk_stats_free(stats);
    qk_metrics_free(metrics);
    qk__buffer_dispose(&text);
    return rc;
}
