/*
 * The engine: every live job in memory, and the rules that move them.
 *
 * Pure: no I/O, no threads, no clock of its own. Time comes in with each call, and what must become
 * durable goes out through qk__engine_cut as full job images. The caller serialises all calls (the
 * store's mutex); nothing here locks.
 *
 * Invariants (checked by qk__engine_check, which tests call after each step):
 *  1. A job is in exactly one place: a ready lane (pending, dependencies met), the delay heap
 *     (delayed), a lease list (claimed), or none (waiting for parents, or terminal).
 *  2. Terminal jobs stay findable until the batch with their last image is durable, then go.
 *  3. A job that changed since the last cut is in the dirty list exactly once.
 *  4. `attempt` only rises; 0 <= attempts <= max_attempts.
 *  5. At most one job that is not terminal holds a unique key.
 *  6. A queue's counts equal a recount.
 *  7. Text that a cut refers to is freed only when that cut is finished.
 *  8. What a live job knows of each parent is what that parent is.
 *  9. A live job lies below its live parents, and none can no longer start.
 */
#ifndef QK_STORE_EMBEDDED_ENGINE_H
#define QK_STORE_EMBEDDED_ENGINE_H

#include "store/embedded/row.h"
#include "store/store.h"
#include "util/buffer.h"

typedef struct qk__engine qk__engine;

typedef struct qk__now {
    int64_t wall_us; /* may jump */
    int64_t mono_us; /* never goes back */
} qk__now;

typedef struct qk__engine_config {
    bool strict;
    uint64_t backpressure_warn, backpressure_limit; /* waiting jobs of a queue */
    size_t payload_cache; /* bytes of large payloads kept in memory */
    uint64_t seed; /* of the jitter */
    uint64_t peer; /* whose claims of other processes are the owner's own by now; 0: none */
} qk__engine_config;

/* Payloads above this many bytes are journaled once, as PAYLOAD rows, and not in images. */
#define QK__PAYLOAD_INLINE_MAX 256

qk__engine *qk__engine_new(const qk__engine_config *config); /* NULL: out of memory */
void qk__engine_free(qk__engine *engine);

/* Facts about jobs that are not in memory, looked up by the store: one entry per id asked. */
typedef struct qk__cold_job {
    qk_id id;
    bool found;
    uint8_t status; /* terminal */
    bool continue_on_failure;
    int64_t cause_order; /* of the job that caused a failure or skip: the lower, the earlier */
    qk_id cause; /* that job; none for a condition */
    bool cause_outside; /* the cause is not in its own run */
    qk_id run; /* none: outside */
    char kind[QK_NAME_MAX + 1], queue[QK_NAME_MAX + 1];
} qk__cold_job;

/* Facts about a run, recounted from its ended jobs that are not in memory. */
typedef struct qk__run_facts {
    qk_id id;
    bool found;
    uint8_t status; /* qk_run_status */
    uint64_t counts[QK_JOB_STATUS_COUNT];
    uint64_t bad; /* jobs that make it fail */
} qk__run_facts;

typedef struct qk__cold_set {
    const qk__cold_job *jobs; /* sorted by id */
    size_t count;
} qk__cold_set;

/* Appends the ids of `jobs` (given ids, parents) that neither the engine nor `known` has to
 * `*missing` (malloc'd or grown by realloc). QK_ENOMEM. */
qk_status qk__engine_missing(const qk__engine *engine, const qk__new_job *jobs, size_t count,
                             const qk__cold_set *known, qk_id **missing, size_t *missing_count);

/* All or none. QK_EMPTY: ids are missing from `cold` (ask qk__engine_missing again). */
qk_status qk__engine_enqueue(qk__engine *engine, qk__now now, qk_enqueued *out,
                             const qk__new_job *jobs, size_t count, const qk__cold_set *cold,
                             qk_error *err);

/* A run with all its nodes, or none of it. *duplicate: it is in memory already. Errors as enqueue. */
qk_status qk__engine_submit(qk__engine *engine, qk__now now, bool *duplicate,
                            const qk__new_run *run, const qk__new_job *jobs, size_t count,
                            const qk__cold_set *cold, qk_error *err);
