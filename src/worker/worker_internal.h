/*
 * The worker pool from inside: its parts, who touches them, and the locks.
 *
 * Threads of a pool: `concurrency` slots (run handlers), one keeper (leases, timeouts, cancels,
 * heartbeats), one reporter (makes reported outcomes durable; see outbox.c). The keeper must never
 * wait for the disk, hence the reporter.
 *
 * Locks, none of which is ever held together with another or across a call of the store:
 *   pool->lock    state, who is claiming, the batch being handed around, waiting slots, how many
 *                 slots there should be, jobs that need several
 *   slot->lock    the running job of a slot and the outcomes it gathers
 *   outbox->lock  outcomes on their way to being durable
 *   keeper_lock   the keeper's sleep
 */
#ifndef QK_WORKER_WORKER_INTERNAL_H
#define QK_WORKER_WORKER_INTERNAL_H

#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <time.h>

#include <queuack/worker.h>

#include "store/store.h"

#include "queue/queue_internal.h"
#include "worker/ferry.h"
#include "worker/outbox.h"
#include "worker/procs.h"

#define QK__SLOTS_MAX 4096
#define QK__SWEEP_EVERY ((uint64_t)16 << 20) /* bytes of output between looks at how much is kept */
#define QK__CLAIM_MAX 512 /* jobs taken from the store at once */
#define QK__CLAIM_WORK_US 50000 /* … and the work they should at most amount to */
#define QK__CLAIM_BYTES ((size_t)16 << 20) /* … and about how much payload */
#define QK__FAST_US 50 /* below: not worth another thread, outcomes may gather */
#define QK__TICK_US 100000 /* how often the keeper looks while something runs */
#define QK__BEAT_US 10000000 /* an idle keeper looks, and tells the store it lives, so often */
#define QK__EWMA_UNKNOWN UINT_MAX
#define QK__NEVER INT64_MAX
#define QK__RUNS_MAX 16 /* runs whose params are kept for further tasks */
#define QK__SHARED_MAX 16 /* large results kept for further readers */

/* A program that handles a kind. */
typedef struct qk__program {
    char **argv; /* NULL-terminated */
    char *cwd; /* NULL: the worker's */
    qk_limits limits;
} qk__program;

/* A kind and what runs it. Constant once the pool has started, but for the average. */
typedef struct qk__hosted qk__hosted;
typedef struct qk__handler {
    char kind[QK_NAME_MAX + 1];
    qk_handler_fn fn; /* NULL: the command executor, with `sql` that of SQL, or `hosted` */
    bool sql;
    qk__program *program; /* for it; NULL: the payload says what to run */
    qk__hosted *hosted; /* it runs in a process of this plugin's; then there is no fn. NULL: here */
    void *user;
    atomic_uint average_us; /* of its run time, moving; QK__EWMA_UNKNOWN at first */
} qk__handler;

/* Jobs of one claim. Slots take items by counting `next` up; whoever got an index owns the item.
 * Freed with the last reference: the pool's (while current), each slot's that is at it, the
 * keeper's while it looks. */
typedef struct qk__batch {
    atomic_size_t next; /* may run past count */
    atomic_uint references;
    qk_claims *claims;
    /* The keeper's: when it last saw `next` move (machine's clock), and renewed the leases. */
    size_t seen_next;
    int64_t seen_us, renewed_us;
    atomic_bool lost[]; /* per item: its lease went before it started */
} qk__batch;

/* Why a running job's cancel flag is set. */
typedef enum qk__cut_reason {
    QK__CUT_NONE = 0,
    QK__CUT_LOST = 1, /* lease lost or job cancelled: its outcome no longer counts */
    QK__CUT_TIMEOUT = 2,
    QK__CUT_STOP = 3, /* the pool stops hard */
} qk__cut_reason;

/* A large result, shared by all tasks that read it. */
typedef struct qk__shared {
    atomic_uint references;
    qk_id job;
    int32_t attempt;
    char *text;
} qk__shared;

/* A factory of sub-DAGs. Constant once the pool has started. */
typedef struct qk__factory {
    char route[QK_NAME_MAX + 5]; /* "dag:" and the name: what is claimed */
    qk_dag_factory_fn fn;
    void *user;
} qk__factory;

typedef struct qk__run_info qk__run_info;
typedef struct qk__slot qk__slot;
typedef struct qk__keeper qk__keeper;
typedef struct qk__plugin qk__plugin;
typedef struct qk__share qk__share;
typedef struct qk__sql_children qk__sql_children;

