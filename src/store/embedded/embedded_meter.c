/*
 * What the store counts: commits and how long they took; and how all of it is read.
 *
 * The writer measures a commit without `lock` and counts it when it takes `lock` anyway.
 */
#include "store/embedded/embedded_internal.h"

#include "util/histogram.h"

#define SLOW_COMMIT_US 1000000

qk_status commit_timed(struct embedded *store, const qk__cut *cut, qk_error *err)
{
    int64_t began = embedded_now(store).mono_us;
    qk_status rc = store->journal->ops->commit(store->journal, cut, err);
    store->commit_took_us = embedded_now(store).mono_us - began;
    return rc;
}

void commit_counted(struct embedded *store, const qk__cut *cut)
{
    int64_t took = store->commit_took_us;
    bool slow = took >= SLOW_COMMIT_US;
    store->counters.commits++;
    store->counters.commit_rows += cut->count;
    qk__histogram_add(&store->commit_us, took);
    qk__histogram_add(&store->commit_rows, (int64_t)cut->count);
    qk__log_event(
        &store->config.log, slow ? QK_LOG_WARN : QK_LOG_DEBUG, slow ? "commit.slow" : "commit.done",
        QK__FIELDS(qk__log_number("rows", (int64_t)cut->count), qk__log_number("took_us", took)),
        "%s %zu rows in %lld us", slow ? "a slow commit:" : "committed", cut->count,
        (long long)took);
}

void log_backpressure(const struct embedded *store, const char *queue, uint64_t waiting)
{
    qk__log_event(
        &store->config.log, QK_LOG_WARN, "queue.backpressure",
        QK__FIELDS(qk__log_text("queue", queue), qk__log_number("waiting", (int64_t)waiting)),
        "backpressure: queue %s has %llu jobs waiting", queue, (unsigned long long)waiting);
}

/* The store's own part. With `lock` held. */
static void add_own(const struct embedded *store, qk_counters *out)
{
    out->commits = store->counters.commits;
    out->commit_rows = store->counters.commit_rows;
    out->commit_failures = store->counters.commit_failures;
    out->checkpoints = store->counters.checkpoints;
    out->sql_refused = store->counters.sql_refused;
}

void embedded_counters(qk_store *base, qk_counters *out)
{
    struct embedded *store = embedded_of(base);
    pthread_mutex_lock(&store->lock);
    *out = *qk__engine_counters(store->engine);
    add_own(store, out);
    pthread_mutex_unlock(&store->lock);
}

void embedded_metrics(qk_store *base, qk_metrics *out)
{
    struct embedded *store = embedded_of(base);
    *out = (qk_metrics){ 0 };
    pthread_mutex_lock(&store->lock);
    qk__engine_metrics(store->engine, out);
    add_own(store, &out->counters);
    out->commit_us = store->commit_us;
    out->commit_rows = store->commit_rows;
    pthread_mutex_unlock(&store->lock);
}
