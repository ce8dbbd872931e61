/*
 * jobs retry, cancel: commands that change jobs. Named jobs are all resolved before the first is
 * touched. With filters the ids are gathered first, then changed, many in a commit; a job that has
 * moved on in between is left alone.
 */
#include <stdlib.h>

#include "ask.h"
#include "commands.h"
#include "filter.h"
#include "id_list.h"
#include "list.h"
#include "progress.h"
#include "text.h"

#define AT_ONCE ((size_t)10000)

static void print_changed(const cli *cli, const id_list *list, cli_change change)
{
    char id[QK_ID_TEXT_SIZE];
    const char *done = change == CLI_RETRY ? "will run again" : "cancelled";
    if (cli->json) {
        putchar('[');
        for (size_t i = 0; i < list->count; i++)
            printf("%s{\"id\":\"%s\",\"status\":\"%s\"}", i ? "," : "",
                   qk_id_format(id, list->ids[i]), change == CLI_RETRY ? "pending" : "cancelled");
        puts("]");
    } else if (!cli->quiet) {
        if (list->count == 1)
            printf("%s %s\n", qk_id_format(id, list->ids[0]), done);
        else
            printf("%zu jobs %s\n", list->count, done);
    }
}

static qk_status change_some(cli *cli, qk_status *statuses, const qk_id *ids, size_t count,
                             cli_change change)
{
    return change == CLI_RETRY ? qk_retry_batch(cli->queue, statuses, ids, count, &cli->err)
                               : qk_cancel_batch(cli->queue, statuses, ids, count, &cli->err);
}

/* What came of it so far. */
typedef struct tally {
    bool skip_moved_on;
    size_t kept;
    qk_id left; /* the first that was refused, and why */
    qk_error why;
} tally;

static qk_status name_failure(cli *cli, const tally *tally, size_t count)
{
    char text[QK_ID_TEXT_SIZE];
    if (count == 1) {
        cli->err = tally->why;
        return tally->why.code;
    }
    return cli_error(&cli->err, tally->why.code,
                     "%s (the first of those left; %zu of %zu done): %.380s",
                     qk_id_format(text, tally->left), tally->kept, count, tally->why.message);
}

/* Those that were changed move to the front of the list. */
static void sort_out(const cli *cli, tally *tally, id_list *list, size_t at,
                     const qk_status *statuses, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        qk_id id = list->ids[at + i];
        bool moved_on = statuses[i] == QK_ESTATE || statuses[i] == QK_ENOTFOUND;
        if (!statuses[i]) {
            list->ids[tally->kept++] = id;
        } else if (!tally->why.code && !(tally->skip_moved_on && moved_on)) {
            tally->left = id;
            tally->why.code = statuses[i];
            cli_error(&tally->why, statuses[i], "%s",
                      cli->err.code == statuses[i] ? cli->err.message
                                                   : qk_status_text(statuses[i]));
        }
    }
}

/* Changes each; `list` then holds those that were. */
static qk_status apply(cli *cli, id_list *list, cli_change change, bool skip_moved_on)
{
    tally tally = { .skip_moved_on = skip_moved_on };
    size_t count = list->count;
    qk_status *statuses = malloc(AT_ONCE * sizeof(*statuses));
    qk_status rc = statuses ? QK_OK : cli_error(&cli->err, QK_ENOMEM, "out of memory");
    cli_progress *progress =
        cli_progress_start(cli, change == CLI_RETRY ? "retrying" : "cancelling", count ? count : 1);
    for (size_t at = 0, some; at < count && !rc; at += some) {
        some = count - at < AT_ONCE ? count - at : AT_ONCE;
        cli_progress_at(progress, at, count, NULL);
        rc = change_some(cli, statuses, list->ids + at, some, change);
        if (!rc)
            sort_out(cli, &tally, list, at, statuses, some);
    }
    cli_progress_end(progress);
    free(statuses);
    if (!rc && tally.why.code)
        rc = name_failure(cli, &tally, count);
    if (!rc)
        list->count = tally.kept;
    return rc;
}

/* Either words or filters: neither would mean everything, which must be said. */
qk_status cli_check_selection(cli *cli)
{
    bool filtered = cli_filter_given(cli) || cli_has(cli, "all");
    if (cli->word_count && filtered)
        return cli_error(&cli->err, QK_EINVAL,
                         "jobs are named and filtered at once: give ids or filters");
    if (!cli->word_count && !filtered)
        return cli_error(&cli->err, QK_EINVAL,
                         "no job is named: give ids, filters, or --all; see queuack %s --help",
                         cli->command->name);
    return QK_OK;
}

static qk_status select_jobs(cli *cli, id_list *list, const qk_job_filter *filter)
{
    return cli->word_count ? id_list_words(cli, list) : id_list_gather(cli, list, filter);
}

static qk_status confirm(cli *cli, const id_list *list, cli_change change)
{
    if (cli->word_count || list->count == 0)
        return QK_OK;
    return cli_confirm(cli, "%s %zu job%s", change == CLI_RETRY ? "Retry" : "Cancel", list->count,
                       list->count == 1 ? "" : "s");
}

qk_status cli_change_jobs(cli *cli, cli_change change, uint32_t statuses)
{
    id_list list = { NULL, 0, 0 };
    qk_job_filter filter = QK_JOB_FILTER_INIT;
    bool dry = cli_has(cli, "dry-run");
    qk_status rc = cli_check_selection(cli);
    if (!rc)
        rc = cli_filter_read(cli, &filter);
    if (!rc)
        rc = cli_open(cli, false);
    if (rc)
        return rc;
    if (filter.statuses == 0)
        filter.statuses = statuses;
    rc = select_jobs(cli, &list, &filter);
    if (!rc && dry)
        rc = id_list_print_dry(cli, &list, change == CLI_RETRY ? "retried" : "cancelled");
    if (!rc && !dry)
        rc = confirm(cli, &list, change);
    if (!rc && !dry)
        rc = apply(cli, &list, change, cli->word_count == 0);
    if (!rc && !dry)
        print_changed(cli, &list, change);
    id_list_dispose(&list);
    return rc;
}

static qk_status run_retry(cli *cli)
{
    return cli_change_jobs(cli, CLI_RETRY, 1u << QK_JOB_FAILED);
}

static qk_status run_cancel(cli *cli)
{
    return cli_change_jobs(cli, CLI_CANCEL,
                           1u << QK_JOB_PENDING | 1u << QK_JOB_DELAYED | 1u << QK_JOB_CLAIMED);
}

static const cli_option options[] = {
    CLI_STATUS_OPTION,
    CLI_FILTER_OPTIONS,
    { "all", 0, NULL, "All that it applies to, without a filter", false },
    CLI_SURE_OPTIONS,
    { 0 },
};

const cli_command cli_cmd_jobs_retry = {
    .name = "jobs retry",
    .synopsis = "JOB… | FILTER…",
    .summary = "Let failed, skipped or cancelled jobs run again",
    .help =
        "Their attempts start again, their history stays. Filters without --status mean failed\n"
        "jobs; on a terminal it asks before changing what filters select.",
    .options = options,
    .max_words = -1,
    .run = run_retry,
};

const cli_command cli_cmd_jobs_cancel = {
    .name = "jobs cancel",
    .synopsis = "JOB… | FILTER…",
    .summary = "Cancel jobs that have not ended",
    .help = "On a terminal it asks before cancelling what filters select.",
    .options = options,
    .max_words = -1,
    .run = run_cancel,
};
