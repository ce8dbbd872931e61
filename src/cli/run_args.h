/*
 * RUN as people write it, and runs as they are shown.
 */
#ifndef CLI_RUN_ARGS_H
#define CLI_RUN_ARGS_H

#include "cli.h"
#include "text.h"

/* An id, its last 6 or more hex digits, @1 (the latest), or a name (the latest run of it). */
qk_status cli_resolve_run(cli *cli, qk_id *out, const char *text);

cli_colour cli_run_colour(qk_run_status status);
/* The columns of dag_runs as an object; `counts`: with those of dag_run_stats. */
void cli_run_json(FILE *out, const qk_run *run, bool counts);

#endif
