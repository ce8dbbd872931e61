/*
 * A worker's metrics; see worker_metrics.h. One thread renews the file; `lock` guards `closing`.
 */
#include "worker_metrics.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "text.h"
#include "values.h"

#define PERIOD_S 5

struct worker_metrics {
    const cli *cli;
    char *path, *beside; /* written beside it first, so that a reader never sees a part */
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    bool closing; /* guarded by lock */
    bool failed; /* said already */
};

static qk_status write_text(const char *path, const char *text, size_t length, qk_error *err)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0644);
    if (fd < 0)
        return cli_error_errno(err, QK_EIO, errno, "cannot write the metrics to %.300s", path);
    while (length > 0) {
        ssize_t written = write(fd, text, length);
        if (written < 0 && errno == EINTR)
            continue;
        if (written < 0) {
            int number = errno;
            close(fd);
            (void)unlink(path);
            return cli_error_errno(err, number == ENOSPC ? QK_EFULL : QK_EIO, number,
                                   "cannot write the metrics to %.300s", path);
        }
        text += written;
        length -= (size_t)written;
    }
    if (close(fd) != 0)
        return cli_error_errno(err, QK_EIO, errno, "cannot write the metrics to %.300s", path);
    return QK_OK;
}

static qk_status renew(const worker_metrics *metrics, qk_error *err)
{
    char *text = NULL;
    size_t length = 0;
    qk_status rc = qk_metrics_text(&text, &length, metrics->cli->queue, err);
    if (!rc)
        rc = write_text(metrics->beside, text, length, err);
    if (!rc && rename(metrics->beside, metrics->path) != 0) {
        rc = cli_error_errno(err, QK_EIO, errno, "cannot replace %.300s", metrics->path);
        (void)unlink(metrics->beside);
    }
    free(text);
    return rc;
}

/* Said once: the next try may succeed, and the worker goes on either way. */
static void renew_or_say(worker_metrics *metrics)
{
    qk_error err = QK_ERROR_INIT;
    qk_status rc = renew(metrics, &err);
    if (rc && !metrics->failed)
        cli_note(metrics->cli, "%s", err.message);
    metrics->failed = rc != QK_OK;
}

static void *keep_renewing(void *arg)
{
    worker_metrics *metrics = arg;
    struct timespec until;
    pthread_mutex_lock(&metrics->lock);
    while (!metrics->closing) {
        clock_gettime(CLOCK_MONOTONIC, &until);
        until.tv_sec += PERIOD_S;
        int rc = 0;
        while (!metrics->closing && rc != ETIMEDOUT)
            rc = pthread_cond_timedwait(&metrics->wake, &metrics->lock, &until);
        if (metrics->closing)
            break;
        pthread_mutex_unlock(&metrics->lock);
        renew_or_say(metrics);
        pthread_mutex_lock(&metrics->lock);
    }
    pthread_mutex_unlock(&metrics->lock);
    return NULL;
}

static void free_metrics(worker_metrics *metrics)
{
    pthread_cond_destroy(&metrics->wake);
    pthread_mutex_destroy(&metrics->lock);
    free(metrics->path);
    free(metrics->beside);
    free(metrics);
}

static worker_metrics *new_metrics(const cli *cli, const char *path)
{
    worker_metrics *metrics = calloc(1, sizeof(*metrics));
    pthread_condattr_t monotonic;
    size_t room = strlen(path) + sizeof(".tmp");
    if (!metrics)
        return NULL;
    metrics->cli = cli;
    pthread_mutex_init(&metrics->lock, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&metrics->wake, &monotonic);
    pthread_condattr_destroy(&monotonic);
    metrics->path = strdup(path);
    metrics->beside = malloc(room);
    if (!metrics->path || !metrics->beside) {
        free_metrics(metrics);
        return NULL;
    }
    snprintf(metrics->beside, room, "%s.tmp", path);
    return metrics;
}

qk_status worker_metrics_open(worker_metrics **out, const cli *cli, const char *path, qk_error *err)
{
    worker_metrics *metrics = new_metrics(cli, path);
    *out = NULL;
    if (!metrics)
        return cli_error(err, QK_ENOMEM, "out of memory");
    qk_status rc = renew(metrics, err);
    if (!rc) {
        int failed = pthread_create(&metrics->thread, NULL, keep_renewing, metrics);
        if (failed)
            rc = cli_error_errno(err, QK_ENOMEM, failed, "cannot start a thread");
    }
    if (rc) {
        free_metrics(metrics);
        return rc;
    }
    *out = metrics;
    return QK_OK;
}

