/*
 * Jobs: how they are described, handed in, claimed, finished, looked up.
 *
 * All calls take a queue handle, are safe from any thread, and return only when what they report
 * is durable (for a :memory: store: applied), unless they say otherwise. Strings passed in are
 * copied. Option structs must start from their INIT macro; others are refused with QK_EINVAL.
 * NULL options mean the defaults.
 */
#ifndef QUEUACK_JOB_H
#define QUEUACK_JOB_H

#include <queuack/types.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct qk_queue qk_queue;

typedef enum qk_job_status {
    QK_JOB_PENDING = 0,
    QK_JOB_DELAYED = 1,
    QK_JOB_CLAIMED = 2,
    QK_JOB_DONE = 3,
    QK_JOB_FAILED = 4,
    QK_JOB_SKIPPED = 5,
    QK_JOB_CANCELLED = 6,
} qk_job_status;
#define QK_JOB_STATUS_COUNT 7

typedef enum qk_dependency_mode {
    QK_MODE_ALL = 0, /* every parent done */
    QK_MODE_ANY = 1, /* at the first parent done */
    QK_MODE_ALL_DONE = 2, /* every parent terminal, however */
    QK_MODE_ONE_FAILED = 3, /* at the first parent that failed */
    QK_MODE_NONE_FAILED = 4, /* every parent done, or skipped by a condition */
} qk_dependency_mode;

/* "pending" …; NULL for an unknown value. Static. */
QK_API const char *qk_job_status_name(qk_job_status status);
QK_API qk_status qk_job_status_parse(qk_job_status *out, const char *name);
/* True for done, failed, skipped, cancelled. */
QK_API bool qk_job_status_is_terminal(qk_job_status status);
QK_API const char *qk_dependency_mode_name(qk_dependency_mode mode);
QK_API qk_status qk_dependency_mode_parse(qk_dependency_mode *out, const char *name);

/* Limits that are part of the contract; longer text is refused with QK_EINVAL. */
#define QK_NAME_MAX 255 /* kind, queue, name, tag, unique key, worker id: bytes */
#define QK_TAGS_MAX 64
#define QK_PRIORITY_MAX 100
#define QK_PRIORITY_DEFAULT 50

/* Exponential back-off with jitter between attempts. */
typedef struct qk_backoff {
    qk_duration base; /* 0: retry at once */
    double factor; /* ≥ 1 */
    qk_duration cap;
} qk_backoff;

typedef struct qk_job_options {
    uint32_t version;
    qk_id id; /* none: a new one is made. The same id again is recognised, not doubled */
    const char *queue; /* NULL: the handle's default queue */
    int priority; /* 0 to 100, higher first */
    qk_duration delay; /* from now; not together with execute_after */
    qk_time execute_after;
    int max_attempts; /* 0: 3 for registered kinds, 1 for command and sql */
    int max_lost; /* 0: 3. How often its worker may die before the job fails */
    qk_duration timeout; /* 0: 300 s for registered kinds, none for command and sql; qk_forever() */
    qk_backoff backoff; /* base 1 s, factor 2, cap 1 h */
    const char *unique_key; /* while a job with this key is not terminal, no second one is made */
    const qk_id *needs; /* parents: ids of existing jobs, or of earlier jobs of the same batch */
    size_t needs_count;
    qk_dependency_mode mode;
    bool continue_on_failure; /* for dependents a failure of this job counts as done */
    const char *const *tags;
    size_t tag_count;
    const char *name;
    bool ignore_backpressure;
    bool strict; /* its claim is durable before it starts */
} qk_job_options;

/* clang-format off */
#define QK_BACKOFF_DEFAULT { { 1000000 }, 2.0, { 3600000000LL } }
#define QK_JOB_OPTIONS_INIT \
    { 1, { { 0 } }, NULL, QK_PRIORITY_DEFAULT, { 0 }, { 0 }, 0, 0, { 0 }, QK_BACKOFF_DEFAULT, NULL, \
      NULL, 0, QK_MODE_ALL, false, NULL, 0, NULL, false, false }
/* clang-format on */

/*
 * Enqueues one job and stores its id in *out (may be NULL). `payload` is JSON text (NULL: null).
 * Kind "command" takes {"argv":["prog","arg"…],"cwd":…,"env":{…},"stdin":…,"slots":n,"limits":
 * {"memory","cpu_seconds","open_files","file_size"}}.
 * A repeated id or a held unique key is not an error: *out is the existing job's id.
 * Expected: QK_EINVAL (says which field), QK_ETOOLARGE, QK_EBACKPRESSURE, QK_ENOTFOUND (a parent),
 * QK_ECONFLICT (the id exists with another kind or queue), QK_EFULL.
 */
QK_API qk_status qk_enqueue(qk_id *out, qk_queue *queue, const char *kind, const char *payload,
                            const qk_job_options *options, qk_error *err);

