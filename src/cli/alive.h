/*
 * Which workers of the view are really there: one that was killed has left its row behind.
 */
#ifndef CLI_ALIVE_H
#define CLI_ALIVE_H

#include "cli.h"

/* By its last sign of life and, on this machine, by its process. Texts as in the view; NULL: no. */
bool cli_worker_alive(const char *host, const char *pid, const char *heartbeat_at);

typedef struct cli_workers {
    int64_t alive; /* workers */
    int64_t free_slots; /* of them together */
} cli_workers;

/* Those that take from `queue`; NULL: from any. */
qk_status cli_workers_count(cli *cli, cli_workers *out, const char *queue);

#endif
