/*
 * How a run ended, for people: counts, durations, the critical path; of a failure its last lines and
 * what to type next.
 */
#ifndef CLI_RUN_REPORT_H
#define CLI_RUN_REPORT_H

#include "run_model.h"

void run_report(const run_model *model, qk_dag *dag);

#endif