/* Of a slot's thread; guarded by the pool's lock. */
typedef enum qk__thread_state {
    QK__THREAD_NONE = 0,
    QK__THREAD_LIVE = 1,
    QK__THREAD_ENDED = 2, /* to be joined */
} qk__thread_state;

/* The public handle of a running job: one per slot, reused. Everything but `cancelled` is guarded
 * by the slot's lock; claim is constant during a run. */
struct qk_task {
    qk__slot *slot;
    const qk_claimed *claim;
    atomic_bool cancelled;
    bool permanent;
    char *result;
    bool progress_dirty; /* newer than what was sent */
    double progress;
    int64_t progress_sent_us;
    char progress_message[256]; /* empty: none */
    qk__upstream *upstream; /* read on first use; the slot's thread and the handler's */
    qk__shared **borrowed; /* large results that the handler has */
    size_t borrowed_count;
    char *all; /* the last map of results */
    bool expanded; /* it is a sub-DAG node now, and waits without us */
    bool later; /* its other store cannot be reached: it failed through no fault of its own */
};

struct qk__slot {
    qk_worker *pool;
    int index;
    pthread_t thread;
    qk__thread_state thread_state;
    int wake_fd; /* eventfd: made readable when the cancel flag of a command is set */
    atomic_bool active; /* may run jobs now; see wide.c */
    atomic_int pid; /* of the command that runs; 0: none */

    pthread_mutex_t lock;
    bool running;
    bool reported; /* the keeper reported the outcome; what the handler returns is ignored */
    qk__cut_reason reason;
    const qk__handler *running_handler;
    int64_t started_us, deadline_us; /* the queue's monotonic clock */
    uint64_t run_number; /* which run this is, over the slot's life */
    qk_task task;
    qk__report *report; /* outcomes gathered, not yet reported */
    qk_claimed valued; /* the running job, if its payload had values put in: with that payload */
    char *valued_payload;

    /* The slot's thread only. */
    qk__report *spare;
    qk__batch *batch;
    qk__handler *handler; /* of the last job */
    int64_t measured_ns; /* machine's clock when the last job ended */
    int extra; /* slots that its job holds beside its own */
    bool logged; /* its job left an output file that goes once the outcome is stored */
};

typedef enum qk__pool_state {
    QK__POOL_OPEN = 0,
    QK__POOL_STARTED = 1,
    QK__POOL_JOINED = 2,
} qk__pool_state;

struct qk_worker {
    qk_queue *queue;
    qk_store *store;
    qk_clock clock;
    const qk__log *log;
    uint64_t fork_generation;
    char id[QK_NAME_MAX + 1];
    char host[65];
    bool drain, no_commands, handle_signals;
    qk_finished_fn on_finished; /* NULL: nobody is told */
    void *on_finished_user;
    qk_started_fn on_started; /* NULL: nobody is told */
    void *on_started_user;
    qk_expanded_fn on_expanded; /* NULL: nobody is told */
    void *on_expanded_user;
    char **queues; /* copies */
    size_t queue_count;
    qk__share *shares; /* per queue; NULL: strict order */
    int prefetch;
    qk_admit_fn admit; /* NULL: nobody is asked */
    void *admit_user;
    qk__plugin *plugins; /* a list, the last loaded first */
    qk__hosted *hosted; /* likewise, plugins in processes of their own */
    char *queues_json;
    const char **kinds; /* into handlers; made at start */
    qk__handler *handlers; /* sorted by kind from start on */
    size_t handler_count, handler_capacity;
    qk__factory *factories;
    size_t factory_count;
    size_t kind_count; /* of kinds: handlers' and factories' */
    qk_id run; /* only its jobs; none: any */
    int64_t lease_us;
    size_t max_payload;
    char **environment; /* for commands: the process's at start, NULL-terminated */
    char *command_dir; /* private folder for commands' files; made at start */
    char *upstream_path;
    bool adopt_orphans;
    int logs_dir; /* <store>.logs; -1: none */
    atomic_ullong logs_kept; /* bytes on disk, about */
    qk__procs *procs; /* NULL: none */
    qk__sql_children *sql; /* NULL: no SQL tasks are run */

