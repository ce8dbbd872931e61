/*
 * Runs: executions of a DAG.
 *
 * A run is submitted whole, with its definition, in one commit; it ends when every node is terminal.
 * A sub-DAG node is the parent of a run of its own. All calls take a queue handle, are safe from any
 * thread, and return only when what they report is durable (for a :memory: store: applied), unless
 * they say otherwise. Strings passed in are copied. Every call may fail with QK_ENOTFOUND (no such
 * run), QK_EINVAL (an argument), QK_ENOMEM, and what the store may fail with.
 */
#ifndef QUEUACK_RUN_H
#define QUEUACK_RUN_H

#include <queuack/dag.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum qk_run_status {
    QK_RUN_PENDING = 0, /* no node has started */
    QK_RUN_RUNNING = 1,
    QK_RUN_PAUSED = 2, /* it, or a run around it */
    QK_RUN_DONE = 3,
    QK_RUN_FAILED = 4, /* a node failed or was cancelled, or was skipped for a failure elsewhere */
    QK_RUN_CANCELLED = 6, /* by a person */
} qk_run_status;

/* "pending" …; NULL for an unknown value. Static. */
QK_API const char *qk_run_status_name(qk_run_status status);
QK_API qk_status qk_run_status_parse(qk_run_status *out, const char *name);
QK_API bool qk_run_status_is_terminal(qk_run_status status);

typedef struct qk_submit_options {
    uint32_t version;
    qk_id id; /* none: a new one is made. The same id again is recognised, not doubled */
    const char *trigger; /* what started it ("schedule", say); NULL: none */
    qk_time scheduled_for; /* none: it was not scheduled */
} qk_submit_options;

#define QK_SUBMIT_OPTIONS_INIT                                                                     \
    {                                                                                              \
        1, { { 0 } }, NULL,                                                                        \
        {                                                                                          \
            0                                                                                      \
        }                                                                                          \
    }

/*
 * Submits the DAG as a run: all nodes or none. *out (may be NULL) is the run's id. The DAG can no
 * longer be changed afterwards (QK_ESTATE), but submitted again. Expected: as qk_dag_validate,
 * QK_EBACKPRESSURE, QK_ENOTFOUND (a job outside that a node needs), QK_ETOOLARGE.
 */
QK_API qk_status qk_run_submit(qk_id *out, qk_queue *queue, qk_dag *dag,
                               const qk_submit_options *options, qk_error *err);

/* A run as it stands. One allocation; everything lives until qk_run_free. */
typedef struct qk_run {
    qk_id id;
    qk_id parent_job; /* none: it is no sub-DAG */
    qk_id root_run; /* itself if it is no sub-DAG */
    const char *name;
    const char *description; /* strings: NULL if absent */
    qk_time created_at;
    qk_time completed_at;
    qk_run_status status;
    const char *metadata; /* JSON text */
    const char *params; /* JSON text */
    const char *trigger;
    qk_time scheduled_for;
    const char *definition; /* JSON text; NULL in lists */
    uint64_t counts[QK_JOB_STATUS_COUNT]; /* its jobs, by qk_job_status; zero in lists */
} qk_run;

QK_API qk_status qk_run_get(qk_run **out, qk_queue *queue, qk_id id, qk_error *err);
QK_API void qk_run_free(qk_run *run);

/* Which runs. NULL or zero fields do not filter. */
typedef struct qk_run_filter {
    uint32_t version;
    uint32_t statuses; /* bit set: 1 << QK_RUN_… ; 0: all */
    const char *name;
    qk_id parent_job; /* the run of this sub-DAG node */
    qk_id root_run; /* it, and everything below */
    bool roots_only; /* no sub-DAGs */
    qk_id before; /* only ids below this one: the cursor for the next page */
    const char *id_suffix; /* last hex digits of the id, at least 6 */
    size_t limit; /* 0: 100 */
} qk_run_filter;

#define QK_RUN_FILTER_INIT                                                                         \
    {                                                                                              \
        1, 0, NULL, { { 0 } }, { { 0 } }, false, { { 0 } }, NULL, 0                                \
    }

typedef struct qk_run_list {
    size_t count;
    qk_run *items;
    bool more; /* there is a further page: pass the last id as `before` */
} qk_run_list;

