/* long file: the structures of one whole, which its parts share.
 * The engine's own structures; included by engine*.c only.
 *
 * Jobs live in a slab and are named by their index. A plain waiting job is a 88-byte slab entry and
 * its payload; everything rarer hangs off `extra`. Vectors that hold each job at most once are
 * grown together with the slab, so that pushing to them cannot fail in the middle of a transition.
 */
#ifndef QK_STORE_EMBEDDED_ENGINE_INTERNAL_H
#define QK_STORE_EMBEDDED_ENGINE_INTERNAL_H

#include "queue/rules.h"
#include "store/embedded/engine.h"

#define NIL UINT32_MAX
#ifndef CHUNK_BITS /* the simulation is also built with small ones, so that the slab grows */
#define CHUNK_BITS 12
/* engine_workers.c */
void workers_tick(qk__engine *engine, qk__now now);
void workers_carry(qk__engine *engine); /* into the journal that is written now */

#endif
#define CHUNK_JOBS (1u << CHUNK_BITS)
#define PRIORITIES (QK_PRIORITY_MAX + 1)

enum job_flag {
    JF_DIRTY = 1 << 0, /* in engine.dirty */
    JF_NEW = 1 << 1, /* its enqueue is not durable */
    JF_STRICT = 1 << 2, /* by option */
    JF_RECOVERED = 1 << 3, /* met an unclean stop: strict from then on */
    JF_IN_LANE = 1 << 4,
    JF_IN_HEAP = 1 << 5, /* in its lane's heap of returned jobs, or in the delay heap */
    JF_REOPENED = 1 << 6, /* its next image is a REOPEN */
    JF_UNSETTLED_REOPEN = 1 << 7, /* its end is durable, the REOPEN is not */
    JF_EPOCH = 1 << 8, /* which journal has its last image */
    JF_LARGE = 1 << 9, /* the payload has a PAYLOAD row */
    JF_PAYLOAD_DUE = 1 << 10, /* that row is not written yet */
    JF_EDGES_DUE = 1 << 11,
    JF_HELD = 1 << 12, /* its claim survives qk__engine_recover */
    JF_DOOMED = 1 << 13, /* in engine.doomed */
    JF_WAITING = 1 << 14, /* a sub-DAG node whose child run is under way: claimed without a lease */
    JF_BAD = 1 << 15, /* counts as a failure of its run */
};

struct job {
    qk_id id;
    uint64_t seq;
    int64_t created_us;
    char *payload; /* NULL: not resident */
    struct extra *extra;
    uint32_t payload_length;
    uint32_t prev, next; /* list links; in a heap prev is the position */
    uint32_t policy;
    uint32_t run; /* index into engine.runs; NIL: outside */
    uint32_t born; /* low bits of the batch that makes it durable, while JF_NEW */
    int32_t attempt;
    int32_t attempts;
    uint16_t flags;
    uint8_t status, priority;
    uint16_t lost;
    bool used;
};

/* What a job shares with others like it; interned and counted. */
struct policy {
    uint32_t kind; /* symbol */
    uint32_t route; /* symbol: what claims ask for; kind, or for a factory "dag:" and its name */
    uint32_t queue; /* index into engine.queues */
    int32_t max_attempts, max_lost;
    int64_t timeout_us, backoff_base_us, backoff_cap_us;
    double backoff_factor;
    uint8_t mode;
    bool continue_on_failure;
    uint32_t references, next; /* next: hash chain, or free list */
};

enum link_state { LINK_WAITING, LINK_DONE, LINK_CONDITIONAL, LINK_FAILED };

struct link {
    qk_id parent;
    qk_id cause; /* LINK_FAILED: who failed first */
    int64_t cause_order; /* and when, see fail_order */
    bool outside; /* the cause is not in the child's run */
    uint8_t state;
    uint32_t hearer; /* index into engine.hearers, plus one; 0: not connected */
};

