/*
 * What is known of a run while it runs here: its tasks, at every depth, and how they stand.
 *
 * Two sources. The pool tells of every attempt (run_feed.h), which costs nothing. The store is asked,
 * one query for the runs and one for their jobs, only when what the pool told does not explain the
 * run: skips, cancellations, ends of sub-DAGs, work done by other processes. How often is bounded by
 * what a look costs, so that watching takes a tenth of the time at most. One thread.
 *
 * Indices of tasks and parts stay what they are; arrays may move when something is added.
 */
#ifndef CLI_RUN_MODEL_H
#define CLI_RUN_MODEL_H

#include "arena.h"
#include "cli.h"
#include "run_feed.h"
#include "run_map.h"

#define RUN_NONE SIZE_MAX

typedef struct run_task {
    qk_id job; /* none: not known yet */
    const char *name;
    size_t part; /* the run it belongs to */
    size_t child; /* the run that is its work; RUN_NONE: none known */
    qk_job_status status;
    bool is_dag; /* its work is another run */
    bool ours; /* its last attempt is, or was, the pool's */
    bool failed_before; /* an attempt failed, another follows */
    int attempt; /* 0: none yet */
    int64_t started_us; /* CLOCK_MONOTONIC, of the present attempt; 0: not known */
    int64_t took_us; /* of the last attempt that ended; negative: not known */
    int64_t ended_us; /* CLOCK_MONOTONIC; 0: it has not, or nobody saw it */
    double progress; /* negative: none */
    bool has_exit_code;
    int exit_code;
    char message[80]; /* of the progress */
    char *error, *tail; /* of the last failure, its last lines; NULL: none */
    char *reason; /* of a skip */
} run_task;

/* A run: the one that was submitted (index 0), or that of a sub-DAG. */
typedef struct run_part {
    qk_id id;
    const char *name;
    bool known; /* its name and its tasks are */
    size_t parent; /* the task whose work it is; RUN_NONE: index 0, or not known yet */
    int depth; /* of index 0: 0 */
    qk_run_status status;
    size_t *tasks; /* in the order of the definition, as far as known */
    size_t count, capacity;
    uint64_t counts[QK_JOB_STATUS_COUNT];
} run_part;

typedef enum run_event {
    RUN_STARTED,
    RUN_ENDED,
    RUN_JOB_CLAIMED,
    RUN_JOB_PROGRESS,
    RUN_JOB_DONE,
    RUN_JOB_FAILED, /* for good */
    RUN_JOB_RETRIED, /* an attempt failed, or was given back: another follows */
    RUN_JOB_SKIPPED,
    RUN_JOB_CANCELLED,
} run_event;

typedef struct run_model run_model;

/* `task` is RUN_NONE for events of a part. */
typedef void (*run_tell_fn)(void *user, const run_model *model, run_event event, size_t part,
                            size_t task, qk_time at);

struct run_model {
    cli *cli;
    run_task *tasks;
    size_t count, capacity;
    run_part *parts;
    size_t part_count, part_capacity;
    run_map by_id, by_name, by_run;
    arena names;
    char worker_id[QK_NAME_MAX + 1];
    qk_run_progress seen; /* of the run, at the last tick */
    int64_t began_us, ended_us; /* CLOCK_MONOTONIC */
    int64_t looked_us, look_cost_us;
    bool look_wanted;
    bool no_memory;
    size_t failed; /* the task that failed for good last; RUN_NONE: none */
    run_tell_fn tell; /* NULL: nobody */
    void *tell_user;
};

int64_t run_now_us(void); /* CLOCK_MONOTONIC */
/* What each slot is at; free() it. NULL, and *count 0, without memory. */
qk_slot_state *run_slots(size_t *count, const qk_worker *worker);

/* For a run of `dag` that was just submitted. QK_ENOMEM. */
qk_status run_model_init(run_model *model, cli *cli, qk_dag *dag, qk_id run);
/* Says that it starts. */
void run_model_begin(run_model *model, const qk_worker *worker);
void run_model_dispose(run_model *model);

/* Takes in what happened since the last call; asks the store if need be. */
qk_status run_model_tick(run_model *model, run_feed *feed, const qk_worker *worker);
/* After the pool has ended: everything as it stands in the store. */
qk_status run_model_end(run_model *model, run_feed *feed);

/* run_look.c: takes over what the store says; with `all` also of jobs that the pool has. */
qk_status run_model_look(run_model *model, bool all);

/* For run_look.c. Each tells about what has changed. RUN_NONE: out of memory. */
size_t run_model_part(run_model *model, qk_id id); /* found, or added */
size_t run_model_task(run_model *model, size_t part, qk_id job, const char *name);
/* Says whose work it is, and what it is called; then its start can be told. */
void run_model_place(run_model *model, size_t part, qk_id parent_job, const char *name, qk_time at);
void run_model_end_part(run_model *model, size_t part, qk_run_status status, qk_time at);
void run_model_set(run_model *model, size_t task, qk_job_status status, qk_time at);

/* "outer/inner" to a stream. */
void run_model_path(FILE *out, const run_model *model, size_t task);
/* The same to standard output, made fit for a terminal. */
void run_model_put_path(const run_model *model, size_t task);
/* Over all parts. */
uint64_t run_model_total(const run_model *model, qk_job_status status);

#endif