/* True if the node has a child run already, whoever made it. */
bool qk__engine_child(const qk__engine *engine, const qk_lease *lease, qk_id *child);
/* The claimed node becomes the parent of `run`, or waits again for the child it had (*child). That
 * may have ended and left the memory: then its facts are needed (QK_EMPTY). QK_ELEASE, QK_EINVAL
 * (no run given, and there is none), QK_EREFUSED (nested too deep). */
qk_status qk__engine_expand(qk__engine *engine, qk__now now, qk_id *child, const qk_lease *lease,
                            const qk__new_run *run, const qk__new_job *jobs, size_t count,
                            const qk__cold_set *cold, const qk__run_facts *facts, qk_error *err);

/* One claimed job. Pointers borrow from the engine until its next call. */
typedef struct qk__grant {
    qk_id id;
    int32_t attempt, attempts, max_attempts;
    const char *kind, *queue, *name;
    const char *node, *when; /* NULL: none */
    qk_id run; /* none: outside */
    int depth; /* of the run; 0: outside */
    const char *payload; /* not NUL-terminated; NULL: not resident, read it from the journal */
    uint32_t payload_length;
    int64_t timeout_us, claimed_us;
    bool strict;
    uint64_t gate; /* the batch that must be durable before the job may start; 0: none */
} qk__grant;

/* Fills up to request->max grants; returns how many. */
size_t qk__engine_claim(qk__engine *engine, qk__now now, const qk__claim_request *request,
                        qk__grant *grants);

/* Points a grant's borrowed text at the engine again. False: the claim is no longer held. */
bool qk__engine_regrant(const qk__engine *engine, qk__grant *grant);

/* QK_OK, QK_ELEASE, QK_ENOMEM, or QK_ENOTFOUND: not in memory, it may have ended earlier.
 * *gate: the batch that makes the answer durable (0: durable already). */
qk_status qk__engine_complete(qk__engine *engine, qk__now now, const qk_outcome *outcome,
                              uint64_t *gate);

qk_status qk__engine_extend(qk__engine *engine, qk__now now, const qk_lease *lease,
                            int64_t extend_us);
qk_status qk__engine_progress(qk__engine *engine, const qk_lease *lease, double fraction,
                              const char *message);
/* QK_OK, QK_ESTATE, QK_ENOTFOUND (not in memory), QK_ENOMEM. */
qk_status qk__engine_cancel(qk__engine *engine, qk__now now, qk_id id);
/* Why a retry is QK_ESTATE. */
typedef struct qk__refusal {
    enum {
        QK__REFUSED_STATE, /* it has not ended, or is done */
        QK__REFUSED_PARENT, /* `job` keeps it from starting, since `cause` failed first */
        QK__REFUSED_CONDITION, /* its parents have ended so that it may not start */
        QK__REFUSED_PURGED, /* its parent `job` is gone */
        QK__REFUSED_UNIQUE, /* `job` has its unique key */
    } why;
    qk_id job, cause;
} qk__refusal;
/* The same; `ended` is the job's terminal image when it is not in memory, with its parents. */
qk_status qk__engine_retry(qk__engine *engine, qk__now now, qk_id id, const qk__row *ended,
                           const qk_id *parents, size_t parent_count, const qk__cold_set *cold,
                           qk__refusal *why);
qk_status qk__engine_pause(qk__engine *engine, const char *queue, bool paused);
/* At most `limit` claimed jobs of the queue; 0: no limit. Claims beyond it are left alone. */
qk_status qk__engine_limit(qk__engine *engine, const char *queue, uint32_t limit);

/* Runs. QK_OK, QK_ESTATE, QK_ENOTFOUND (not in memory). */
qk_status qk__engine_cancel_run(qk__engine *engine, qk__now now, qk_id id);
qk_status qk__engine_pause_run(qk__engine *engine, qk__now now, qk_id id, bool paused);
/* The condition of a claimed job is false: it was never started, and is skipped. */
bool qk__engine_untrue(qk__engine *engine, qk__now now, qk_id id, int32_t attempt);

typedef struct qk__run_look {
    qk_id root, parent_job;
    uint8_t status; /* qk_run_status */
    bool ended;
    uint64_t version; /* rises whenever the status of one of its jobs changes; never 0 with jobs */
    int64_t created_us, completed_us;
    uint64_t counts[QK_JOB_STATUS_COUNT];
} qk__run_look;
/* False: it is not in memory. */
bool qk__engine_run_look(const qk__engine *engine, qk_id id, qk__run_look *out);