/* A link of a job in memory, in a chain of the table that finds links by their parent. */
struct hearer {
    uint32_t child, slot; /* slot: of the table; free ones: the next free one */
    uint32_t prev, next;
};

struct links {
    struct link *parents; /* sorted by id */
    uint32_t parent_count;
    qk__parents counts;
    qk_id *children;
    uint32_t child_count, child_capacity;
    uint32_t depth; /* above that of every live parent; see engine_order.c */
    uint32_t open; /* while depths are counted */
};

struct extra {
    int64_t execute_after_us, claimed_us, finished_us;
    int64_t lease_us, first_lease_us, deadline_us; /* monotonic */
    int64_t begun_us; /* monotonic: when it was claimed; after a crash by the wall clock */
    uint64_t leased; /* order of the leases, renewals included */
    uint64_t met; /* by which search for a circle; see engine_circle.c */
    int64_t cause_order; /* of a skip: that of its cause; failed, cancelled: its own */
    qk_id cause; /* of a skip; none: a condition */
    qk_id child_run; /* of an expanded sub-DAG node */
    bool cause_outside; /* of its run */
    char *node, *when; /* in a run: its name there, and its condition */
    char *unique_key, *name, *tags, *error, *result, *log_tail, *progress_message;
    struct links *links;
    double progress; /* negative: none */
    uint32_t worker; /* symbol of the claim's worker; NIL */
    uint32_t closed_worker; /* whose report ended attempt closed_attempt; NIL */
    int32_t closed_attempt;
    uint8_t closed_verdict;
    bool has_exit_code;
    qk__holder holder; /* of the claim */
    int32_t exit_code;
    uint32_t unique_next; /* hash chain of unique keys: job index */
    struct extra *free_next;
};

/* A run is in memory while one of its jobs is live, and until its last image is durable. */
struct run {
    qk_id id, parent_job, root;
    char *name, *about; /* about: the constant part of its image's ext */
    char *definition; /* until it is durable */
    size_t definition_length;
    int64_t created_us, completed_us;
    uint32_t *nodes; /* jobs it had, by index; some may be others' by now */
    size_t node_count, node_capacity;
    uint64_t counts[QK_JOB_STATUS_COUNT]; /* of all its jobs, those no longer in memory too */
    uint64_t bad; /* jobs that make it fail */
    uint64_t references; /* its jobs in memory */
    uint64_t version; /* rises with every change of a job's status */
    uint32_t index;
    int depth; /* 1: not a sub-DAG */
    uint8_t status; /* qk_run_status, as last decided */
    bool known; /* its image was loaded */
    bool paused, cancelled; /* by a person */
    bool held; /* its jobs may not start: paused here or above, or the node above does not wait */
    bool shown_paused; /* paused here or above */
    bool started, ended;
    bool dirty, due, epoch, durable_end;
    bool reopened; /* the row of its end must go with its next image */
    bool has_definition, definition_due;
    bool hold_due; /* opened again: what is held below must be decided anew */
};

struct lane {
    uint32_t kind; /* a route */
    uint32_t head[PRIORITIES], tail[PRIORITIES];
    uint64_t bitmap[2]; /* which lists are not empty */
    uint32_t *returned; /* heap: jobs that came back before the tail of their list */
    uint32_t returned_count, returned_capacity;
};

struct queue {
    uint32_t name; /* symbol */
    bool paused, warned, settings_due, settings_epoch;
    uint32_t concurrency; /* claimed jobs at most; 0: no limit */
    char *settings; /* what its rows have as ext; NULL: nothing but defaults */
    uint64_t counts[QK_JOB_STATUS_COUNT];
    uint64_t adding; /* of the enqueue under way */
    struct lane **lanes;
    uint32_t lane_count;
};

struct lease_list {
    int64_t lease_us;
    uint32_t head, tail;
};

struct worker {
    uint32_t id; /* symbol */
    char *ext;
    int64_t started_us, beat_us;
    int64_t heard_us; /* monotonic; when it beat last, or was loaded */
    bool gone, due;
};

