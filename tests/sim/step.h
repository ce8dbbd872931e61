/*
 * What the files with the steps share.
 */
#ifndef QUEUACK_TESTS_SIM_STEP_H
#define QUEUACK_TESTS_SIM_STEP_H

#include "sim.h"

#include <stdio.h>

#define QUEUES 3
#define KINDS 4
#define WORKERS 3
extern const char *const sim_queues[QUEUES], *const sim_kinds[KINDS], *const sim_workers[WORKERS];

/* A random job with that status (-1: any); NULL: none. */
const struct model_job *pick_job(struct world *world, int status);
void tick_model(struct world *world);
size_t claim(struct world *world, const qk__claim_request *request);
void set_paused(struct world *world, const char *queue, bool paused);
void ack_all(struct world *world, const char *worker);

void step_enqueue(struct world *world);
void step_report(struct world *world);
void step_heartbeat(struct world *world);
void step_progress(struct world *world);
void step_cancel(struct world *world);
void step_retry(struct world *world);
void step_pause(struct world *world);
void step_beat(struct world *world);
void step_look(struct world *world);
size_t waiting_in(const struct world *world, const char *queue);
void check_warning(struct world *world, const size_t *before); /* waiting before an enqueue */

#endif
