/*
 * In which order a DAG would run: for `dag plan` and `run --dry-run`.
 */
#ifndef CLI_PLAN_H
#define CLI_PLAN_H

#include "cli.h"

/* `params`: JSON text, or NULL. */
qk_status cli_print_plan(cli *cli, qk_dag *dag, const char *params);

#endif
