/*
 * What `worker` is told on its command line: queues, slots, handlers, plugins.
 */
#ifndef CLI_WORKER_ARGS_H
#define CLI_WORKER_ARGS_H

#include "cli.h"

typedef struct worker_args {
    const char **queues;
    char **own_queues; /* names that were cut from their weights */
    int *weights; /* NULL: in order */
    size_t queue_count;
    const char **sql_folders;
    qk_sql_options sql;
    const char **kinds; /* that a program or a plugin is to handle, for warnings */
    size_t kind_count;
} worker_args;

/* Fills queues, weights and slots of *options, which then borrow from *args. Dispose in every case. */
qk_status worker_args_read(cli *cli, worker_args *args, qk_worker_options *options);
/* Registers --handler and --plugin. */
qk_status worker_args_handlers(cli *cli, worker_args *args, qk_worker *worker);
void worker_args_dispose(worker_args *args);

#endif
