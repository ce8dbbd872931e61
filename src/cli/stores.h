/*
 * Other stores that sub-DAGs may run in: --store ALIAS=URL, and $QUEUACK_STORES (the same, with ";"
 * between them). What the option names comes before what the environment does.
 */
#ifndef CLI_STORES_H
#define CLI_STORES_H

#include "cli.h"

typedef struct cli_stores {
    qk_store_alias *items;
    size_t count;
    char *text; /* that the items point into */
} cli_stores;

/* QK_EINVAL, QK_ENOMEM. Dispose in any case. */
qk_status cli_stores_read(cli *cli, cli_stores *out);
void cli_stores_dispose(cli_stores *stores);

#endif
