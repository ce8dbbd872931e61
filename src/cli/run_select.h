/*
 * Part of a workflow: the tasks that --only and --from ask for. What they need from others is what
 * those left in an earlier run of the same name.
 */
#ifndef CLI_RUN_SELECT_H
#define CLI_RUN_SELECT_H

#include "cli.h"

/* True if the command line asks for a part. */
bool run_select_wanted(const cli *cli);
/* *out: a DAG of its own, which the caller frees. With the store open. QK_ENOTFOUND: there is no such
 * task, or nothing that was left by one that is needed. */
qk_status run_select(qk_dag **out, cli *cli, qk_dag *dag);

#endif
