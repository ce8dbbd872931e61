/*
 * sql QUERY
 */
#include "commands.h"
#include "rows.h"
#include "text.h"
#include "values.h"

static qk_status run_sql(cli *cli)
{
    qk_duration timeout = { 0 };
    size_t count = 0;
    const char *limit = cli_value(cli, "timeout");
    qk_status rc = limit ? cli_parse_limit(&timeout, "--timeout", limit, &cli->err) : QK_OK;
    if (!rc)
        rc = cli_open(cli, false);
    if (!rc)
        rc = cli_print_rows(cli, &count, cli->words[0], timeout);
    if (!rc && !cli->json && cli_is_terminal() && !cli->quiet)
        printf("%s(%zu row%s)%s\n", cli_colour_on(CLI_DIM), count, count == 1 ? "" : "s",
               cli_colour_off());
    return rc;
}

static const cli_option options[] = {
    { "timeout", 0, "DURATION", "Give up after this long (default 30s)", false },
    { 0 },
};

const cli_command cli_cmd_sql = {
    .name = "sql",
    .synopsis = "QUERY",
    .summary = "Ask the store with one SELECT",
    .help = "The query may name these views: jobs, job_dependencies, job_attempts, dag_runs,\n"
            "dag_run_stats, dead_letter_queue, workers, queues. It reads; it changes nothing.\n"
            "--json prints an array of objects with payload, result and tags nested.\n\n"
            "  queuack sql \"SELECT kind, count(*) FROM jobs GROUP BY kind\"",
    .options = options,
    .min_words = 1,
    .max_words = 1,
    .run = run_sql,
};