/* Ids of the parents of a job in memory; malloc'd. */
qk_status qk__engine_parents(const qk__engine *engine, qk_id job, qk_id **out, size_t *count);
/* Nodes for the run of a claimed job. QK_ELEASE, QK_EINVAL (no run), QK_ECONFLICT (a name), and as
 * enqueue. */
qk_status qk__engine_add_nodes(qk__engine *engine, qk__now now, const qk_lease *lease,
                               const qk__new_job *jobs, size_t count, const qk__cold_set *cold,
                               qk_error *err);

typedef struct qk__node_look {
    qk_id id, run, child_run;
    uint8_t status;
    bool waiting;
} qk__node_look;
/* Nodes in memory of every run below a root; malloc'd. */
qk_status qk__engine_tree_nodes(const qk__engine *engine, qk_id root, qk__node_look **out,
                                size_t *count);

/* Ended nodes of runs to be opened again, with all that is to be known of them. */
typedef struct qk__reopen {
    const qk__row *runs; /* ended runs that come back: RUN rows, payload the definition */
    const qk__run_facts *facts; /* of each */
    size_t run_count;
    const qk__row *nodes; /* terminal images, by id */
    const bool *waits; /* a sub-DAG node that goes back to waiting; else to pending */
    size_t node_count;
    const qk__row *edges; /* of those nodes, by child */
    size_t edge_count;
    const struct qk__run_seen {
        qk_id id;
        uint64_t version; /* 0: was not in memory */
    } * seen; /* runs that the plan was made from */
    size_t seen_count;
    const qk__cold_set *cold; /* parents that are neither in memory nor among the nodes */
} qk__reopen;
/* All or none. QK_EMPTY: something has changed since the plan was made, make it anew. QK_ESTATE: the
 * unique key of one is another's now. QK_ENOTFOUND: a parent was purged. QK_ENOMEM. */
qk_status qk__engine_reopen(qk__engine *engine, qk__now now, const qk__reopen *plan);
qk_status qk__engine_worker(qk__engine *engine, qk__now now, const qk__worker_info *worker,
                            bool gone);

/* Moves due delayed jobs to pending and takes back expired leases. */
void qk__engine_tick(qk__engine *engine, qk__now now);
/* Microseconds until the next tick has something to do; INT64_MAX: nothing planned. */
int64_t qk__engine_next_tick(const qk__engine *engine, qk__now now);

/* A batch to be made durable. */
typedef struct qk__cut {
    uint64_t batch;
    qk__row *rows; /* text borrows from the engine until qk__engine_finish */
    size_t count;
    qk_id *reopened; /* ids whose row in the history must go in the same commit */
    size_t reopened_count;
    qk_id *carried_payloads; /* large payloads to copy from the other journal */
    size_t carried_count;
    bool carry_complete; /* with this batch nothing live is left in the other journal */
    struct qk__cut_private *private_data;
} qk__cut;

/* True if a cut would hold rows. */
bool qk__engine_dirty(const qk__engine *engine);
size_t qk__engine_dirty_count(const qk__engine *engine);
/* The number the next cut will get. Rises by one with each cut. */
uint64_t qk__engine_batch(const qk__engine *engine);
/* Takes everything that changed. NULL: out of memory (nothing was taken). At most one cut may be
 * unfinished. */
qk__cut *qk__engine_cut(qk__engine *engine);
/* The cut is durable: frees it, forgets ended jobs, opens the gates of its new jobs. */
void qk__engine_finish(qk__engine *engine, qk__cut *cut);
/* The cut will never be durable and the engine is about to be freed. */
void qk__engine_drop_cut(qk__cut *cut);

/* Starts carrying every live job into the journal that is written now. */
void qk__engine_carry_start(qk__engine *engine);
bool qk__engine_carrying(const qk__engine *engine);