    qk__slot **slots; /* room for QK__SLOTS_MAX; one that was made stays until the pool is freed */
    atomic_int slot_count; /* made so far */
    int ended_fd; /* eventfd: readable once every slot has ended */

    pthread_mutex_t lock;
    pthread_cond_t wake; /* slots that wait: work, the claimer's place, or the end */
    pthread_cond_t idle; /* close: nobody is inside qk_worker_run any more */
    qk__pool_state state;
    bool claiming; /* one slot is inside store->claim */
    unsigned waiting; /* slots inside `wake` */
    unsigned alive; /* slots whose thread has not ended */
    bool full_claim; /* the last claim brought as many as were asked for */
    bool gathering; /* a job waits for its further slots */
    pthread_cond_t wide; /* who waits for slots, or to be let on */
    unsigned runs; /* callers inside qk_worker_run */
    size_t claim_max; /* the last claim's limit */
    size_t payload_average; /* bytes of a payload in the last claims */
    qk__batch *current; /* the only batch that can have items nobody took */

    atomic_bool stopping, hard;
    atomic_int target; /* how many slots there should be */
    atomic_bool surplus; /* there are more: slots look for it between two jobs */
    atomic_int held; /* slots that jobs hold beside their own */
    int min_slots, max_slots; /* by load */
    int64_t idle_us, idle_since_us; /* since when there are slots to spare; 0: there are none */
    atomic_llong claimed_at, looked_at, finished_at; /* machine's clock in us; 0: never */
    atomic_llong claim_time_us;
    atomic_ullong seen_waiting, seen_claimed; /* by the keeper, for `admit` */
    atomic_uint average_us; /* of every job's run time, moving */
    atomic_ullong done, failed, retried, lost;

    pthread_mutex_t keeper_lock;
    pthread_cond_t keeper_wake;
    bool keeper_kicked, keeper_finish;
    atomic_llong keeper_at; /* by when (queue's clock) the keeper looks again by itself */
    pthread_t keeper_thread;
    qk__keeper *keeper;
    qk__outbox outbox;
    qk__ferry *ferry; /* made when the first node waits for another store; NULL: none does */
    pthread_mutex_t shared_lock; /* the results below; nothing else is locked meanwhile */
    qk__shared *shared[QK__SHARED_MAX]; /* NULL: free */
    size_t shared_next;
    qk__run_info *run_infos[QK__RUNS_MAX]; /* likewise */
    size_t run_infos_next;
};

static inline int64_t qk__pool_now(const qk_worker *pool)
{
    return pool->clock.monotonic_us(pool->clock.user);
}

