/*
 * What the parts of the model share: looking, never changing, but for model_end_job. See model.h.
 */
#ifndef QUEUACK_TESTS_RUNS_MODEL_RULES_H
#define QUEUACK_TESTS_RUNS_MODEL_RULES_H

#include "model.h"

bool model_terminal(const struct model_job *job);
/* How a parent counts for its dependents: done (a forgiven failure too), or failed. */
bool model_counts_done(const struct model_job *parent);
bool model_counts_failed(const struct model_job *parent);
bool model_met(const struct model *model, const struct model_job *job);
bool model_never(const struct model *model, const struct model_job *job);
/* The run around the one that `run` is part of; MODEL_NONE: it is no sub-DAG. */
int model_run_around(const struct model *model, int run);
/* Ends it now, and cancels what is under way below. */
void model_end_job(struct model *model, int job, qk_job_status status);
void model_cancel_nodes(struct model *model, int run, bool by_person);

#endif