/* Replay: rows in batch order, then qk__engine_recover once. */
qk_status qk__engine_load(qk__engine *engine, const qk__row *row, uint64_t batch);
/* Parents of loaded jobs that are not in memory; malloc'd. */
qk_status qk__engine_loaded_parents(qk__engine *engine, qk_id **out, size_t *count);
/* Runs that live on; recover needs the facts about each. malloc'd. */
qk_status qk__engine_loaded_runs(const qk__engine *engine, qk_id **out, size_t *count);
void qk__engine_run_facts(qk__engine *engine, const qk__run_facts *facts, size_t count);
/* Decides dependencies, takes back the dead owner's claims, restarts those of other processes, fills
 * the lanes. clean: it closed. */
qk_status qk__engine_recover(qk__engine *engine, qk__now now, bool clean, const qk__cold_set *cold);
/* Gives back the claims of a peer (0: the owner's own) without counting a loss. QK_ENOMEM: not all. */
qk_status qk__engine_give_back(qk__engine *engine, qk__now now, uint64_t peer);
/* Before closing: gives back the owner's claims without counting a loss, and adds the CLOSE row. */
void qk__engine_release(qk__engine *engine, qk__now now);

/* Claims held when a commit failed, put back into a fresh engine that was rebuilt from disk. */
typedef struct qk__held_claim {
    qk_id id;
    int32_t attempt, attempts;
    int64_t claimed_us, begun_us, lease_us, deadline_us;
    qk__holder holder;
    char worker[QK_NAME_MAX + 1];
} qk__held_claim;
/* Claims that hold or were reported but are not durable; malloc'd. */
qk_status qk__engine_held(const qk__engine *engine, qk__held_claim **out, size_t *count);
/* Call between load and recover for each. Jobs it names are not taken back by recover. */
void qk__engine_hold(qk__engine *engine, const qk__held_claim *claim);

/* After recover: workers that are dead, by what they told of themselves (JSON: host, pid). The others have
 * a minute from now to be heard of. */
void qk__engine_end_workers(qk__engine *engine, qk__now now,
                            bool (*is_dead)(void *user, const char *told), void *user);

/* Looking, without changing. `row` borrows from the engine until its next call; ext is left out
 * unless `ext` (a buffer that takes its text) is given. */
bool qk__engine_get(const qk__engine *engine, qk_id id, qk__row *row, qk__buffer *ext);
typedef void (*qk__engine_visit_fn)(void *user, const qk__row *row);
/* Every job in memory as it would be journaled, but for those that the disk shows as ended since
 * their reopening is not durable yet; then workers and queues. */
qk_status qk__engine_visit(const qk__engine *engine, qk__engine_visit_fn visit, void *user);

typedef struct qk__engine_queue {
    const char *name;
    bool paused;
    uint64_t counts[QK_JOB_STATUS_COUNT]; /* live ones; terminal ones since the engine was made */
} qk__engine_queue;
size_t qk__engine_queue_count(const qk__engine *engine);
void qk__engine_queue_at(const qk__engine *engine, size_t index, qk__engine_queue *out);
void qk__engine_backlog(const qk__engine *engine, const qk__claim_request *request,
                        qk__backlog *out);
/* Ids of ended jobs that live ones depend on; malloc'd. */
qk_status qk__engine_pinned(const qk__engine *engine, qk_id **out, size_t *count);
/* Roots of the runs in memory, each once; malloc'd. */
qk_status qk__engine_live_roots(const qk__engine *engine, qk_id **out, size_t *count);
size_t qk__engine_live(const qk__engine *engine);
/* About how many rows it takes to carry all that is live. */
size_t qk__engine_weight(const qk__engine *engine);
/* True once after a queue passed the warning mark. */
bool qk__engine_take_warning(qk__engine *engine, const char **queue, uint64_t *waiting);
const qk_counters *qk__engine_counters(const qk__engine *engine);
/* Adds the engine's counters and histograms to *out. */
void qk__engine_metrics(const qk__engine *engine, qk_metrics *out);
/* Before `engine` takes the place of `before`, whose counts go on in it. */
void qk__engine_inherit(qk__engine *engine, const qk__engine *before);
/* A change callers may wait for: rises when a job becomes ready or ends. */
uint64_t qk__engine_changes(const qk__engine *engine);

/* NULL, or which invariant does not hold (static text). For tests. */
const char *qk__engine_check(const qk__engine *engine);

#endif
