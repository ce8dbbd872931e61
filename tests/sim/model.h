/*
 * Reference model of the job queue, written from the specification alone.
 *
 * Naive on purpose: one array of jobs, linear scans, full copies. It keeps no clock and does no
 * input or output. One thread. It never fails for want of memory: it aborts.
 *
 * Time: only model_tick lets time pass. No other call looks at due delays or expired leases, so a
 * driver whose engine does that by itself calls model_tick(now) before each call. An expired lease
 * that no tick has seen is still held.
 *
 * Dependencies are a pure function of what the parents are *now*: nothing is latched. A job whose
 * parent is retried waits for that parent again unless it is claimed or terminal.
 *
 * Texts (names up to 63 bytes, errors and results up to 159) are copied; longer ones abort.
 */
#ifndef QUEUACK_TESTS_SIM_MODEL_H
#define QUEUACK_TESTS_SIM_MODEL_H

#include <queuack/job.h>

#define MODEL_NAME_SIZE 64
#define MODEL_TEXT_SIZE 160

struct model;

struct model_now {
    int64_t wall_us; /* delays */
    int64_t mono_us; /* leases */
};

/* How an attempt stands or ended. */
enum model_ending {
    MODEL_OPEN, /* claimed now */
    MODEL_REPORTED, /* by a report of its worker: see verdict */
    MODEL_LOST, /* lease lost, or its owner died */
    MODEL_CANCELLED,
};

struct model_attempt {
    int attempt;
    char worker[MODEL_NAME_SIZE];
    enum model_ending ending;
    qk_verdict verdict; /* when reported */
};

/* A job as it stands. Empty text: none. */
struct model_job {
    qk_id id;
    char kind[MODEL_NAME_SIZE];
    char queue[MODEL_NAME_SIZE];
    char unique_key[MODEL_NAME_SIZE];
    qk_job_status status;
    int priority;
    uint64_t seq; /* its place; only the order of two jobs' numbers means something */
    int64_t created_us;

    /* While delayed: not before this wall time; 0 while backoff_open. Otherwise the last one set
     * (as given at enqueue, even if past); 0 after a retry. Compare it while delayed. */
    int64_t execute_after_us;
    bool backoff_open; /* delayed by a failure; model_accept_backoff has yet to say until when */

    int attempts; /* charged to the present budget, the running one included */
    int max_attempts; /* defaults resolved */
    int failures; /* failed attempts charged to the present budget */
    int attempt; /* number of the last claim, over its whole life; 0: never claimed */
    int lost; /* lost leases since enqueue or retry */
    int max_lost;
    int64_t timeout_us; /* QK_FOREVER_US: none */
    int64_t backoff_base_us;
    double backoff_factor;
    int64_t backoff_cap_us;
    bool strict; /* its next claim must be durable first: asked for, recovered, or one attempt */

    qk_dependency_mode mode;
    bool continue_on_failure;
    qk_id *needs;
    size_t needs_count;

    /* The lease: worker is empty unless claimed. */
    char worker[MODEL_NAME_SIZE];
    int64_t claimed_us; /* wall */
    int64_t lease_us; /* how long it first lasts; QK_FOREVER_US: for ever */
    int64_t deadline_us; /* mono: expired from this moment on */
    uint64_t leased; /* order in which leases were taken or renewed */
    bool held; /* by model_hold, until model_recover */

    char result[MODEL_TEXT_SIZE]; /* of a done job */
    char error[MODEL_TEXT_SIZE]; /* last failure; ack and retry clear it. Compare it when failed */
    bool error_free; /* failed, but the specification fixes no text: compare nothing */
    char skip_reason[MODEL_TEXT_SIZE]; /* "condition" or "parent_failed:<id>"; only when skipped */

    /* The order in which jobs became terminal, by application: 1, 2, …; 0 while not terminal. Jobs
     * that ended in the same call have the same moment. */
    int64_t ended_us; /* wall; 0 while not terminal */
    uint64_t ended_order;
    uint64_t ended_moment;
    /* When skipped for a failure: that job, and its ended_order and ended_moment at that time. */
    qk_id root;
    uint64_t root_order;
    uint64_t root_moment;

    struct model_attempt *history; /* one per claim, oldest first; never cut, also by a retry */
    size_t history_count;
};

/* --- life ------------------------------------------------------------------------------------ */

/* `waiting_limit`: the backpressure limit of every queue without one of its own. 0: 1,000,000. */
struct model *model_new(size_t waiting_limit);
void model_free(struct model *model); /* NULL-safe */
/* A deep copy that shares nothing. The caller frees it with model_free. */
struct model *model_clone(const struct model *model);

/* A queue's own backpressure limit. NULL: "default". */
void model_set_waiting_limit(struct model *model, const char *queue, size_t limit);

/* --- enqueue --------------------------------------------------------------------------------- */

/* Start from MODEL_SPEC_INIT. Zeros mean what they mean in qk_job_options; the back-off is taken
 * as given (base 0: retry at once), except that a cap of 0 is 1 h. */
