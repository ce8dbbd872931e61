/*
 * jobs logs -f: output of a job while it runs, also when another process has the store.
 */
#ifndef CLI_LOGS_FOLLOW_H
#define CLI_LOGS_FOLLOW_H

#include "cli.h"

/* Prints what the job writes, as it comes, until it ends; `attempt` 0: the latest. QK_EMPTY: there is
 * nothing to follow, the store is open, and what it keeps of the job can be printed. */
qk_status logs_follow(cli *cli, const char *job, int attempt);
/* Prints what one stream of an attempt (0: the latest) left beside the store. QK_ENOTFOUND: nothing is
 * there. */
qk_status logs_print(cli *cli, qk_id job, int attempt, qk_log_stream stream);

#endif
