/*
 * Worker pools: slots that claim jobs and run their handlers.
 *
 * C handlers run on the slots' threads. The kind "command" is built in: it runs a program without
 * a shell, captures its output and records its exit code. Register handlers before the pool starts.
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

typedef struct qk_worker_options {
    uint32_t version;
    int concurrency; /* slots; 0: number of cores */
    bool drain; /* run ends when nothing it can run is pending, delayed or claimed */
    const char *const *queues; /* in strict order; NULL: the handle's default queue */
    size_t queue_count;
    qk_duration lease; /* 0: 30 s; renewed every third of it */
    bool no_commands; /* do not run the kind "command" */
    bool handle_signals; /* qk_worker_run: the first SIGINT or SIGTERM stops gracefully, the second
                            cancels the running jobs. Restored afterwards */
    qk_finished_fn on_finished; /* NULL: nobody is told */
    void *on_finished_user;
    qk_id run; /* only jobs of this run, at every depth and of any queue; none: any. Such a pool
                  ends when the run has */
} qk_worker_options;

#define QK_WORKER_OPTIONS_INIT                                                                     \
    {                                                                                              \
        1, 0, false, NULL, 0, { 0 }, false, false, NULL, NULL,                                     \
        {                                                                                          \
            {                                                                                      \
                0                                                                                  \
            }                                                                                      \
        }                                                                                          \
    }

/* The queue must outlive the worker. */
QK_API qk_status qk_worker_open(qk_worker **out, qk_queue *queue, const qk_worker_options *options,
                                qk_error *err);

/* QK_ESTATE once started, QK_ECONFLICT for a kind that has one. */
QK_API qk_status qk_worker_handle(qk_worker *worker, const char *kind, qk_handler_fn handler,
                                  void *user, qk_error *err);

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

#ifdef __cplusplus
}
#endif
#endif
