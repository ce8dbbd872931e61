/*
 * When a run will be over, judged by how long its tasks took in earlier runs of the same name, and
 * where they are new, by what the tasks of this one took.
 */
#ifndef CLI_RUN_ETA_H
#define CLI_RUN_ETA_H

#include "run_model.h"

typedef struct run_eta {
    qk_dag *dag; /* borrowed */
    int64_t *usual_us; /* by node of the DAG; negative: not known */
    size_t count;
    int64_t left_us; /* the last answer; negative: not known */
    int64_t asked_us; /* CLOCK_MONOTONIC, of the last answer */
} run_eta;

/* Asks the store once. What it cannot say is not known, which is no error. */
void run_eta_init(run_eta *eta, const run_model *model, qk_dag *dag);
/* Reckoned anew once a second: the longest chain that is left, or all that is left shared by the
 * slots, whichever is more. Negative: not known. */
int64_t run_eta_left(run_eta *eta, const run_model *model, int slots);
void run_eta_dispose(run_eta *eta);

#endif