void worker_metrics_close(worker_metrics *metrics)
{
    if (!metrics)
        return;
    pthread_mutex_lock(&metrics->lock);
    metrics->closing = true;
    pthread_cond_signal(&metrics->wake);
    pthread_mutex_unlock(&metrics->lock);
    pthread_join(metrics->thread, NULL);
    renew_or_say(metrics);
    free_metrics(metrics);
}

/* 0.8ms, 340ms, 1.5s: finer than cli_duration_text, which is made for jobs. */
static const char *time_text(char out[CLI_TIME_SIZE], uint64_t us)
{
    if (us >= 100000)
        return cli_duration_text(out, (int64_t)us);
    snprintf(out, CLI_TIME_SIZE, "%llu.%llums", (unsigned long long)(us / 1000),
             (unsigned long long)(us % 1000 / 100));
    return out;
}

static void print_times(const cli *cli, const char *what, const qk_histogram *times)
{
    char half[CLI_TIME_SIZE], most[CLI_TIME_SIZE];
    if (times->count)
        cli_note(cli, "%s: half within %s, 99%% within %s (%llu)", what,
                 time_text(half, qk_histogram_quantile(times, 0.5)),
                 time_text(most, qk_histogram_quantile(times, 0.99)),
                 (unsigned long long)times->count);
}

void worker_metrics_print(const cli *cli)
{
    qk_metrics *metrics = NULL;
    qk_error ignored = QK_ERROR_INIT;
    if (qk_metrics_get(&metrics, cli->queue, &ignored) != QK_OK)
        return;
    print_times(cli, "waiting", &metrics->waiting_us);
    print_times(cli, "running", &metrics->run_us);
    print_times(cli, "commits", &metrics->commit_us);
    if (metrics->commit_rows.count)
        cli_note(cli, "rows per commit: %.1f on average, at most about %llu",
                 (double)metrics->commit_rows.sum / (double)metrics->commit_rows.count,
                 (unsigned long long)qk_histogram_quantile(&metrics->commit_rows, 1));
    qk_metrics_free(metrics);
}

static void put_number(FILE *out, bool *first, const char *key, uint64_t value)
{
    cli_json_key(out, first, key);
    fprintf(out, "%llu", (unsigned long long)value);
}

static void put_histogram(FILE *out, bool *first, const char *key, const qk_histogram *histogram,
                          bool is_time)
{
    static const struct {
        const char *key;
        double share;
    } shares[] = { { "p50", 0.5 }, { "p90", 0.9 }, { "p99", 0.99 }, { "max", 1 } };
    char text[CLI_TIME_SIZE];
    bool inner = true;
    cli_json_key(out, first, key);
    fputc('{', out);
    put_number(out, &inner, "count", histogram->count);
    for (size_t i = 0; i < sizeof(shares) / sizeof(shares[0]); i++) {
        uint64_t value = qk_histogram_quantile(histogram, shares[i].share);
        cli_json_key(out, &inner, shares[i].key);
        if (is_time)
            fputs(cli_seconds(text, (int64_t)value), out);
        else
            fprintf(out, "%llu", (unsigned long long)value);
    }
    fputc('}', out);
}

void worker_metrics_json(const cli *cli, FILE *out)
{
    qk_metrics *metrics = NULL;
    qk_error ignored = QK_ERROR_INIT;
    bool first = true;
    if (qk_metrics_get(&metrics, cli->queue, &ignored) != QK_OK) {
        fputs("null", out);
        return;
    }
    const qk_counters *c = &metrics->counters;
    fputc('{', out);
    put_number(out, &first, "enqueued", c->enqueued);
    put_number(out, &first, "claimed", c->claimed);
    put_number(out, &first, "cancelled", c->cancelled);
    put_number(out, &first, "skipped", c->skipped);
    put_number(out, &first, "commits", c->commits);
    put_number(out, &first, "commit_failures", c->commit_failures);
    put_number(out, &first, "checkpoints", c->checkpoints);
    put_number(out, &first, "backpressure_warnings", c->backpressure_warnings);
    put_histogram(out, &first, "waiting_seconds", &metrics->waiting_us, true);
    put_histogram(out, &first, "run_seconds", &metrics->run_us, true);
    put_histogram(out, &first, "commit_seconds", &metrics->commit_us, true);
    put_histogram(out, &first, "commit_rows", &metrics->commit_rows, false);
    fputc('}', out);
    qk_metrics_free(metrics);
}
