/*
 * The store: where jobs live. One interface, several back ends (embedded DuckDB now).
 *
 * Operations are domain operations, never "run this SQL". Input has been validated and normalised
 * by src/queue (lengths, ranges, JSON, defaults); a store checks only what needs its state.
 *
 * For every slot, unless its comment says otherwise:
 *   - it may be called from any thread, also concurrently, and may block on the disk;
 *   - it is atomic: all of it happens or none;
 *   - it returns when its effect is durable;
 *   - it may fail with QK_EFULL, QK_EIO, QK_ENOMEM, QK_ECLOSED; nothing has then happened;
 *   - it fills `err` when it returns an error other than QK_EMPTY;
 *   - memory handed out by *out belongs to the caller and is freed by the public free function.
 */
#ifndef QK_STORE_STORE_H
#define QK_STORE_STORE_H

#include <queuack/job.h>
#include <queuack/metrics.h>
#include <queuack/queue.h>
#include <queuack/run.h>
#include <queuack/upkeep.h>

#include "util/log.h"

typedef struct qk_store qk_store;

/* Everything a back end needs to know to open. Strings outlive the open call only. */
typedef struct qk__store_config {
    const char *path; /* absolute, or ":memory:" */
    bool must_exist;
    bool strict; /* every claim durable before it is handed out */
    const char *default_queue;
    size_t max_payload;
    uint64_t backpressure_warn, backpressure_limit;
    int64_t owner_wait_us;
    const char *temp_dir;
    size_t query_memory;
    qk_clock clock;
    qk__log log;
    bool brief; /* closed again soon: leaves the file to those who stay longer */
    uint64_t
        peer; /* of this handle: its claims, made through an earlier owner, are its own. 0: none */
} qk__store_config;

/* A job to be enqueued, every default filled in. */
typedef struct qk__new_job {
    qk_id id;
    bool id_given; /* by the caller, so that it may exist already */
    bool continue_on_failure, ignore_backpressure, strict;
    uint8_t priority;
    uint8_t mode; /* qk_dependency_mode */
    int32_t max_attempts, max_lost;
    int64_t delay_us; /* 0: none */
    int64_t execute_after_us; /* 0: none */
    int64_t timeout_us; /* INT64_MAX: none */
    int64_t backoff_base_us, backoff_cap_us;
    double backoff_factor;
    const char *kind, *queue, *payload; /* payload: JSON text */
    size_t payload_length;
    const char *unique_key, *name; /* NULL: none */
    /* In a run: the node's name; its condition (valid, see dag/condition.h); of a sub-DAG node the
     * factory that claims have to ask for, as kind "dag:<factory>". NULL: none. */
    const char *node, *when, *factory;
    const char *tags; /* JSON array text, NULL: none */
    const qk_id *needs;
    size_t needs_count;
} qk__new_job;

/* A run to be submitted. */
typedef struct qk__new_run {
    qk_id id;
    bool id_given; /* by the caller, so that it may exist already */
    qk_id parent_job; /* none, or set by expand */
    const char *name;
    const char *description, *trigger; /* NULL: none */
    const char *metadata, *params; /* JSON text, NULL: none */
    int64_t scheduled_for_us; /* 0: none */
    const char *definition; /* JSON text, NULL: none */
    size_t definition_length;
} qk__new_run;

/* Who claims on behalf of another process. Such claims outlive the owner: when the store is opened
 * again, their leases restart in full, unlike the owner's own, which are taken back. */
typedef struct qk__holder {
    uint64_t peer; /* below 2^63; 0: the owner itself */
    uint64_t
        token; /* of the call: with `again`, what an earlier call with it claimed is the answer */
} qk__holder;

typedef struct qk__claim_request {
    const char *const *queues; /* strict order, at least one */
    size_t queue_count;
    const char *const *kinds; /* NULL: every kind */
    size_t kind_count;
    const char *worker_id;
    size_t max;
    int64_t wait_us; /* 0: do not wait; INT64_MAX: for ever */
    int64_t lease_us; /* 0: as long as the job's timeout, 300 s if it has none */
    bool strict;
    qk_id root_run; /* only jobs of this run and of those below; none: any. queue_count may be 0 */
    bool again; /* the first answer may have been lost on its way */
    qk__holder holder;
} qk__claim_request;

