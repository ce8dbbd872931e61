/*
 * What jobs and dead share: both list and change jobs, dead only failed ones.
 */
#ifndef CLI_LIST_H
#define CLI_LIST_H

#include "cli.h"

/* Either words or filters were given, not both, not neither. */
qk_status cli_check_selection(cli *cli);

qk_status cli_list_jobs(cli *cli, bool dead);

typedef enum cli_change {
    CLI_RETRY,
    CLI_CANCEL,
} cli_change;

/* Changes the jobs that were named, or those that fit the filters. `statuses`: which ones a filter
 * without --status means. */
qk_status cli_change_jobs(cli *cli, cli_change change, uint32_t statuses);
qk_status cli_purge_jobs(cli *cli, uint32_t statuses);

#endif