struct model_spec {
    /* The id to create the job under; always needed. With id_given false it is one the engine
     * made: it must be new, and is ignored if the unique key finds a job. */
    qk_id id;
    bool id_given;
    const char *kind;
    const char *queue; /* NULL: "default" */
    int priority;
    int64_t delay_us;
    int64_t execute_after_us; /* wall */
    int max_attempts; /* 0: 1 for command, sql, dag, else 3 */
    int max_lost; /* 0: 3 */
    int64_t timeout_us; /* 0: none for command, sql, dag, else 300 s */
    int64_t backoff_base_us;
    double backoff_factor;
    int64_t backoff_cap_us;
    const char *unique_key; /* NULL or "": none. One name space for all queues */
    const qk_id *needs; /* repeats are harmless */
    size_t needs_count;
    qk_dependency_mode mode; /* means nothing without parents: such a job is ready */
    bool continue_on_failure;
    bool strict;
    bool ignore_backpressure;
};

/* clang-format off */
#define MODEL_SPEC_INIT                                                                            \
    { .kind = "work", .priority = QK_PRIORITY_DEFAULT, .backoff_base_us = 1000000,                 \
      .backoff_factor = 2.0, .backoff_cap_us = 3600000000LL }
/* clang-format on */

struct model_enqueued {
    qk_id id;
    bool duplicate;
};

/*
 * Enqueues all or none. It is as if the specs were enqueued one after the other, and all undone at
 * the first error. *failed (may be NULL) is then the index of that spec. `out`: room for `count`.
 *
 * Each spec is looked at in this order; the first rule that applies decides:
 *   1. QK_EINVAL: priority, a delay and a time together, a negative number, factor below 1.
 *      (This one for all specs before anything else.)
 *   2. the id exists, in whatever state, here or earlier in the batch: duplicate;
 *      QK_ECONFLICT if with another kind or queue. QK_EINTERNAL if id_given is false.
 *   3. a job that is not terminal holds the unique key: duplicate, with that job's id.
 *   4. QK_ENOTFOUND: a parent that is no job, nor one *created* earlier in the batch.
 *   5. QK_EBACKPRESSURE: pending + delayed jobs of its queue, earlier ones of the batch included,
 *      are at or above the limit, and it does not ignore that.
 * Otherwise it gets the next place; delayed if its time is after now, else pending; skipped at
 * once if its dependencies can never be met.
 */
qk_status model_enqueue(struct model *model, struct model_enqueued *out, size_t *failed,
                        const struct model_spec *specs, size_t count, struct model_now now);

/* --- claim and complete ---------------------------------------------------------------------- */

struct model_claim_spec {
    const char *const *queues; /* strict order; count 0: only "default" */
    size_t queue_count;
    const char *const *kinds; /* count 0: every kind */
    size_t kind_count;
    const char *worker; /* not empty */
    size_t max;
    int64_t lease_us; /* 0: the job's timeout, 300 s if it has none */
};

struct model_claimed {
    qk_id id;
    int attempt;
    int attempts;
    int max_attempts;
    int64_t timeout_us;
    bool strict;
};

/*
 * Claims, stores the claims in the order in which they must be handed out (room for spec->max),
 * and returns how many: all of the first queue before the second; in a queue by higher priority,
 * then lower seq.
 */
size_t model_claim(struct model *model, struct model_claimed *out,
                   const struct model_claim_spec *spec, struct model_now now);

struct model_lease {
    qk_id job;
    int attempt;
    const char *worker;
};

struct model_outcome {
    struct model_lease lease;
    qk_verdict verdict;
    const char *result; /* ack; NULL: none */
    const char *error; /* fail; NULL: none */
    bool permanent; /* fail */
    int64_t delay_us; /* nack */
    bool no_requeue; /* nack */
};

/*
 * QK_OK, or QK_ELEASE (also for an unknown job), which changes nothing. A report on an attempt
 * that ended with the same verdict by the same worker is QK_OK and changes nothing, whatever has
 * become of the job since and whatever the other fields say.
 * Fail with attempts left: pending at its old place with base 0; else delayed with backoff_open.
 * Nack: pending at its old place or delayed; the attempt is given back, with no_requeue as well.
 */
qk_status model_complete(struct model *model, const struct model_outcome *outcome,
                         struct model_now now);

/*
 * After a failure that left the job backoff_open: the engine's choice. True, and adopted, if it
 * lies in [now + d/2, now + d], to the microsecond, d = min(cap, base * factor^(failures - 1)).
 * `now` is that of the failure. Until then no tick makes the job ready, and model_check objects.
 */
bool model_accept_backoff(struct model *model, qk_id job, int64_t execute_after_us,
                          struct model_now now);

/* Extends a current lease to now + extend_us (0: as long as it first did; it may also shorten).
 * QK_OK or QK_ELEASE (also for an unknown job). */
qk_status model_heartbeat(struct model *model, const struct model_lease *lease, int64_t extend_us,
                          struct model_now now);

/* --- people ---------------------------------------------------------------------------------- */

