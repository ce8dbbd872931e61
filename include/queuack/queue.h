/*
 * The queue handle: an open store.
 *
 * A handle may be used from any number of threads. It must be closed once, by one thread, after
 * which no call may use it; calls still running are told QK_ECLOSED and waited for. After fork()
 * the child must not use it: every call returns QK_EFORKED.
 */
#ifndef QUEUACK_QUEUE_H
#define QUEUACK_QUEUE_H

#include <queuack/job.h>
#include <queuack/log.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Source of time, for tests and simulations. Both must be callable from any thread. */
typedef struct qk_clock {
    qk_time (*wall)(void *user); /* UTC; may jump */
    int64_t (*monotonic_us)(void *user); /* never goes back */
    void *user;
} qk_clock;

/* Another store, by the name that nodes of DAGs use for it (qk_node_options.store). */
typedef struct qk_store_alias {
    const char *alias;
    const char *url; /* may hold credentials: it is neither stored nor shown */
} qk_store_alias;

typedef struct qk_queue_options {
    uint32_t version;
    const char *default_queue; /* "default" */
    uint32_t workers_num; /* slots of the handle's own worker pool; 0: none */
    bool force_memory_db; /* keep :memory: in memory although there are several workers */
    bool strict; /* every claim is durable before its job starts */
    bool must_exist; /* do not create a missing file: QK_ENOTFOUND */
    size_t max_payload; /* bytes of a payload or result; 0: 4 MiB */
    uint64_t backpressure_warn; /* waiting jobs in a queue; 0: 100,000 */
    uint64_t backpressure_limit; /* 0: 1,000,000 */
    qk_duration owner_wait; /* how long to wait for a file another process owns; 0: 10 s */
    const char *temp_dir; /* NULL: $TMPDIR or /tmp; auto-migrated files and spilled queries */
    /* Bytes DuckDB may use; 0: a quarter of the machine, at most 4 GiB. A query that makes the process
     * grow by a quarter more than this ends with QK_ENOMEM. */
    size_t query_memory;
    qk_log_fn log; /* NULL: silence */
    void *log_user;
    const qk_clock *clock; /* NULL: the machine's */
    qk_log_level log_level; /* what is below is not said; 0: everything is */
    bool brief; /* closed again soon: those who keep the file open are to own it */
    const qk_store_alias *stores; /* stores that sub-DAGs may run in; copied */
    size_t store_count;
} qk_queue_options;

#define QK_QUEUE_OPTIONS_INIT                                                                      \
    {                                                                                              \
        1, NULL, 0, false, false, false, 0, 0, 0, { 0 }, NULL, 0, NULL, NULL, NULL, QK_LOG_DEBUG,  \
            false, NULL, 0                                                                         \
    }

/*
 * Opens a store by URL: a path, or ":memory:". The file and its helpers are created with mode 0600
 * unless must_exist. Opening costs 20 to 40 ms, and up to 2 s after an unclean end.
 * Expected: QK_EBUSY (another process owns it and does not share it), QK_ENOTFOUND, QK_EDAMAGED,
 * QK_EVERSION, QK_EREFUSED (a file of the original Queuack or of something else), QK_EIO, QK_EINVAL.
 */
QK_API qk_status qk_queue_open(qk_queue **out, const char *url, const qk_queue_options *options,
                               qk_error *err);

/* Shuts down, waits for calls and workers, makes everything durable, frees. NULL-safe. */
QK_API void qk_queue_close(qk_queue *queue);

/* The handle of another store by its alias, opened at the first call with the defaults and the same
 * log. Borrowed: it is closed with `queue`; workers on it must be closed before. QK_ENOTFOUND: no such
 * alias; else as qk_queue_open, the message naming the alias only. */
QK_API qk_status qk_queue_other(qk_queue **out, qk_queue *queue, const char *alias, qk_error *err);

