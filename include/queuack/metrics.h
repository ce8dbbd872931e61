/*
 * Counters and histograms of a handle, and their rendering for Prometheus.
 *
 * They are kept as jobs go by, under locks that are held anyway, and cost a few nanoseconds per job.
 * They begin at zero when the handle is opened and only rise. What was decided counts at once: jobs
 * of a batch that could then not be made durable stay counted.
 */
#ifndef QUEUACK_METRICS_H
#define QUEUACK_METRICS_H

#include <queuack/queue.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * A distribution of whole numbers in fixed buckets: 0 to 8 exactly, above that four buckets to each
 * doubling, so that a bucket's bound is at most a quarter above what is in it. The last one also
 * takes all that is larger (for microseconds: 12 days).
 */
#define QK_HISTOGRAM_BUCKETS 157

typedef struct qk_histogram {
    uint64_t count, sum;
    uint64_t buckets[QK_HISTOGRAM_BUCKETS];
} qk_histogram;

/* The largest value that belongs to the bucket. Rises with it. UINT64_MAX beyond the last. */
QK_API uint64_t qk_histogram_bound(size_t bucket);

/* A value that at least the share `q` (0 to 1, so 0.99) of all is not above: the bound of a bucket.
 * 0 when nothing was counted. */
QK_API uint64_t qk_histogram_quantile(const qk_histogram *histogram, double q);

typedef struct qk_metrics {
    qk_counters counters;
    qk_histogram commit_us; /* how long commits took, microseconds; failed ones left out */
    qk_histogram commit_rows; /* rows that a commit wrote */
    qk_histogram waiting_us; /* enqueue, or the time it was delayed to, until the first claim */
    qk_histogram run_us; /* claim until ack or fail, of every attempt */
} qk_metrics;

/* A snapshot at one moment; the caller frees it with qk_metrics_free. Does not touch the disk. Later
 * versions append members. QK_ENOMEM, QK_ECLOSED, QK_EFORKED. */
QK_API qk_status qk_metrics_get(qk_metrics **out, qk_queue *queue, qk_error *err);
QK_API void qk_metrics_free(qk_metrics *metrics);

/*
 * The same as text in Prometheus' exposition format 0.0.4, with the present number of jobs by queue
 * and status; *length (may be NULL) is without the final NUL. free() it. Histograms are in seconds
 * with a bucket for each power of four microseconds. Errors as above, and those of qk_stats_get.
 */
QK_API qk_status qk_metrics_text(char **out, size_t *length, qk_queue *queue, qk_error *err);

#ifdef __cplusplus
}
#endif
#endif
