/*
 * queues list, queues pause NAME…, queues resume NAME…, workers list
 */
#include "commands.h"
#include "rows.h"
#include "text.h"

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

const cli_command cli_cmd_workers_list = {
    .name = "workers list",
    .synopsis = "",
    .summary = "List the workers",
    .run = run_workers_list,
};