/* Absolute path of the file in use, or ":memory:". Borrowed from the handle. */
QK_API const char *qk_queue_path(const qk_queue *queue);

/* True while this process has the file open itself; false while it goes through another that has. May
 * change at any time. */
QK_API bool qk_queue_owns(const qk_queue *queue);

/* True if a :memory: store was moved to a temporary file because of its workers. */
QK_API bool qk_queue_auto_migrated(const qk_queue *queue);

/* Becomes readable when something changed: a job became ready, or ended. Drain it by reading.
 * Belongs to the handle. For select, poll, epoll or an event loop. */
QK_API int qk_queue_wait_fd(qk_queue *queue);

QK_API qk_status qk_queue_pause(qk_queue *queue, const char *name, qk_error *err);
QK_API qk_status qk_queue_resume(qk_queue *queue, const char *name, qk_error *err);

/* At most `concurrency` jobs of the queue run at a time, in all workers together; 0: no limit. Jobs
 * that run already go on. It stays until it is changed. QK_EINVAL. */
QK_API qk_status qk_queue_limit(qk_queue *queue, const char *name, uint32_t concurrency,
                                qk_error *err);

typedef struct qk_queue_stats {
    const char *name;
    bool paused;
    uint64_t counts[QK_JOB_STATUS_COUNT]; /* indexed by qk_job_status */
} qk_queue_stats;

typedef struct qk_stats {
    size_t count;
    qk_queue_stats *queues; /* by name; the default queue is always there */
} qk_stats;

/* The caller frees with qk_stats_free. */
QK_API qk_status qk_stats_get(qk_stats **out, qk_queue *queue, qk_error *err);
QK_API void qk_stats_free(qk_stats *stats);

/* Counters since the handle was opened; metrics.h has histograms beside them. */
typedef struct qk_counters {
    uint64_t enqueued, claimed, done, failed, retried, lost, cancelled, skipped;
    uint64_t commits, commit_rows, commit_failures, checkpoints;
    uint64_t auto_migrations, backpressure_warnings, sql_refused;
} qk_counters;

QK_API void qk_counters_get(qk_counters *out, qk_queue *queue);

/* A person's SQL: one SELECT over the published views and listed functions, read-only, with a
 * time limit. Anything else is QK_EREFUSED with the reason. */
typedef struct qk_rows qk_rows;

typedef enum qk_column_type {
    QK_COLUMN_TEXT = 0,
    QK_COLUMN_NUMBER = 1,
    QK_COLUMN_BOOL = 2,
    QK_COLUMN_JSON = 3,
    QK_COLUMN_TIME = 4, /* text: RFC 3339 UTC */
} qk_column_type;

/* `timeout` 0: 30 s; QK_ETIMEDOUT when exceeded. The rows hold a reader until closed. One thread
 * at a time may use a qk_rows. Close rows before their queue; left open they say QK_ECLOSED, and
 * still want closing. */
QK_API qk_status qk_rows_open(qk_rows **out, qk_queue *queue, const char *sql, qk_duration timeout,
                              qk_error *err);
/* QK_OK: there is a row; QK_EMPTY: no more. */
QK_API qk_status qk_rows_next(qk_rows *rows, qk_error *err);
QK_API size_t qk_rows_column_count(const qk_rows *rows);
QK_API const char *qk_rows_column_name(const qk_rows *rows, size_t column);
QK_API qk_column_type qk_rows_column_type(const qk_rows *rows, size_t column);
/* Text of the value in the present row, NULL for SQL NULL; lives until the next qk_rows_next. */
QK_API const char *qk_rows_text(const qk_rows *rows, size_t column);
/* Bytes of that text, 0 for SQL NULL. A value may hold NUL bytes, at which its text only seems to
 * end; one more follows the last byte. */
QK_API size_t qk_rows_length(const qk_rows *rows, size_t column);
QK_API void qk_rows_close(qk_rows *rows);

#ifdef __cplusplus
}
#endif
#endif