typedef struct qk_job_spec {
    const char *kind;
    const char *payload; /* JSON text, or NULL */
    const qk_job_options *options; /* NULL: defaults. May be shared between specs */
} qk_job_spec;

typedef struct qk_enqueued {
    qk_id id;
    bool duplicate; /* an existing job was found by id or unique key; `id` is that job's */
} qk_enqueued;

/*
 * Enqueues all or none, in one commit. `out` has room for `count` entries, or is NULL. An error in
 * one spec is reported as "job <index>: …", nothing is enqueued. Errors as qk_enqueue.
 */
QK_API qk_status qk_enqueue_batch(qk_enqueued *out, qk_queue *queue, const qk_job_spec *specs,
                                  size_t count, qk_error *err);

/* Proof of a claim. `worker_id` is borrowed from the claim it came from. */
typedef struct qk_lease {
    qk_id job;
    int32_t attempt; /* the number of the claim, over the job's whole life */
    const char *worker_id;
} qk_lease;

typedef struct qk_claimed {
    qk_lease lease;
    const char *kind;
    const char *queue;
    const char *payload; /* JSON text, NUL-terminated */
    size_t payload_length;
    const char *name; /* NULL if it has none */
    int32_t attempts; /* of the budget, this one included */
    int32_t max_attempts;
    qk_duration timeout; /* qk_forever(): none */
    qk_time claimed_at;
    bool strict;
    qk_id run_id; /* none outside a run */
    const char *node_name; /* NULL outside a run */
    int run_depth; /* of the run: 1, more for sub-DAGs; 0 outside a run */
} qk_claimed;

/* A set of claims. Everything in it lives until qk_claims_free. */
typedef struct qk_claims {
    size_t count;
    qk_claimed *items;
} qk_claims;

typedef struct qk_claim_options {
    uint32_t version;
    const char *const *queues; /* in strict order; NULL: the handle's default queue */
    size_t queue_count;
    const char *const *kinds; /* only these; NULL: every kind */
    size_t kind_count;
    const char *worker_id; /* NULL: the handle's own */
    size_t max; /* at most this many */
    qk_duration wait; /* how long to wait for the first one; 0: do not wait */
    qk_duration lease; /* 0: the job's timeout, 300 s if it has none */
    bool strict; /* claims are durable before the call returns */
} qk_claim_options;

#define QK_CLAIM_OPTIONS_INIT                                                                      \
    {                                                                                              \
        1, NULL, 0, NULL, 0, NULL, 1, { 0 }, { 0 }, false                                          \
    }

/* Claims one job (options->max is taken as 1), or up to options->max. QK_EMPTY when there was none
 * to be had; *out is then NULL. The caller frees with qk_claims_free. */
QK_API qk_status qk_claim(qk_claims **out, qk_queue *queue, const qk_claim_options *options,
                          qk_error *err);
QK_API qk_status qk_claim_batch(qk_claims **out, qk_queue *queue, const qk_claim_options *options,
                                qk_error *err);
QK_API void qk_claims_free(qk_claims *claims);

typedef enum qk_verdict {
    QK_VERDICT_ACK = 0, /* done */
    QK_VERDICT_FAIL = 1, /* retried while attempts are left */
    QK_VERDICT_NACK = 2, /* given back; costs no attempt */
} qk_verdict;

/* How a claim ended. Zero-initialise, then set what applies. */
typedef struct qk_outcome {
    qk_lease lease;
    qk_verdict verdict;
    const char *result; /* ack: JSON text, or NULL */
    const char *error; /* fail: what went wrong */
    bool permanent; /* fail: no further attempt */
    bool has_exit_code;
    int exit_code; /* of a command; 128 + n for signal n */
    const char *log_tail; /* the last output, kept with the attempt; or NULL */
    qk_duration delay; /* nack: not before */
    bool no_requeue; /* nack: fail the job instead of giving it back */
    qk_duration run_time; /* pools fill it in for qk_finished_fn; stores do not look at it */
} qk_outcome;

/* Expected from all: QK_ELEASE (lost, cancelled, or another's). The same call repeated gets the
 * first answer. QK_EINVAL when the result is not JSON. */
QK_API qk_status qk_ack(qk_queue *queue, const qk_lease *lease, const char *result, qk_error *err);
QK_API qk_status qk_fail(qk_queue *queue, const qk_lease *lease, const char *error, bool permanent,
                         qk_error *err);
QK_API qk_status qk_nack(qk_queue *queue, const qk_lease *lease, qk_duration delay, bool requeue,
                         qk_error *err);

/* Reports many outcomes in one commit. statuses[i] (NULL: not wanted) tells each one's fate; the
 * call itself fails only if none could be taken. */
QK_API qk_status qk_complete_batch(qk_queue *queue, qk_status *statuses, const qk_outcome *outcomes,
                                   size_t count, qk_error *err);