/* Newest id first. The caller frees with qk_run_list_free. */
QK_API qk_status qk_run_list_get(qk_run_list **out, qk_queue *queue, const qk_run_filter *filter,
                                 qk_error *err);
QK_API void qk_run_list_free(qk_run_list *list);

/* The run itself and the runs of its sub-DAG nodes at every depth, each behind the one around it:
 * one query. Item 0 is the run. */
typedef struct qk_run_tree_item {
    qk_id id;
    const char *name;
    qk_run_status status;
    qk_id parent_job;
    size_t parent; /* index of the run around it; item 0: itself */
    int depth; /* of item 0: 0 */
} qk_run_tree_item;

typedef struct qk_run_tree {
    size_t count;
    qk_run_tree_item *items;
} qk_run_tree;

/* One allocation; the caller frees with qk_run_tree_free. */
QK_API qk_status qk_run_hierarchy(qk_run_tree **out, qk_queue *queue, qk_id run, qk_error *err);
QK_API void qk_run_tree_free(qk_run_tree *tree);

/* The runs of the run's own sub-DAG nodes, newest first; free with qk_run_list_free. */
QK_API qk_status qk_run_subdags(qk_run_list **out, qk_queue *queue, qk_id run, qk_error *err);
/* The sub-DAG node that the run belongs to; none if it is no sub-DAG. */
QK_API qk_status qk_run_parent_job(qk_id *out, qk_queue *queue, qk_id run, qk_error *err);

/* Its jobs, newest id first; free with qk_job_list_free. `limit` 0: all, up to a million. */
QK_API qk_status qk_run_jobs(qk_job_list **out, qk_queue *queue, qk_id run, size_t limit,
                             qk_error *err);
/* The job of a node; free with qk_job_free. QK_ENOTFOUND also: no such node. */
QK_API qk_status qk_run_node(qk_job **out, qk_queue *queue, qk_id run, const char *node,
                             qk_error *err);

typedef struct qk_run_progress {
    qk_run_status status;
    uint64_t total;
    uint64_t counts[QK_JOB_STATUS_COUNT];
} qk_run_progress;

/* Cheap while the run is live: does not touch the disk, and may be ahead of it. */
QK_API qk_status qk_run_progress_get(qk_run_progress *out, qk_queue *queue, qk_id run,
                                     qk_error *err);

/* Told of changes on the thread of the wait; false ends the wait with QK_EINTERRUPTED. */
typedef bool (*qk_run_progress_fn)(void *user, const qk_run_progress *progress);

/* Waits until the run has ended; *out may be NULL. `progress` may be NULL. QK_ETIMEDOUT. */
QK_API qk_status qk_run_wait(qk_run_progress *out, qk_queue *queue, qk_id run, qk_duration timeout,
                             qk_run_progress_fn progress, void *user, qk_error *err);

/* Every node that has not ended is cancelled, at every depth. QK_ESTATE when it has ended. */
QK_API qk_status qk_run_cancel(qk_queue *queue, qk_id run, qk_error *err);
/* No further node starts, at every depth; what runs goes on. QK_ESTATE when it has ended or is
 * (not) paused already; a sub-DAG is resumed only where it was paused. */
QK_API qk_status qk_run_pause(qk_queue *queue, qk_id run, qk_error *err);
QK_API qk_status qk_run_resume(qk_queue *queue, qk_id run, qk_error *err);

/*
 * Opens the run again: nodes that failed, were cancelled or skipped for a failure, at every depth
 * below; nodes above that failed because of them wait again, and what was skipped for that is
 * pending. Done nodes and those skipped by a condition stay. QK_ESTATE: there is nothing of that
 * sort, or the sub-DAG node around the run was cancelled, skipped or is done.
 */
QK_API qk_status qk_run_retry(qk_queue *queue, qk_id run, qk_error *err);
/* That node, and everything downstream of it, begins anew, whatever it was. QK_ESTATE: it has not
 * ended, or something downstream is running. */
QK_API qk_status qk_run_retry_from(qk_queue *queue, qk_id run, const char *node, qk_error *err);

#ifdef __cplusplus
}
#endif
#endif
