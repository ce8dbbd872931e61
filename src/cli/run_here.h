/*
 * Executing a run in this process, and showing it: a pool whose slots claim only the run's jobs, and
 * a loop that looks at it a few times a second.
 */
#ifndef CLI_RUN_HERE_H
#define CLI_RUN_HERE_H

#include "worker_args.h"

typedef struct run_here_options {
    worker_args args; /* handlers and plugins */
    qk_worker_options pool;
    bool plain; /* lines also on a terminal */
} run_here_options;

/* `dag` is what was submitted as `run`. QK_EJOBFAILED: it did not end well, which has been shown;
 * QK_EINTERRUPTED: by a signal. */
qk_status run_here(cli *cli, qk_dag *dag, qk_id run, run_here_options *options);

#endif
