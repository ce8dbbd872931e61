/*
 * dead list, retry, purge: the same as jobs …, over failed jobs only.
 */
#include "ask.h"
#include "commands.h"
#include "filter.h"
#include "list.h"

static qk_status run_list(cli *cli)
{
    return cli_list_jobs(cli, true);
}

/* A named job that has not failed would be refused by the store with a message that fits. */
static qk_status run_retry(cli *cli)
{
    return cli_change_jobs(cli, CLI_RETRY, 1u << QK_JOB_FAILED);
}

static qk_status run_purge(cli *cli)
{
    return cli_purge_jobs(cli, 1u << QK_JOB_FAILED);
}

static const cli_option list_options[] = {
    CLI_FILTER_OPTIONS,
    CLI_PAGE_OPTIONS,
    { 0 },
};

static const cli_option retry_options[] = {
    CLI_FILTER_OPTIONS,
    { "all", 0, NULL, "All failed jobs", false },
    CLI_SURE_OPTIONS,
    { 0 },
};

static const cli_option purge_options[] = {
    CLI_FILTER_OPTIONS,
    CLI_OLDER_OPTION,
    { "all", 0, NULL, "All failed jobs", false },
    CLI_SURE_OPTIONS,
    { 0 },
};

const cli_command cli_cmd_dead_list = {
    .name = "dead list",
    .synopsis = "[FILTER]…",
    .summary = "List failed jobs, the latest first",
    .options = list_options,
    .run = run_list,
};

const cli_command cli_cmd_dead_retry = {
    .name = "dead retry",
    .synopsis = "JOB… | FILTER… | --all",
    .summary = "Let failed jobs run again",
    .options = retry_options,
    .max_words = -1,
    .run = run_retry,
};

const cli_command cli_cmd_dead_purge = {
    .name = "dead purge",
    .synopsis = "JOB… | FILTER… | --all",
    .summary = "Delete failed jobs",
    .options = purge_options,
    .max_words = -1,
    .run = run_purge,
};