/* A row that is not a job's image, with the memory of its text. */
struct loose_row {
    qk__row row;
    void *memory;
};

#define VEC(type)                                                                                  \
    struct {                                                                                       \
        type *items;                                                                               \
        size_t count, capacity;                                                                    \
    }

struct qk__engine {
    qk__engine_config config;
    struct job **chunks;
    uint32_t chunk_count, free_head, used;
    uint32_t *map; /* open addressing: job indexes by id */
    uint32_t map_mask;
    struct {
        char **text;
        uint32_t count, capacity;
        uint32_t *map, map_mask;
    } symbols;
    VEC(struct policy) policies;
    uint32_t policy_free, *policy_map, policy_mask;
    VEC(struct queue *) queues;
    VEC(struct lease_list) leases;
    VEC(struct worker) workers;
    int64_t workers_due_us; /* monotonic; when they are looked at for silence */
    VEC(uint32_t) delayed; /* heap by execute_after */
    VEC(uint32_t) dirty, fresh, ended; /* since the last cut */
    VEC(uint32_t) doomed; /* heap by depth: to be skipped by the event under way */
    VEC(void *) retired;
    VEC(struct loose_row) loose;
    VEC(qk_id) reopened;
    VEC(struct run *) runs; /* NULL: free */
    VEC(uint32_t) run_free, dirty_runs, due_runs;
    uint32_t *run_map, run_mask, run_count;
    size_t edges; /* links of jobs that are not terminal */
    uint32_t *unique_map, unique_mask, unique_count;
    VEC(struct hearer) hearers;
    uint32_t *hearer_map, hearer_mask, hearer_free, hearer_count;
    int64_t failed_last; /* order of the last failure known */
    struct extra *extra_free;
    size_t notified; /* ended jobs whose dependents have been told */
    size_t linked; /* jobs with parents that are not terminal */
    size_t payload_resident; /* bytes of large payloads in memory */
    uint64_t batch, seq, leased, random, changes, searches;
    bool epoch; /* which journal is written now */
    bool carrying, close_due;
    uint32_t carry_cursor, warned_queue;
    qk_counters counters;
    qk_histogram waiting_us, run_us; /* see qk_metrics */
};

/* engine_slab.c */
static inline struct job *job_at(const qk__engine *engine, uint32_t index)
{
    return &engine->chunks[index >> CHUNK_BITS][index & (CHUNK_JOBS - 1)];
}
static inline struct policy *policy_of(const qk__engine *engine, const struct job *job)
{
    return &engine->policies.items[job->policy];
}
static inline struct queue *queue_of(const qk__engine *engine, const struct job *job)
{
    return engine->queues.items[policy_of(engine, job)->queue];
}
bool vec_reserve(void **items, size_t *capacity, size_t needed, size_t item_size);
#define VEC_RESERVE(vec, more)                                                                     \
    vec_reserve((void **)&(vec).items, &(vec).capacity, (vec).count + (more), sizeof *(vec).items)
uint32_t job_new(qk__engine *engine, qk_id id); /* NIL: out of memory. Enters the id map */
void job_release(qk__engine *engine, uint32_t index); /* leaves the id map, frees at once */
uint32_t job_find(const qk__engine *engine, qk_id id); /* NIL: not in memory */
struct extra *job_extra(qk__engine *engine, struct job *job); /* makes it; NULL: out of memory */
void retire(qk__engine *engine, void *text); /* frees after the next cut; room was reserved */
bool retire_reserve(qk__engine *engine, size_t more);

/* engine_names.c */
uint32_t symbol_make(qk__engine *engine, const char *text, size_t length);
uint32_t symbol_find(const qk__engine *engine, const char *text, size_t length);
uint32_t queue_make(qk__engine *engine, const char *name, size_t length);
struct queue *queue_find(const qk__engine *engine, const char *name);
bool queue_limit(struct queue *queue, qk__engine *engine, uint32_t limit); /* false: no memory */
uint32_t policy_make(qk__engine *engine, const struct policy *wanted); /* takes a reference */
void policy_release(qk__engine *engine, uint32_t index);
void names_free(qk__engine *engine);
uint32_t unique_find(const qk__engine *engine, const char *key);
bool unique_insert(qk__engine *engine, uint32_t index);
void unique_remove(qk__engine *engine, uint32_t index);
uint64_t hash_bytes(const void *data, size_t length);