/* What a job's parents left. */
typedef struct qk__upstream_node {
    qk_id id;
    const char *node; /* NULL: not of a run */
    qk_job_status status;
    int32_t attempt;
    const char *result; /* JSON text; NULL: none, or `large` */
    bool large; /* to be fetched by `result` */
} qk__upstream_node;

typedef struct qk__upstream {
    size_t count;
    qk__upstream_node *items;
} qk__upstream;

/* Results above this many bytes are `large`. */
#define QK__UPSTREAM_INLINE_MAX 4096

/* What a pool tells about itself for the `workers` view. */
typedef struct qk__worker_info {
    const char *id, *host;
    const char *queues; /* JSON array text */
    int pid;
    int slots, running;
} qk__worker_info;

/* What keeps a drain waiting. */
typedef struct qk__backlog {
    uint64_t pending, delayed, claimed; /* in the asked queues, of the asked kinds */
    uint64_t other_kinds; /* pending in those queues, of kinds not asked for */
} qk__backlog;

struct qk_store_ops {
    /* Waits for running calls (which get QK_ECLOSED), makes everything durable, frees. */
    void (*close)(qk_store *store);

    /* Path in use, or ":memory:". Borrowed. Does not block. */
    const char *(*path)(const qk_store *store);

    /* All or none. Parents may be earlier jobs of the batch. A job whose id or held unique key
     * exists is reported as duplicate and changes nothing.
     * Also: QK_EBACKPRESSURE, QK_ENOTFOUND (parent), QK_ECONFLICT (id exists, other kind or queue);
     * messages of a batch start with "job <index>: ". */
    qk_status (*enqueue)(qk_store *store, qk_enqueued *out, const qk__new_job *jobs, size_t count,
                         qk_error *err);

    /* A run and all its nodes (in an order with parents first), or nothing. *out: its id; duplicate:
     * a run of that id existed, and nothing changed. Also: as enqueue, "job <index>: " included. */
    qk_status (*submit_run)(qk_store *store, qk_enqueued *out, const qk__new_run *run,
                            const qk__new_job *jobs, size_t count, qk_error *err);

    /* The claimed sub-DAG node becomes the parent of this run, in one commit: run, nodes, and the
     * node's waiting state, in which it has neither lease nor worker. The lease is over then. A node
     * that has its run already, by this lease or an earlier one, waits for that: *child is its id,
     * run and jobs are not looked at and may be NULL. It returns once that is durable. Ends of the
     * child end the node in their own commit. A node of the run must not need a job that waits for
     * the sub-DAG node, nor that itself (QK_EINVAL, naming both). QK_ELEASE, QK_EINVAL (there is no run yet, and none was given), QK_EREFUSED (nested
     * too deep; the message has the chain), and as submit_run. */
    qk_status (*expand)(qk_store *store, qk_id *child, const qk_lease *lease,
                        const qk__new_run *run, const qk__new_job *jobs, size_t count,
                        qk_error *err);

    /* The parents of a job that is live, in one allocation that free() frees; those of others are none.
     * Of the result of a sub-DAG node, a reference, only that it is large is told. */
    qk_status (*upstream)(qk_store *store, qk__upstream **out, qk_id job, qk_error *err);

    /* The result of a done job as JSON text (NULL: none), the caller frees; that of a sub-DAG node is
     * the map of its run's leaf results, put together now. QK_ENOTFOUND, QK_ESTATE (not done). */
    qk_status (*result)(qk_store *store, char **out, qk_id job, qk_error *err);

    /* Nodes for the run of a claimed job, as expand does: held only with the lease (QK_ELEASE). `node`
     * names must be new in the run (QK_ECONFLICT); needs may be any of its jobs. QK_EINVAL: the
     * job is of no run, or what is needed waits for a sub-DAG node around the run. */
    qk_status (*add_nodes)(qk_store *store, const qk_lease *lease, const qk__new_job *jobs,
                           size_t count, qk_error *err);

