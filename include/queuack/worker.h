/*
 * Worker pools: slots that claim jobs and run their handlers.
 *
 * C handlers run on the slots' threads. The kind "command" is built in: it runs a program without
 * a shell, captures its output and records its exit code. So is the kind "sql". A program can be the handler of another
 * kind too, and a plugin can bring handlers in C. Register handlers before the pool starts.
 */
#ifndef QUEUACK_WORKER_H
#define QUEUACK_WORKER_H

#include <queuack/queue.h>
#include <queuack/run.h>
#include <queuack/task.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct qk_worker qk_worker;

/* Told once of each attempt that ended, after the store took it: `status` is QK_OK, or QK_ELEASE when
 * it was refused; `final` when a failure was the last allowed. On a thread of the pool, so it must
 * return soon, and not call the worker. Everything is borrowed for the call. */
typedef void (*qk_finished_fn)(void *user, const qk_outcome *outcome, bool final, qk_status status);

/* Told of each attempt that starts, on its slot's thread, as qk_finished_fn is told of its end: soon
 * back, no calls of the worker, everything borrowed. A sub-DAG node starts each time it is claimed, and
 * no end is told of one that then waits for its run. */
typedef void (*qk_started_fn)(void *user, const qk_claimed *claim);

/* Told when a sub-DAG node has its run, which others may have begun by then. `dag` is its definition;
 * NULL if the run was there before. As qk_started_fn. */
typedef void (*qk_expanded_fn)(void *user, const qk_claimed *claim, qk_id run, const qk_dag *dag);

/* What a pool is about to do, for those who want a say in it. */
typedef struct qk_worker_load {
    size_t wanted; /* how many jobs it would claim now */
    uint64_t waiting; /* pending in its queues; may be a tenth of a second old */
    uint64_t claimed; /* claimed in its queues, by anybody; likewise */
    qk_duration run_time; /* of a job, moving average; 0: not known yet */
    qk_duration claim_time; /* how long the last claim took that found something at once */
    int slots, running;
} qk_worker_load;

/* Adaptive backpressure: asked before each claim, on a slot's thread. Returns how many jobs to take,
 * at most; 0: none now, and it is asked again a tenth of a second later. Must return soon, and not
 * call the worker. */
typedef size_t (*qk_admit_fn)(void *user, const qk_worker_load *load);

/*
 * SQL tasks, jobs of the kind "sql": they run in processes of their own, one per database, which
 * workers start, share between their slots and end. docs/sql-tasks.md says what a payload holds.
 */
typedef struct qk_sql_options {
    uint32_t version;
    /* The folders, with all below them, in which tasks may read and write files; a task whose own
     * folder or database lies elsewhere is refused. NULL: each in its own folder. The queue's own
     * files are out of reach in every case. */
    const char *const *folders;
    size_t folder_count;
    uint64_t
        memory; /* of a database, in bytes; what is more spills to disk. 0: half of the machine's */
    int threads; /* of a database; 0: one per core */
    const char
        *helper; /* the program queuack-sql; NULL: $QUEUACK_SQL, else where it is installed */
} qk_sql_options;

#define QK_SQL_OPTIONS_INIT                                                                        \
    {                                                                                              \
        1, NULL, 0, 0, 0, NULL                                                                     \
    }

typedef struct qk_worker_options {
    uint32_t version;
    int concurrency; /* slots; 0: number of cores */
    bool drain; /* run ends when nothing it can run is pending, delayed or claimed */
    const char *const *queues; /* in strict order; NULL: the handle's default queue */
    size_t queue_count;
    qk_duration lease; /* 0: 30 s; renewed every third of it */
    bool no_commands; /* do not run the kinds "command" and "sql" */
    bool handle_signals; /* qk_worker_run: the first SIGINT or SIGTERM stops gracefully, the second
                            cancels the running jobs, the third kills their processes and exits with
                            130. Restored afterwards */
    qk_finished_fn on_finished; /* NULL: nobody is told */
    void *on_finished_user;
    const int *weights; /* one per queue, from 1: shares instead of strict order; NULL: order */
    int min_concurrency; /* by load: not fewer slots than this; 0: `concurrency` */
    int max_concurrency; /* by load: not more; 0: `concurrency` */
    qk_duration idle; /* by load: a slot this long without work goes; 0: 5 s */
    int prefetch; /* jobs claimed beyond the free slots: 0: what 50 ms of work amount to;
                     negative: none */
    qk_admit_fn admit; /* NULL: nobody is asked */
    void *admit_user;
    bool adopt_orphans; /* this process becomes the parent of what commands leave behind, and reaps
                           it. For programs whose only children are the library's */
    qk_id run; /* only jobs of this run, at every depth and of any queue; none: any. Such a pool
                  ends when the run has */
    const qk_sql_options *sql; /* NULL: the defaults; copied */
    qk_started_fn on_started; /* NULL: nobody is told */
    void *on_started_user;
    qk_expanded_fn on_expanded; /* NULL: nobody is told */
    void *on_expanded_user;
} qk_worker_options;

