/*
 * A line, or a record of the log, per finished job on stderr, as a pool reports them.
 *
 * The pool's threads put what ended into a ring and go on; a thread of our own looks up what the
 * job was and prints. When jobs end faster than lines can be printed, some are counted instead.
 */
#ifndef CLI_WORKER_LINES_H
#define CLI_WORKER_LINES_H

#include "cli.h"

typedef struct worker_lines worker_lines;

/* Starts the thread. The store must stay open until worker_lines_close. */
qk_status worker_lines_open(worker_lines **out, const cli *cli, qk_error *err);
/* A qk_finished_fn; `lines` is what was opened. Any thread. */
void worker_lines_add(void *lines, const qk_outcome *outcome, bool final, qk_status status);
/* Prints what is left and frees. NULL-safe. */
void worker_lines_close(worker_lines *lines);

#endif
