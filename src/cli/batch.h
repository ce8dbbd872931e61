/*
 * enqueue --batch: jobs from lines of JSON.
 */
#ifndef CLI_BATCH_H
#define CLI_BATCH_H

#include "cli.h"

qk_status cli_run_batch(cli *cli);

#endif