/* QK_OK, QK_ENOTFOUND; QK_ESTATE when terminal. A running attempt stays charged. */
qk_status model_cancel(struct model *model, qk_id job, struct model_now now);

/*
 * QK_OK, QK_ENOTFOUND; QK_ESTATE, and nothing changed, when it is not failed, skipped or
 * cancelled, when its dependencies as its parents stand now can never be met, or when another job
 * that is not terminal holds its unique key.
 *
 * The job becomes pending (never delayed: execute_after is cleared) with attempts, failures and
 * lost at 0, without error or skip reason, and takes a *new* place at the end: by "history stays"
 * the attempt numbers go on, but its old place was given up when it became terminal. Only this job
 * is retried: dependents that were skipped because of it stay skipped; those not yet terminal wait
 * for it again.
 */
qk_status model_retry(struct model *model, qk_id job, struct model_now now);

/* A paused queue hands out nothing; everything else goes on. Idempotent. NULL: "default". */
void model_pause(struct model *model, const char *queue);
void model_resume(struct model *model, const char *queue);
bool model_is_paused(const struct model *model, const char *queue);

/* --- time and crashes ------------------------------------------------------------------------ */

/*
 * Lets time come: first the leases with deadline_us <= mono, by deadline, then as taken: each
 * counts as lost, the attempt is given back; pending at its old place, or failed with
 * "worker lost <max_lost> times". Then the delayed jobs with execute_after <= wall, by that time,
 * then by old place: each becomes pending at the next new place.
 */
void model_tick(struct model *model, struct model_now now);

/* When model_tick next has something to do: INT64_MAX: never. */
int64_t model_next_wake_wall(const struct model *model);
int64_t model_next_wake_mono(const struct model *model);

/*
 * The owner died and another took over; the model is as of the last durable commit (a clone).
 * Claims of the workers named in `survivors` (followers) stay and their leases restart in full
 * from now.mono_us. All others are lost at once, in order of place, as in model_tick. Every job
 * that is not terminal becomes strict. Delayed jobs stay delayed until a tick.
 */
void model_recover(struct model *model, const char *const *survivors, size_t count,
                   struct model_now now);

struct model_held {
    struct model_lease lease;
    int attempts; /* charged while it was held, itself included */
    int64_t claimed_us, lease_us, deadline_us;
};

/*
 * After a commit that failed the owner goes back to the last durable state, but the claims that
 * workers hold, or reported without that being durable, stay: call it for each before
 * model_recover, which then leaves them and their deadlines alone. A claim that the disk does not
 * know keeps what was charged; attempts in between show as lost. False: the job is not
 * there, has ended, or has moved on.
 */
bool model_hold(struct model *model, const struct model_held *claim);

/* All calls until the next model_join_moments are one moment (true), or each is its own, but for
 * calls at the same wall time: the recorded times of two ends are all that tells which was first. */
void model_join_moments(struct model *model, bool joined);

/* The clock that says who failed first has jumped: model_accept_skip_reason takes any cause that
 * the job hangs on. */
void model_trust_causes(struct model *model);

/* --- looking --------------------------------------------------------------------------------- */

/* NULL if there is none. Borrowed until the next call that changes the model. */
const struct model_job *model_get(const struct model *model, qk_id job);
/* All jobs in order of creation. model_at: index < model_size. Borrowed likewise. */
size_t model_size(const struct model *model);
const struct model_job *model_at(const struct model *model, size_t index);
/* Jobs with that status in a queue (NULL: in all queues). */
size_t model_count(const struct model *model, const char *queue, qk_job_status status);
/* Pending and its dependencies are met (its queue may be paused). */
bool model_is_ready(const struct model *model, qk_id job);
/* How many ready jobs of its queue would be handed out before it; -1 if it is not ready. */
int model_position(const struct model *model, qk_id job);

/*
 * For a skipped job: is `reason`, the engine's, right? True for its skip_reason. Also true, and
 * adopted, for parent_failed:<id> of a job that failed or was cancelled in the same call as the one
 * named, or in the call that skipped this one, and that the job hangs on likewise: when one call
 * fails and skips several jobs, their order is the model's choice, not the specification's. Call it
 * after the step that skipped.
 */
bool model_accept_skip_reason(struct model *model, qk_id job, const char *reason);

/* NULL, or the first broken invariant in words. The text is static, overwritten by the next call.
 * 1  ids and places are unique; parents exist and are older
 * 2  claimed <=> it has a lease <=> its last attempt is open; no other attempt is open
 * 3  0 <= attempts <= max_attempts; not terminal: attempts = failures + (claimed ? 1 : 0)
 * 4  attempt = number of claims ever; attempts <= attempt; lost <= max_lost, below it while live
 * 5  at most one job that is not terminal holds a unique key
 * 6  no pending or delayed job has dependencies that can never be met
 * 7  delayed => execute_after is known
 * 8  skipped <=> skip_reason; terminal <=> ended_order
 * 9  text: result only when done; no error when done */
const char *model_check(const struct model *model);

#endif