#define QK_WORKER_OPTIONS_INIT                                                                     \
    {                                                                                              \
        1, 0, false, NULL, 0, { 0 }, false, false, NULL, NULL, NULL, 0, 0, { 0 }, 0, NULL, NULL,   \
            false, { { 0 } }, NULL, NULL, NULL, NULL, NULL                                         \
    }

/* The queue must outlive the worker. */
QK_API qk_status qk_worker_open(qk_worker **out, qk_queue *queue, const qk_worker_options *options,
                                qk_error *err);

/* QK_ESTATE once started, QK_ECONFLICT for a kind that has one. */
QK_API qk_status qk_worker_handle(qk_worker *worker, const char *kind, qk_handler_fn handler,
                                  void *user, qk_error *err);

/* Limits of a process; 0: as the worker's own. */
typedef struct qk_limits {
    uint64_t memory; /* bytes of address space */
    uint64_t cpu_seconds;
    uint64_t open_files;
    uint64_t file_size; /* bytes */
} qk_limits;

/*
 * Jobs of the kind run this program: the payload on its standard input, everything else as for
 * commands. `argv` is NULL-terminated, copied, and no shell sees it. `cwd` and `limits` may be NULL.
 * As qk_worker_handle; also QK_EINVAL for an empty argv.
 */
QK_API qk_status qk_worker_handle_command(qk_worker *worker, const char *kind,
                                          const char *const *argv, const char *cwd,
                                          const qk_limits *limits, qk_error *err);

/*
 * Loads a plugin (queuack/plugin.h), which registers its handlers; it stays until qk_worker_close.
 * It runs inside this process with all its rights. `path`: as for dlopen, but a name without a
 * slash is a file in the present folder. QK_ENOTFOUND, QK_EINVAL (it is no plugin), QK_EVERSION
 * (it was made for another version), QK_ESTATE once started; or what the plugin itself said.
 */
QK_API qk_status qk_worker_plugin(qk_worker *worker, const char *path, qk_error *err);

/*
 * As qk_worker_plugin, but its handlers and factories run in processes of their own, one job at a time
 * in each, which are kept for further jobs. One that crashes or exits costs the attempt it ran, which
 * fails with the signal named; one that does not return within 5 s of its cancellation or timeout is killed.
 * There qk_task_queue is a handle of its own on the same file, and nothing is shared with this process.
 * `host` is a program that calls qk_plugin_host, with its arguments, NULL-terminated and copied;
 * NULL: `queuack __plugin`, looked for in $PATH. Also QK_EUNSUPPORTED for a store in memory.
 */
QK_API qk_status qk_worker_plugin_isolated(qk_worker *worker, const char *path,
                                           const char *const *host, qk_error *err);

/* True if jobs of the kind can run here. */
QK_API bool qk_worker_handles(const qk_worker *worker, const char *kind);

/*
 * Registers a factory of sub-DAGs: its nodes are claimed by workers that have it. It is called on a
 * slot's thread when the node is ready; the DAG it builds becomes the node's run in one commit, and
 * the slot is free. An error fails the attempt; a DAG that is not valid, or nested too deep, fails the
 * node. Definitions in place and those that a task returned need no factory. Errors as
 * qk_worker_handle.
 */
QK_API qk_status qk_worker_factory(qk_worker *worker, const char *name, qk_dag_factory_fn factory,
                                   void *user, qk_error *err);

/* Starts the slots and returns. The pool's threads block signals, and children that handlers make
 * inherit that. QK_EINVAL: there is nothing it could run. QK_ESTATE: it was started before. */
QK_API qk_status qk_worker_start(qk_worker *worker, qk_error *err);

/* Starts the slots if need be and returns when the pool has drained or was stopped; everything it
 * finished is then durable. Once per worker. QK_EINTERRUPTED: a second signal cancelled what ran.
 * QK_EFULL, QK_EIO: some outcomes could not be stored for half a minute; their jobs run again. */
QK_API qk_status qk_worker_run(qk_worker *worker, qk_error *err);

/* Makes it have so many slots, from 1 to 4096. More start at once; fewer: slots end as they come to
 * have nothing to do, running jobs are left alone. A pool that adapts to its load goes on from there.
 * Any thread. QK_ESTATE: it is stopping or has ended. QK_ENOMEM: fewer than asked for could start. */
QK_API qk_status qk_worker_resize(qk_worker *worker, int slots, qk_error *err);

/* Asks it to stop: no new jobs; running ones finish (hard: are cancelled, and those that then fail
 * are handed back without costing an attempt). Any thread, but no signal handler; returns at once. */