/* engine_ready.c */
bool lane_prepare(qk__engine *engine, const struct job *job); /* before the first lane_push */
void lane_push(qk__engine *engine, uint32_t index);
void lane_remove(qk__engine *engine, uint32_t index);
uint32_t lane_best(const qk__engine *engine, const struct queue *queue, const uint32_t *kinds,
                   size_t kind_count); /* kinds NULL: all */
void delay_push(qk__engine *engine, uint32_t index);
void delay_remove(qk__engine *engine, uint32_t index);
bool lease_reserve(qk__engine *engine);
void lease_push(qk__engine *engine, uint32_t index);
void lease_remove(qk__engine *engine, uint32_t index);
uint32_t lease_first(const qk__engine *engine); /* runs out next, then was taken first; or NIL */

/* engine_moves.c: transitions. None can fail: what they need was reserved. */
void mark_dirty(qk__engine *engine, uint32_t index);
void set_status(qk__engine *engine, uint32_t index, qk_job_status status);
/* Puts a pending or delayed job where it belongs, or dooms it; settle_dependents must follow. */
void place(qk__engine *engine, uint32_t index);
void end_job(qk__engine *engine, uint32_t index, qk_job_status status, qk__now now);
/* Of two failures the one that was first has the lower number. It is the wall clock's time, unless
 * that did not go on since the last failure. */
int64_t fail_order(qk__engine *engine, qk__now now);
void leave_place(qk__engine *engine, uint32_t index); /* lane, heap or lease list */
bool attempt_row(qk__engine *engine, uint32_t index, qk__attempt_outcome outcome, qk__now now,
                 const qk_outcome *report); /* false: out of memory */
/* Tells children of what ended, and skips those that can no longer start. */
void settle_dependents(qk__engine *engine, qk__now now);
/* The row of the attempt that is about to be lost, if the job goes on; false: out of memory. */
bool attempt_due_row(qk__engine *engine, uint32_t index, qk__now now);
void lose_claim(qk__engine *engine, uint32_t index, qk__now now);
char *copy_text(const char *text); /* NULL for NULL, or when out of memory */
uint64_t next_random(qk__engine *engine);

/* engine_admin.c: as if new; its last attempt becomes a row (room was reserved for it). */
void reset_for_retry(qk__engine *engine, uint32_t index, qk__now now);

/* engine_links.c */
struct links *links_make(qk__engine *engine, const qk_id *parents, size_t count);
void links_free(qk__engine *engine, struct links *links);
void links_forget(qk__engine *engine, struct links *links); /* its parents only */
/* QK_EMPTY: a parent is missing from `cold`; QK_ENOTFOUND. */
qk_status links_connect(qk__engine *engine, uint32_t index, const qk__cold_set *cold,
                        qk_id *missing);
bool links_tell(struct links *links, qk_id parent, const struct link *news);
void links_retell(qk__engine *engine, uint32_t index); /* who counted its end waits again */
bool has_parents(const struct job *job);
uint32_t links_depth(const struct job *job);
/* What `child` (NULL: whoever) is told of its parent. */
void link_news(const qk__engine *engine, const struct job *parent, const struct job *child,
               struct link *out);
void links_counted(qk__engine *engine, const struct job *job, int by); /* live ones: 1 or -1 */
qk__readiness links_readiness(const qk__engine *engine, const struct job *job);
const struct link *links_first_failure(const struct links *links);
const qk__cold_job *cold_find(const qk__cold_set *cold, qk_id id);

static inline struct run *run_of(const qk__engine *engine, const struct job *job)
{
    return job->run == NIL ? NULL : engine->runs.items[job->run];
}