/* Makes the lease last `extend` from now (0: as long as it first did). */
QK_API qk_status qk_heartbeat(qk_queue *queue, const qk_lease *lease, qk_duration extend,
                              qk_error *err);

/* Reports progress of a claimed job: 0 to 1, and a message or NULL. Not durable by itself. */
QK_API qk_status qk_progress(qk_queue *queue, const qk_lease *lease, double fraction,
                             const char *message, qk_error *err);

/* QK_ESTATE when it is terminal. */
QK_API qk_status qk_cancel(qk_queue *queue, qk_id job, qk_error *err);
/* Failed, skipped and cancelled jobs only; QK_ESTATE otherwise. The budget starts again. */
QK_API qk_status qk_retry(qk_queue *queue, qk_id job, qk_error *err);

/*
 * Many at once, each for itself, in their order, in few commits. statuses[i] (NULL: not wanted) is what
 * the call for jobs[i] alone would have returned; the call itself fails only if none could be tried.
 * When it succeeds and some were refused, `err` says why the first of those was.
 */
QK_API qk_status qk_cancel_batch(qk_queue *queue, qk_status *statuses, const qk_id *jobs,
                                 size_t count, qk_error *err);
QK_API qk_status qk_retry_batch(qk_queue *queue, qk_status *statuses, const qk_id *jobs,
                                size_t count, qk_error *err);

/* A job as it stands. One allocation; everything lives until qk_job_free. */
typedef struct qk_job {
    qk_id id;
    qk_id run_id; /* none outside a run */
    const char *node_name; /* strings: NULL if absent */
    qk_dependency_mode mode;
    const char *kind;
    const char *payload;
    const char *queue;
    qk_job_status status;
    int priority;
    qk_time created_at;
    qk_time execute_after;
    qk_time claimed_at;
    const char *claimed_by;
    qk_time completed_at;
    int32_t attempts;
    int32_t max_attempts;
    qk_duration timeout;
    const char *result;
    const char *error;
    qk_time skipped_at;
    const char *skip_reason;
    const char *skipped_by;
    const char *tags; /* JSON array text, or NULL */
    const char *name;
    const char *unique_key;
    double progress; /* negative: none reported */
    const char *progress_message;
    int32_t map_index; /* negative: none */
    bool has_exit_code;
    int exit_code;
} qk_job;

/* QK_ENOTFOUND. The caller frees with qk_job_free. */
QK_API qk_status qk_job_get(qk_job **out, qk_queue *queue, qk_id id, qk_error *err);
QK_API void qk_job_free(qk_job *job);

/* The result's JSON text, or NULL when it left none; free() it. QK_ESTATE unless it is done. */
QK_API qk_status qk_result(char **out, qk_queue *queue, qk_id id, qk_error *err);

/* Waits until the job is terminal; *out (may be NULL) is as qk_job_get. QK_ETIMEDOUT. */
QK_API qk_status qk_wait(qk_job **out, qk_queue *queue, qk_id id, qk_duration timeout,
                         qk_error *err);

/* Which jobs. NULL or zero fields do not filter. */
typedef struct qk_job_filter {
    uint32_t version;
    uint32_t statuses; /* bit set: 1 << QK_JOB_… ; 0: all */
    const char *queue;
    const char *kind;
    const char *tag;
    qk_id run_id;
    qk_id before; /* only ids below this one: the cursor for the next page */
    const char *id_suffix; /* last hex digits of the id, at least 6 */
    qk_duration older_than; /* completed at least this long ago */
    size_t limit; /* 0: 100 */
} qk_job_filter;

#define QK_JOB_FILTER_INIT                                                                         \
    {                                                                                              \
        1, 0, NULL, NULL, NULL, { { 0 } }, { { 0 } }, NULL, { 0 }, 0                               \
    }

typedef struct qk_job_list {
    size_t count;
    qk_job *items;
    bool more; /* there is a further page: pass the last id as `before` */
} qk_job_list;

/* Newest id first. The caller frees with qk_job_list_free. */
QK_API qk_status qk_job_list_get(qk_job_list **out, qk_queue *queue, const qk_job_filter *filter,
                                 qk_error *err);
/* The same over failed jobs only. */
QK_API qk_status qk_dead_letters(qk_job_list **out, qk_queue *queue, const qk_job_filter *filter,
                                 qk_error *err);
QK_API void qk_job_list_free(qk_job_list *list);

/* Deletes terminal jobs that match (limit does not apply) and says how many. Jobs that a job not
 * yet terminal depends on are kept, and so are all jobs of a run that has not ended or that such a
 * job is of, with the runs above and below it. QK_EINVAL when the filter names a status that is not terminal. */
QK_API qk_status qk_purge(size_t *out, qk_queue *queue, const qk_job_filter *filter, qk_error *err);

#ifdef __cplusplus
}
#endif
#endif
