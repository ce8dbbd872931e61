/*
 * enqueue --wait: what is shown of the job when it has ended, and the exit code it leaves.
 */
#ifndef CLI_ENQUEUE_WAIT_H
#define CLI_ENQUEUE_WAIT_H

#include "cli.h"

/* Closes the store and waits. The command's output goes to stdout (with --json the job, with the keys
 * duplicate and log_tail besides), why it failed to stderr; sets cli->exit_code. */
qk_status cli_enqueue_wait(cli *cli, const qk_enqueued *enqueued);

#endif