/* engine_hear.c: the links of jobs in memory, by their parent, which need not be in memory */
bool hear(qk__engine *engine, struct link *link, uint32_t child); /* false: out of memory */
void unhear(qk__engine *engine, struct link *link);
/* The first, or with `after` the next, whose parent hashes like this one; NIL: no more. */
uint32_t hearer_next(const qk__engine *engine, qk_id parent, uint32_t after);
const char *check_hearers(const qk__engine *engine);

/* engine_runs.c */
struct run *run_find(const qk__engine *engine, qk_id id);
struct run *run_make(qk__engine *engine, qk_id id); /* finds or makes; NULL: out of memory */
void run_free(qk__engine *engine, struct run *run);
/* Makes the job one of the run's. Its status is counted unless the run's counts know it already. */
bool run_attach(qk__engine *engine, struct run *run, uint32_t index, bool count);
void run_detach(qk__engine *engine, struct job *job); /* it leaves the memory; still counted */
/* Around every change of a job's status, cause or policy. */
void run_count(qk__engine *engine, struct job *job, int by);
void run_review(qk__engine *engine, struct run *run, qk__now now); /* after its jobs changed */
void run_mark_dirty(qk__engine *engine, struct run *run);
/* May its jobs start? Set anew for a run and all below, and their jobs placed accordingly. */
void run_hold(qk__engine *engine, struct run *run);
void run_cancel_inside(qk__engine *engine, struct run *run, qk__now now);
void run_release_ended(qk__engine *engine, struct run *run); /* frees it if nothing needs it */
void runs_free(qk__engine *engine);

/* engine_enqueue.c: all or none; `run` (NULL: none) is that of all of them. */
qk_status enqueue_jobs(qk__engine *engine, qk__now now, qk_enqueued *out, const qk__new_job *jobs,
                       size_t count, struct run *run, const qk__cold_set *cold, qk_error *err);

uint32_t route_make(qk__engine *engine, uint32_t kind, const char *factory); /* NIL: no memory */

/* engine_claim.c */
bool holds(const qk__engine *engine, const struct job *job, const qk_lease *lease);

/* engine_check_runs.c */
const char *check_runs(const qk__engine *engine);

/* engine_expand.c */
/* The child run has ended: so does the waiting node. False: it does not wait. */
bool node_finish(qk__engine *engine, const struct run *child, qk__now now);
void node_wait(qk__engine *engine, uint32_t index, qk__now now); /* claimed, leaseless */
void node_timeout(qk__engine *engine, uint32_t index, qk__now now); /* two retires reserved */
void node_leave_wait(qk__engine *engine, uint32_t index);

/* engine_circle.c: may jobs with these needs become part of what the sub-DAG node `around` (NIL: none) waits for? */
qk_status circle_check(qk__engine *engine, uint32_t around, const qk__new_job *jobs, size_t count,
                       qk_error *err);

/* engine_run_image.c */
bool run_row(const struct run *run, qk__row *row, qk__buffer *ext); /* ext as in image_row */
qk_status run_load(qk__engine *engine, const qk__row *row, struct run **out);
char *run_about(const qk__new_run *run, qk_id root);
/* engine_order.c */
void doom(qk__engine *engine, uint32_t index); /* to be skipped by settle_dependents */
uint32_t doom_take(qk__engine *engine); /* parents before children; NIL: none */
void order_all(qk__engine *engine); /* counts all depths anew */
void order_below(qk__engine *engine, uint32_t index); /* this parent may now lie deeper */

/* engine_image.c */
qk_status image_row(const qk__engine *engine, const struct job *job, qk__row *row,
                    qk__buffer *ext); /* row->ext.data is an offset into ext, plus one */

/* engine_load.c */
qk_status load_job(qk__engine *engine, const qk__row *row, uint32_t *out);

/* engine.c */
void queue_row(const qk__engine *engine, const struct queue *queue, qk__row *row);
void worker_row(const qk__engine *engine, const struct worker *worker, qk__row *row);

#endif
