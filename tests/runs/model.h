/*
 * A naive model of runs: the tables of the contract, written down without any engine in view.
 *
 * Jobs and runs are small structs in two arrays. Nothing is counted or remembered that can be seen
 * by looking at everything again: after each command every job is judged anew from its parents
 * (model_settle). It knows nothing of disks, queues or priorities: which job is claimed is told to
 * it, and it says whether that was allowed. A clone is a plain copy. One thread.
 *
 * Time is a number that rises with each command; what ends in one command ends at one time.
 * docs/testing.md lists what it takes the specification to mean where that leaves room.
 */
#ifndef QUEUACK_TESTS_RUNS_MODEL_H
#define QUEUACK_TESTS_RUNS_MODEL_H

#include <queuack/job.h>

#define MODEL_JOBS 4096
#define MODEL_RUNS 512
#define MODEL_PARENTS 8
#define MODEL_NONE (-1)

enum model_skip { MODEL_NOT_SKIPPED, MODEL_CONDITION, MODEL_FAILURE };

struct model_job {
    qk_job_status status; /* delayed does not occur */
    bool waiting; /* claimed, without a worker: its child run is under way */
    bool subdag, continues;
    qk_dependency_mode mode;
    int run; /* MODEL_NONE: outside */
    int child; /* run */
    int parents[MODEL_PARENTS], parent_count;
    enum model_skip skip;
    long ended; /* time */
    int cause; /* of a skip for a failure: the job that failed first */
    long cause_ended; /* and when that was */
    int attempts, lost, max_attempts, max_lost; /* of the budget */
    bool judged, marked; /* scratch: of model_settle, of the retries */
};

struct model_run {
    int parent; /* job; MODEL_NONE */
    bool paused, cancelled, started, ended;
};

struct model {
    struct model_job jobs[MODEL_JOBS];
    struct model_run runs[MODEL_RUNS];
    int job_count, run_count;
    long now;
};

enum model_run_status { RUN_PENDING, RUN_RUNNING, RUN_PAUSED, RUN_DONE, RUN_FAILED, RUN_CANCELLED };

/* Each begins a new moment but the two that add, which belong to the submission that follows. */
int model_add_run(struct model *model, int parent_job);
int model_add_job(struct model *model, int run, const struct model_job *job);
void model_settle(struct model *model); /* after adding */

/* False: the tables do not allow it, and nothing changed. */
bool model_may_start(const struct model *model, int job);
bool model_claim(struct model *model, int job);
bool model_give_back(struct model *model, int job); /* a nack, or a job that was not started */
bool model_lose(struct model *model, int job); /* its worker; back, or failed for good */
void model_crash(struct model *model); /* all workers are lost, at one time */
bool model_fail_once(struct model *model, int job); /* likewise, by the attempts left */
bool model_ack(struct model *model, int job);
bool model_fail(struct model *model, int job); /* for good; of a waiting node: its timeout */
bool model_untrue(struct model *model, int job); /* its condition is false */
/* The claimed node becomes the parent of `child`, new and already added, or the one it had. */
bool model_expand(struct model *model, int job, int child);
bool model_cancel(struct model *model, int job);
bool model_cancel_run(struct model *model, int run);
bool model_pause_run(struct model *model, int run, bool paused);
bool model_retry_run(struct model *model, int run);
bool model_retry_from(struct model *model, int job);

/* Of failures at one time any may be the first: true if `cause` is one, and it is taken over. */
bool model_name_cause(struct model *model, int job, int cause);
enum model_run_status model_run_status(const struct model *model, int run);
/* NULL, or what does not hold (static): for every state the model can be in. */
const char *model_check(const struct model *model);

#endif
