/*
 * stats [QUEUE]
 */
#include <string.h>

#include "commands.h"
#include "table.h"
#include "text.h"

/* The order in which the statuses are shown; the keys are part of the contract. */
static const qk_job_status shown[] = {
    QK_JOB_PENDING, QK_JOB_CLAIMED, QK_JOB_DONE,      QK_JOB_FAILED,
    QK_JOB_DELAYED, QK_JOB_SKIPPED, QK_JOB_CANCELLED,
};
#define SHOWN (sizeof(shown) / sizeof(shown[0]))

static void print_json(const qk_queue_stats *queues, size_t count)
{
    bool first_queue = true;
    fputs("{\"queues\":{", stdout);
    for (size_t i = 0; i < count; i++) {
        bool first = true;
        cli_json_key(stdout, &first_queue, queues[i].name);
        putchar('{');
        for (size_t s = 0; s < SHOWN; s++) {
            cli_json_key(stdout, &first, qk_job_status_name(shown[s]));
            printf("%llu", (unsigned long long)queues[i].counts[shown[s]]);
        }
        putchar('}');
    }
    puts("}}");
}

static qk_status print_table(cli *cli, const qk_queue_stats *queues, size_t count)
{
    cli_column columns[SHOWN + 1] = { { .head = "queue" } };
    for (size_t s = 0; s < SHOWN; s++)
        columns[s + 1] = (cli_column){ .head = qk_job_status_name(shown[s]), .right = true };
    cli_table *table = cli_table_new(columns, SHOWN + 1);
    for (size_t i = 0; i < count; i++) {
        cli_table_printf(table, CLI_PLAIN, "%s%s", queues[i].name,
                         queues[i].paused ? " (paused)" : "");
        for (size_t s = 0; s < SHOWN; s++) {
            cli_colour colour = queues[i].counts[shown[s]] == 0 ? CLI_DIM
                                : shown[s] == QK_JOB_FAILED     ? CLI_RED
                                                                : CLI_PLAIN;
            cli_table_printf(table, colour, "%llu", (unsigned long long)queues[i].counts[shown[s]]);
        }
    }
    return cli_table_end(table, &cli->err);
}

static qk_status unknown_queue(cli *cli, const qk_stats *stats)
{
    cli_nearest nearest = { cli->words[0], NULL, 0 };
    for (size_t i = 0; i < stats->count; i++)
        cli_nearest_try(&nearest, stats->queues[i].name);
    const char *found = cli_nearest_found(&nearest);
    if (found)
        return cli_error(&cli->err, QK_ENOTFOUND,
                         "there is no queue \"%.200s\": did you mean \"%.200s\"?", cli->words[0],
                         found);
    return cli_error(&cli->err, QK_ENOTFOUND,
                     "there is no queue \"%.255s\": queuack stats lists them", cli->words[0]);
}

static qk_status run_stats(cli *cli)
{
    qk_stats *stats = NULL;
    const qk_queue_stats *queues;
    size_t count;
    qk_status rc = cli_open(cli, false);
    if (!rc)
        rc = qk_stats_get(&stats, cli->queue, &cli->err);
    if (rc)
        goto out;
    queues = stats->queues;
    count = stats->count;
    if (cli->word_count) {
        while (count && strcmp(queues->name, cli->words[0]) != 0) {
            queues++;
            count--;
        }
        if (count == 0) {
            rc = unknown_queue(cli, stats);
            goto out;
        }
        count = 1;
    }
    if (cli->json)
        print_json(queues, count);
    else
        rc = print_table(cli, queues, count);
out:
    qk_stats_free(stats);
    return rc;
}

const cli_command cli_cmd_stats = {
    .name = "stats",
    .synopsis = "[QUEUE]",
    .summary = "Count the jobs of each queue by status",
    .max_words = 1,
    .run = run_stats,
};
