/*
 * Waiting until jobs have ended, from a process that is not the one that runs them.
 *
 * While another process has the file, this one follows it and is told at once. When none has, no job
 * can end: the store is opened for a look now and then, and closed, so that a worker that comes has
 * the file for itself.
 */
#ifndef CLI_WAIT_H
#define CLI_WAIT_H

#include "cli.h"

/* Called once, with the store open, when all have ended; `jobs` are in the order that was asked for
 * and borrowed. What it returns the wait returns. */
typedef qk_status (*cli_ended_fn)(cli *cli, qk_job *const *jobs, size_t count, void *user);

/* Waits for `ids`, or with NULL for the jobs named by the words of the command line. The store is
 * closed before and after. QK_ETIMEDOUT, and what looking may give. */
qk_status cli_wait_ended(cli *cli, const qk_id *ids, size_t count, qk_duration limit,
                         cli_ended_fn ended, void *user);

#endif
