/*
 * top: queues, workers and running jobs, live on a terminal; once with --once, --json or in a pipe.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "commands.h"
#include "rows.h"
#include "table.h"
#include "text.h"
#include "top.h"
#include "values.h"

static qk_status print_section(const top_section *section, qk_error *err)
{
    cli_column columns[TOP_COLUMNS_MAX];
    for (size_t i = 0; i < section->column_count; i++)
        columns[i] = (cli_column){ section->columns[i].head, section->columns[i].right,
                                   section->columns[i].width == 0 };
    if (section->count == 0) {
        printf("no %s\n", section->title);
        return QK_OK;
    }
    cli_table *table = cli_table_new(columns, section->column_count);
    for (size_t i = 0; i < section->count; i++) {
        for (size_t c = 0; c < section->column_count; c++)
            cli_table_cell(table, section->rows[i].alert ? CLI_RED : CLI_PLAIN,
                           section->rows[i].cell[c]);
    }
    return cli_table_end(table, err);
}

static void print_counts(const qk_stats *stats)
{
    bool first = true;
    putchar('{');
    for (size_t s = 0; s < QK_JOB_STATUS_COUNT; s++) {
        uint64_t count = 0;
        for (size_t i = 0; i < stats->count; i++)
            count += stats->queues[i].counts[s];
        cli_json_key(stdout, &first, qk_job_status_name((qk_job_status)s));
        printf("%llu", (unsigned long long)count);
    }
    putchar('}');
}

/* The columns of the views, as they are. */
static qk_status print_json(cli *cli)
{
    static const struct {
        const char *key, *sql;
    } parts[] = {
        { ",\"queues\":",
          "SELECT name, paused, concurrency, waiting, claimed FROM queues ORDER BY name" },
        { ",\"workers\":",
          "SELECT id, host, pid, started_at, heartbeat_at, queues, slots, running FROM workers "
          "ORDER BY started_at" },
        { ",\"running\":",
          "SELECT id, queue, kind, name, claimed_by, claimed_at, attempts, progress, "
          "progress_message FROM jobs WHERE status = 'claimed' ORDER BY claimed_at" },
    };
    qk_stats *stats = NULL;
    qk_status rc = cli_open(cli, false);
    if (!rc)
        rc = qk_stats_get(&stats, cli->queue, &cli->err);
    if (rc)
        return rc;
    fputs("{\"counts\":", stdout);
    print_counts(stats);
    qk_stats_free(stats);
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]) && !rc; i++) {
        fputs(parts[i].key, stdout);
        rc = cli_print_rows(cli, NULL, parts[i].sql, qk_us(0));
    }
    puts("}");
    return rc;
}

static qk_status print_once(cli *cli, top_data *data)
{
    char totals[256];
    if (cli->json)
        return print_json(cli);
    qk_status rc = top_data_look(cli, data);
    if (!rc && data->busy)
        return QK_EBUSY; /* the message is there already */
    if (!rc) {
        top_data_totals(data, totals, sizeof(totals));
        puts(totals);
        for (size_t i = 0; i < TOP_PARTS && !rc; i++) {
            putchar('\n');
            rc = print_section(&data->section[i], &cli->err);
        }
    }
    return rc;
}

static qk_status run_top(cli *cli)
{
    top_data data;
    qk_duration interval = qk_seconds(2);
    const char *given = cli_value(cli, "interval");
    qk_status rc = given ? cli_parse_limit(&interval, "--interval", given, &cli->err) : QK_OK;
    if (rc)
        return rc;
    if (interval.us < 100000)
        interval.us = 100000;
    if (interval.us > 3600000000LL)
        interval.us = 3600000000LL;
    top_data_init(&data, cli);
    bool live = !cli_has(cli, "once") && !cli->json && cli_is_terminal() && isatty(STDIN_FILENO);
    rc = live ? top_screen_run(cli, &data, interval) : print_once(cli, &data);
    top_data_dispose(&data);
    return rc;
}

static const cli_option options[] = {
    { "interval", 'n', "DURATION", "Look again after this long (default 2s)", false },
    { "once", 0, NULL, "Print the picture once and end", false },
    { 0 },
};

const cli_command cli_cmd_top = {
    .name = "top",
    .synopsis = "[-n DURATION] [--once]",
    .summary = "Watch queues, workers and running jobs",
    .help =
        "q quits, space looks again, up and down scroll the jobs. In a pipe, with --json or --once\n"
        "it prints the picture once.",
    .options = options,
    .run = run_top,
};