static inline int64_t qk__machine_us(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

/* pool.c */
void qk__pool_stop(qk_worker *pool, bool hard);
/* What the store is asked for; borrows from the pool. */
void qk__pool_request(const qk_worker *pool, qk__claim_request *request);

/* handlers.c */
qk__handler *qk__pool_handler(const qk_worker *pool, const char *kind);
/* The kinds to claim, in the order that lookups need. Caller holds the lock. */
qk_status qk__handlers_add_hosted(qk_worker *pool, const char *kind, qk__hosted *hosted,
                                  qk_error *err);
qk_status qk__handlers_seal(qk_worker *pool, qk_error *err);
void qk__handlers_free(qk_worker *pool);
bool qk__pool_runs_commands(const qk_worker *pool); /* of any kind */

/* plugin.c */
void qk__plugins_close(qk_worker *pool);

/* claim.c: one claim by the claimer; QK_EMPTY when there was nothing. With `wait` false it returns at
 * once. */
qk_status qk__claim(qk_claims **out, qk_worker *pool, size_t max, bool wait, qk_error *err);
qk_status qk__shares_init(qk_worker *pool, const int *weights); /* QK_ENOMEM */
/* How many of `wanted` jobs may be taken now. */
size_t qk__claim_admitted(qk_worker *pool, size_t wanted);
/* Notes what `admit` will be told of the queues. The keeper. */
void qk__claim_look(qk_worker *pool);

/* scale.c. Both with the pool's lock held: makes the threads the target asks for; and whether the
 * caller's slot is one too many, which it then must take for its end. */
qk_status qk__scale_up(qk_worker *pool, qk_error *err);
bool qk__scale_retire(qk__slot *slot);
/* Adapts the target to the load. The keeper. */
void qk__scale_look(qk_worker *pool, int64_t machine_us, int running);

/* wide.c: jobs that need several slots. */
/* Before a slot takes jobs, and between two; may wait. False: the pool stops. */
bool qk__slot_enter(qk__slot *slot);
void qk__slot_leave(qk__slot *slot);
/* Waits until the running job of the slot has `slots` (at most all of the pool's); its time starts
 * then. False: it was cut short or the pool stops. */
bool qk__slots_gather(qk__slot *slot, int slots);
void qk__slots_release(qk__slot *slot);

/* batch.c */
qk__batch *qk__batch_new(qk_claims *claims); /* takes the claims; NULL: out of memory */
void qk__batch_release(qk__batch *batch); /* NULL-safe */
/* The next item, which is then the caller's; false: none left. */
bool qk__batch_take(qk__batch *batch, size_t *index);
bool qk__batch_exhausted(const qk__batch *batch);
/* The pool's current batch with a reference, NULL if nothing in it is left. Caller holds the lock. */
qk__batch *qk__batch_current(const qk_worker *pool);
/* True if something in it is left. Caller holds the lock. */
bool qk__batch_waits(const qk_worker *pool);
/* Gives what nobody took back to the store. wait: all of it, however long that takes; otherwise
 * what can be taken in without waiting, and `report` may keep some. */
void qk__batch_hand_back(qk_worker *pool, qk__batch *batch, qk__report *report, bool wait);

/* slot.c */
qk_status qk__slot_new(qk__slot **out, qk_worker *pool, int index); /* QK_ENOMEM, QK_EIO */
void qk__slot_free(qk__slot *slot);
void *qk__slot_main(void *slot);

/* run.c */
void qk__slot_run(qk__slot *slot, const qk_claimed *claim);
/* Calls the slot's handler, a C function, for its task; fills verdict and error. */
void qk__handler_call(qk__slot *slot, qk_outcome *outcome);
qk__cut_reason qk__slot_cut_reason(qk__slot *slot);
/* Hands the gathered outcomes to the store. The slot's thread. */
void qk__slot_report(qk__slot *slot);

/* upstream.c */
void qk__task_forget(qk_task *task); /* what it borrowed from upstream */
/* How a parent stands. QK_ENOTFOUND: it is none. */
qk_status qk__task_status(qk_job_status *out, qk_task *task, const char *name, qk_error *err);
void qk__shared_drop(qk__shared *shared); /* NULL-safe */

/* subdag.c: the handler of the kind "dag"; user is the pool. */
qk_status qk__subdag_run(qk_task *task, void *user, qk_error *err);

/* keeper.c */
qk__keeper *qk__keeper_new(qk_worker *pool); /* NULL: out of memory */
void qk__keeper_free(qk__keeper *keeper);
/* Before its thread starts, so that no claim of the pool is durable before the pool is known; or when
 * the thread could not be started. */
void qk__keeper_announce(qk_worker *pool, bool gone);
void *qk__keeper_main(void *keeper);
/* Makes it look now. Any thread. */
void qk__keeper_kick(qk_worker *pool);

/* payload_values.c: puts values into the payload of a workflow's job, which says so by how it begins;
 * task->claim is then another. Before the handler is called. */
qk_status qk__slot_put_values(qk__slot *slot, qk_error *err);

/* command.c: runs the claimed command, fills everything of *outcome but the lease. */
void qk__command_run(qk__slot *slot, qk_outcome *outcome);

/* sql.c: runs the claimed SQL task; likewise. */
void qk__sql_run(qk__slot *slot, qk_outcome *outcome);

/* command_env.c. Setup, before the slots start: copies the environment, makes the folder. */
qk_status qk__command_setup(qk_worker *pool, qk_error *err);
void qk__command_teardown(qk_worker *pool);

/* signals.c: SIGINT and SIGTERM while qk_worker_run runs. */
typedef struct qk__signals {
    int fds[2];
    struct sigaction before_int, before_term;
} qk__signals;
/* From here on they wait to be served. QK_ESTATE: another pool of the process has them. */
qk_status qk__signals_open(qk__signals *signals, qk_error *err);
/* Acts on them until the slots have ended. True if more than one came; does not return after the
 * third. */
bool qk__signals_serve(const qk__signals *signals, qk_worker *pool);
void qk__signals_close(qk__signals *signals);
/* Blocks in this thread what asynchronous signals there are, so that threads made next run none of
 * the application's signal handlers. */
void qk__signals_block(sigset_t *before);

#endif