QK_API void qk_worker_stop(qk_worker *worker, bool hard);

/* Stops, waits, frees. NULL-safe. A handler that never returns keeps it waiting for ever; a handler
 * must not close its own worker. */
QK_API void qk_worker_close(qk_worker *worker);

typedef struct qk_worker_stats {
    uint64_t done, failed, retried, lost; /* attempts that ended so, in this pool */
    uint32_t slots, running;
    uint32_t overdue; /* handlers that ignore their cancel flag */
} qk_worker_stats;

QK_API void qk_worker_stats_get(qk_worker_stats *out, const qk_worker *worker);

/* Is the pool alive? Ages are on the machine's clock and negative when it never happened. */
typedef struct qk_worker_health {
    bool started, stopping;
    bool healthy; /* started, and its keeper looked within the last lease's third */
    qk_duration since_look; /* the keeper last looked after leases and timeouts */
    qk_duration since_claim; /* a claim last came back with jobs */
    qk_duration since_finish; /* a job last ended in a slot */
    uint32_t slots, running, waiting; /* waiting: slots with nothing to do */
    uint32_t overdue; /* running although cancelled or timed out */
} qk_worker_health;

QK_API void qk_worker_health_get(qk_worker_health *out, const qk_worker *worker);

/* What a slot is at. */
typedef struct qk_slot_state {
    int slot;
    bool live; /* has a thread; the others were ended by shrinking */
    bool running;
    bool overdue; /* its job was cancelled or timed out, and it goes on */
    qk_id job; /* while running */
    int32_t attempt;
    int pid; /* of a command that runs; otherwise 0 */
    qk_duration running_for; /* on the queue's clock */
    double progress; /* as it reported; negative: nothing yet */
    char progress_message[256]; /* empty: none */
} qk_slot_state;

/* Fills at most `max` entries and returns how many slots there are. */
QK_API size_t qk_worker_slots_get(qk_slot_state *out, size_t max, const qk_worker *worker);

/* Called once before the pool of qk_run_execute starts, to register what it needs. */
typedef qk_status (*qk_register_fn)(qk_worker *worker, void *user, qk_error *err);

/* Runs a run here, in a pool of `slots` (0: number of cores) that claims only its jobs, at every
 * depth, and returns when it has ended. `reg` may be NULL. QK_EJOBFAILED: it did not end well. */
QK_API qk_status qk_run_execute(qk_queue *queue, qk_id run, int slots, qk_register_fn reg,
                                void *user, qk_error *err);

/* hostname-pid-xxxxxxxx; borrowed. */
QK_API const char *qk_worker_id(const qk_worker *worker);

/* The handle's own pool, made by qk_queue_options.workers_num; NULL if there is none. Register
 * handlers on it, then qk_worker_start; qk_queue_close closes it. */
QK_API qk_worker *qk_queue_worker(qk_queue *queue);

/*
 * Output of a command while it runs, and afterwards as long as it is kept beside the store (in
 * <store>.logs, at most a week and 256 MiB in all), unless the 64 KiB that stay with the attempt tell
 * the same: that is text on standard output alone, and not longer. Of each stream the first and the
 * last 512 KiB are there. Reading needs no handle
 * and works from any process of the same user. A :memory: store keeps no such files.
 */
typedef struct qk_job_log qk_job_log;

typedef enum qk_log_stream {
    QK_STREAM_OUT = 0,
    QK_STREAM_ERR = 1,
} qk_log_stream;

/* `store`: the path of the store. `attempt` 0: the latest there is. QK_ENOTFOUND: there is none (yet,
 * or any more). */
QK_API qk_status qk_job_log_open(qk_job_log **out, const char *store, qk_id job, int32_t attempt,
                                 qk_error *err);
/* The job whose output changed last among those whose id ends in these hex digits (NULL: all). */
QK_API qk_status qk_job_log_find(qk_id *out, const char *store, const char *id_suffix,
                                 qk_error *err);
/* Reads on from byte *offset of the stream and moves it. What was dropped in the middle is skipped:
 * *skipped (may be NULL) says how many bytes. *length 0: no more at present. */
QK_API qk_status qk_job_log_read(size_t *length, char *buffer, size_t size, uint64_t *offset,
                                 uint64_t *skipped, qk_job_log *log, qk_log_stream stream,
                                 qk_error *err);
QK_API int32_t qk_job_log_attempt(const qk_job_log *log);
/* True once nothing will be added: the attempt has ended, or its worker has died. Read on after. */
QK_API bool qk_job_log_ended(const qk_job_log *log);
/* NULL-safe. */
QK_API void qk_job_log_close(qk_job_log *log);

#ifdef __cplusplus
}
#endif
#endif