    /* A job with a condition is handed out only if that holds; otherwise it is skipped.
     * Highest priority first, then lowest sequence number. A job is handed out only once its
     * enqueue is durable; strict claims (the store's, the request's, a job's own) once the claim is.
     * QK_EMPTY when the wait ended without one. */
    qk_status (*claim)(qk_store *store, qk_claims **out, const qk__claim_request *request,
                       qk_error *err);

    /* Ends waits of `worker_id` in claim with QK_EMPTY, now and later, until called with false.
     * Does not block. */
    void (*interrupt)(qk_store *store, const char *worker_id, bool on);

    /* Applies each outcome for itself; statuses[i] is QK_OK or QK_ELEASE. With wait false it may
     * return before they are durable: they then are after the next flush that succeeds, and the
     * caller must keep them until then, to report them again if flush fails. */
    qk_status (*complete)(qk_store *store, qk_status *statuses, const qk_outcome *outcomes,
                          size_t count, bool wait, qk_error *err);

    /* Returns when everything accepted before the call is durable. After an error some of it may
     * have been forgotten; leases that were held are held again. */
    qk_status (*flush)(qk_store *store, qk_error *err);

    /* statuses[i]: QK_OK or QK_ELEASE (also: cancelled). extend_us 0: the length it had at first.
     * Not durable: leases restart in full when the store is opened again. */
    qk_status (*extend)(qk_store *store, qk_status *statuses, const qk_lease *leases, size_t count,
                        int64_t extend_us, qk_error *err);

    /* Not durable by itself; written with the job's next change or checkpoint. QK_ELEASE. */
    qk_status (*progress)(qk_store *store, const qk_lease *lease, double fraction,
                          const char *message, qk_error *err);

    /* Each job for itself and in their order; all that changes shares few commits, dependents
     * included. statuses[i]: QK_OK, QK_ENOTFOUND or QK_ESTATE; `err` then says why the first of those
     * was refused, though the call succeeds. A single job's fate is the call's. */
    qk_status (*cancel)(qk_store *store, qk_status *statuses, const qk_id *jobs, size_t count,
                        qk_error *err);
    qk_status (*retry)(qk_store *store, qk_status *statuses, const qk_id *jobs, size_t count,
                       qk_error *err);

    /* Ended jobs that match; `limit` and `before` do not apply. *out: how many. Kept are jobs that
     * live ones depend on, and all jobs of trees of runs that live on or that one of those is of. */
    qk_status (*purge)(qk_store *store, size_t *out, const qk_job_filter *filter, qk_error *err);

    qk_status (*pause)(qk_store *store, const char *queue, bool paused, qk_error *err);

    /* At most `limit` jobs of the queue are claimed at a time, by whomever; 0: no limit. Jobs claimed
     * already go on. */
    qk_status (*limit)(qk_store *store, const char *queue, uint32_t limit, qk_error *err);

    /* A copy of one moment in a file of its own, everything reported before included; the store stays
     * in use. `path` is absolute. Errors as qk_backup; until it succeeds nothing stands at `path`
     * that was not there before. */
    qk_status (*backup)(qk_store *store, const char *path, const qk_backup_options *options,
                        qk_error *err);

    /* QK_ENOTFOUND. */
    qk_status (*get)(qk_store *store, qk_job **out, qk_id job, qk_error *err);
    qk_status (*list)(qk_store *store, qk_job_list **out, const qk_job_filter *filter,
                      qk_error *err);
    qk_status (*stats)(qk_store *store, qk_stats **out, qk_error *err);
    void (*counters)(qk_store *store, qk_counters *out);
    /* Everything but auto_migrations, as of one moment. Does not touch the disk. */
    void (*metrics)(qk_store *store, qk_metrics *out);

    /* QK_OK once the job is terminal and that is durable, QK_ETIMEDOUT, QK_ENOTFOUND. */
    qk_status (*wait)(qk_store *store, qk_id job, int64_t timeout_us, qk_error *err);

    /* Does not touch the disk. */
    qk_status (*backlog)(qk_store *store, qk__backlog *out, const qk__claim_request *request,
                         qk_error *err);

