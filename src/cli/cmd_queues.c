/*
 * queues list, queues pause NAME…, queues resume NAME…, queues set NAME, workers list
 */
#include <limits.h>
#include <string.h>

#include "commands.h"
#include "job_args.h"
#include "rows.h"
#include "text.h"
#include "values.h"

static qk_status list_view(cli *cli, const char *sql, const char *none)
{
    size_t count = 0;
    qk_status rc = cli_open(cli, false);
    if (!rc)
        rc = cli_print_rows(cli, &count, sql, qk_us(0));
    if (!rc && !cli->json && count == 0)
        cli_note(cli, "%s", none);
    return rc;
}

static qk_status run_queues_list(cli *cli)
{
    return list_view(cli,
                     "SELECT name, paused, concurrency, waiting, claimed FROM queues ORDER BY name",
                     "there are no queues yet: queuack enqueue makes one");
}

static qk_status run_workers_list(cli *cli)
{
    return list_view(cli,
                     "SELECT id, host, pid, started_at, heartbeat_at, queues, slots, running "
                     "FROM workers ORDER BY started_at",
                     "there are no workers: queuack worker starts one");
}

static qk_status set_paused(cli *cli, bool paused)
{
    qk_status rc = cli_open(cli, false);
    for (size_t i = 0; i < cli->word_count && !rc; i++)
        rc = paused ? qk_queue_pause(cli->queue, cli->words[i], &cli->err)
                    : qk_queue_resume(cli->queue, cli->words[i], &cli->err);
    if (rc)
        return rc;
    if (cli->json)
        putchar('[');
    for (size_t i = 0; i < cli->word_count; i++) {
        if (cli->json) {
            printf(i ? ",{\"name\":" : "{\"name\":");
            cli_json_text(stdout, cli->words[i]);
            printf(",\"paused\":%s}", paused ? "true" : "false");
        } else if (!cli->quiet) {
            cli_put_line(stdout, cli->words[i]);
            puts(paused ? ": paused" : ": resumed");
        }
    }
    if (cli->json)
        puts("]");
    return QK_OK;
}

static qk_status run_pause(cli *cli)
{
    return set_paused(cli, true);
}

static qk_status run_resume(cli *cli)
{
    return set_paused(cli, false);
}

/* *out 0: no limit. */
static qk_status read_concurrency(cli *cli, int *out)
{
    const char *text = cli_value(cli, "concurrency");
    *out = 0;
    if (!text)
        return cli_error(&cli->err, QK_EINVAL,
                         "nothing to set: give --concurrency N, or --concurrency none");
    if (strcmp(text, "none") == 0)
        return QK_OK;
    return cli_parse_int(out, "--concurrency", text, 1, INT_MAX, &cli->err);
}

static qk_status run_set(cli *cli)
{
    int limit = 0;
    const char *name = cli->words[0];
    qk_status rc = read_concurrency(cli, &limit);
    if (!rc)
        rc = job_check_name("the queue", name, &cli->err);
    if (!rc)
        rc = cli_open(cli, false);
    if (!rc)
        rc = qk_queue_limit(cli->queue, name, (uint32_t)limit, &cli->err);
    if (rc)
        return rc;
    if (cli->json) {
        fputs("{\"name\":", stdout);
        cli_json_text(stdout, name);
        printf(limit ? ",\"concurrency\":%d}\n" : ",\"concurrency\":null}\n", limit);
    } else if (!cli->quiet) {
        cli_put_line(stdout, name);
        if (limit)
            printf(": at most %d job%s at a time\n", limit, limit == 1 ? "" : "s");
        else
            puts(": as many jobs at a time as there are slots");
    }
    return QK_OK;
}

const cli_command cli_cmd_queues_list = {
    .name = "queues list",
    .synopsis = "",
    .summary = "List the queues",
    .run = run_queues_list,
};

const cli_command cli_cmd_queues_pause = {
    .name = "queues pause",
    .synopsis = "QUEUE…",
    .summary = "Hand out no more jobs of a queue",
    .help = "Running jobs go on, new ones can be enqueued. It stays so until it is resumed.",
    .min_words = 1,
    .max_words = -1,
    .run = run_pause,
};

const cli_command cli_cmd_queues_resume = {
    .name = "queues resume",
    .synopsis = "QUEUE…",
    .summary = "Hand out jobs of a queue again",
    .min_words = 1,
    .max_words = -1,
    .run = run_resume,
};

static const cli_option set_options[] = {
    { "concurrency", 0, "N", "At most so many of its jobs at a time, or none: no limit", false },
    { 0 },
};

const cli_command cli_cmd_queues_set = {
    .name = "queues set",
    .synopsis = "QUEUE --concurrency N",
    .summary = "Limit how many jobs of a queue run at a time",
    .help =
        "The limit holds over all workers together. Running jobs go on; a queue without jobs can "
        "be\nset beforehand. It stays until it is changed.",
    .options = set_options,
    .min_words = 1,
    .max_words = 1,
    .run = run_set,
};

const cli_command cli_cmd_workers_list = {
    .name = "workers list",
    .synopsis = "",
    .summary = "List the workers",
    .run = run_workers_list,
};