    /* QK_ENOTFOUND from all that name a run. A run in memory is told as it is now, which may be ahead
     * of the disk; lists and trees as they are durable. */
    qk_status (*run_get)(qk_store *store, qk_run **out, qk_id run, qk_error *err);
    qk_status (*run_list)(qk_store *store, qk_run_list **out, const qk_run_filter *filter,
                          qk_error *err);
    /* The run and everything below it: one query, whatever the depth. */
    qk_status (*run_tree)(qk_store *store, qk_run_tree **out, qk_id run, qk_error *err);
    /* The job of a node. QK_ENOTFOUND also: no such node. */
    qk_status (*run_node)(qk_store *store, qk_id *out, qk_id run, const char *node, qk_error *err);
    /* QK_OK once the run has ended and that is durable, or once it differs from *seen (may be NULL);
     * QK_ETIMEDOUT. Does not touch the disk while the run is in memory. */
    qk_status (*run_wait)(qk_store *store, qk_run_progress *out, qk_id run,
                          const qk_run_progress *seen, int64_t timeout_us, qk_error *err);
    /* Every node that is live, at every depth, in one commit. QK_ESTATE: it has ended. */
    qk_status (*run_cancel)(qk_store *store, qk_id run, qk_error *err);
    /* QK_ESTATE: it has ended, or is so already. */
    qk_status (*run_pause)(qk_store *store, qk_id run, bool paused, qk_error *err);
    /* Opens again what is unfinished (or, with `from`, that node and all downstream) as run.h says,
     * in one commit, at every depth. QK_ESTATE. */
    qk_status (*run_retry)(qk_store *store, qk_id run, const qk_id *from, qk_error *err);

    /* Announces a worker (its first call), renews it, or with gone = true withdraws it. May be
     * written later than it returns. */
    qk_status (*worker_beat)(qk_store *store, const qk__worker_info *worker, bool gone,
                             qk_error *err);

    /* Rows of a person's checked SELECT; timeout_us > 0. QK_EREFUSED, QK_EINVAL (does not parse),
     * QK_ETIMEDOUT, QK_ENOMEM. */
    qk_status (*rows_open)(qk_store *store, qk_rows **out, const char *sql, int64_t timeout_us,
                           qk_error *err);

    /* Gives back what `peer` has claimed from another process, without counting an attempt: it says
     * goodbye. */
    qk_status (*release)(qk_store *store, uint64_t peer, qk_error *err);

    /* Waits until something became ready or ended since *seen (0: returns at once), and sets it.
     * QK_ETIMEDOUT, QK_ECLOSED. */
    qk_status (*changes)(qk_store *store, uint64_t *seen, int64_t wait_us, qk_error *err);

    /* A descriptor that becomes readable when a job became ready or ended. Owned by the store. */
    int (*wait_fd)(qk_store *store);

    /* True while this process has the file open itself, and others come through it. Does not block.
     * May be NULL: always. */
    bool (*owns)(qk_store *store);

    /* First step of closing a handle: ends every wait (claim, wait, rows_open and open rows) with
     * QK_ECLOSED, now and later. Does not block, frees nothing; close follows once all calls have
     * returned. May be NULL: the handle then waits in short steps. */
    void (*stop)(qk_store *store);
};

/* First member of every back end's own struct. */
struct qk_store {
    const struct qk_store_ops *ops;
};

/* qk_rows is implemented by the back end behind this table. */
struct qk__rows_ops {
    qk_status (*next)(qk_rows *rows, qk_error *err);
    size_t (*column_count)(const qk_rows *rows);
    const char *(*column_name)(const qk_rows *rows, size_t column);
    qk_column_type (*column_type)(const qk_rows *rows, size_t column);
    const char *(*text)(const qk_rows *rows, size_t column);
    size_t (*length)(const qk_rows *rows, size_t column);
    void (*close)(qk_rows *rows);
};

struct qk_rows {
    const struct qk__rows_ops *ops;
    uint64_t fork_generation; /* set by src/queue, which refuses use in a forked child */
};

/* Back ends. */
qk_status qk__embedded_open(qk_store **out, const qk__store_config *config, qk_error *err);
/* As qk_store_check; `path` and the options' paths are absolute, temp_dir is set. */
qk_status qk__embedded_check(const char *path, const qk_check_options *options, qk_error *err);
/* A file that processes share: this one owns it and listens, or speaks to the owner. */
qk_status qk__shared_open(qk_store **out, const qk__store_config *config, qk_error *err);

#endif
