/*
 * jobs purge (and dead purge): deleting ended jobs. By filter it is one operation of the store, which
 * keeps what a waiting job depends on; --dry-run and the question before count with the same rule.
 */
#include <stdlib.h>
#include <string.h>

#include "ask.h"
#include "commands.h"
#include "filter.h"
#include "id_list.h"
#include "list.h"
#include "progress.h"
#include "sql_text.h"

/* Ids are purged one by one, by a filter that only they fit. */
static qk_status purge_one(cli *cli, qk_id id, size_t *total, uint32_t statuses)
{
    char text[QK_ID_TEXT_SIZE];
    size_t count = 0;
    qk_job *job = NULL;
    qk_job_filter filter = QK_JOB_FILTER_INIT;
    qk_status rc = qk_job_get(&job, cli->queue, id, &cli->err);
    if (rc)
        return rc;
    qk_id_format(text, id);
    if (!(statuses >> job->status & 1u))
        rc = cli_error(&cli->err, QK_ESTATE, "job %s is %s: only %s jobs are purged", text,
                       qk_job_status_name(job->status),
                       statuses == CLI_TERMINAL_STATUSES ? "ended" : "failed");
    qk_job_free(job);
    filter.statuses = CLI_TERMINAL_STATUSES;
    filter.id_suffix = text;
    if (!rc)
        rc = qk_purge(&count, cli->queue, &filter, &cli->err);
    if (!rc && count == 0)
        rc =
            cli_error(&cli->err, QK_ESTATE, "job %s is kept: a job that waits depends on it", text);
    *total += count;
    return rc;
}

static qk_status purge_named(cli *cli, const id_list *list, size_t *total, uint32_t statuses)
{
    qk_status rc = QK_OK;
    cli_progress *progress = cli_progress_start(cli, "purging", list->count);
    for (size_t i = 0; i < list->count && !rc; i++) {
        cli_progress_at(progress, i, list->count, NULL);
        rc = purge_one(cli, list->ids[i], total, statuses);
    }
    cli_progress_end(progress);
    return rc;
}

static int compare_ids(const void *a, const void *b)
{
    return qk_id_compare(*(const qk_id *)a, *(const qk_id *)b);
}

/* Takes out of the list what a job that has not ended depends on. */
static qk_status leave_out_kept(cli *cli, id_list *list)
{
    id_list kept = { NULL, 0, 0 };
    qk_rows *rows = NULL;
    size_t left = 0;
    qk_id id;
    qk_status rc =
        cli_sql_open(cli, &rows,
                     "SELECT DISTINCT d.parent_job_id FROM job_dependencies d JOIN jobs c "
                     "ON c.id = d.child_job_id WHERE c.status IN ('pending', 'delayed', "
                     "'claimed')");
    while (!rc && (rc = qk_rows_next(rows, &cli->err)) == QK_OK) {
        if (qk_id_parse(&id, qk_rows_text(rows, 0)) == QK_OK && !id_list_push(&kept, id))
            rc = cli_error(&cli->err, QK_ENOMEM, "out of memory");
    }
    qk_rows_close(rows);
    if (kept.count)
        qsort(kept.ids, kept.count, sizeof(*kept.ids), compare_ids);
    for (size_t i = 0; i < list->count; i++) {
        if (!kept.count ||
            !bsearch(&list->ids[i], kept.ids, kept.count, sizeof(*kept.ids), compare_ids))
            list->ids[left++] = list->ids[i];
    }
    list->count = left;
    id_list_dispose(&kept);
    return rc == QK_EMPTY ? QK_OK : rc;
}

/* What a dry run shows, or a question asks about. */
static qk_status preview(cli *cli, const qk_job_filter *filter)
{
    id_list list = { NULL, 0, 0 };
    qk_status rc = cli->word_count ? id_list_words(cli, &list) : id_list_gather(cli, &list, filter);
    if (!rc)
        rc = leave_out_kept(cli, &list);
    if (!rc && cli_has(cli, "dry-run"))
        rc = id_list_print_dry(cli, &list, "purged");
    else if (!rc && !cli->word_count && list.count)
        rc = cli_confirm(cli, "Delete %zu ended job%s for good", list.count,
                         list.count == 1 ? "" : "s");
    id_list_dispose(&list);
    return rc;
}

static qk_status purge(cli *cli, size_t *count, const qk_job_filter *filter, uint32_t statuses)
{
    id_list list = { NULL, 0, 0 };
    qk_status rc;
    if (cli->word_count) {
        rc = id_list_words(cli, &list);
        if (!rc)
            rc = purge_named(cli, &list, count, statuses);
        id_list_dispose(&list);
        return rc;
    }
    cli_progress *progress = cli_progress_start(cli, "purging", 0);
    rc = qk_purge(count, cli->queue, filter, &cli->err);
    cli_progress_end(progress);
    return rc;
}

qk_status cli_purge_jobs(cli *cli, uint32_t statuses)
{
    size_t count = 0;
    qk_job_filter filter = QK_JOB_FILTER_INIT;
    bool dry = cli_has(cli, "dry-run");
    qk_status rc = cli_check_selection(cli);
    if (!rc)
        rc = cli_filter_read(cli, &filter);
    if (!rc && (filter.statuses & ~CLI_TERMINAL_STATUSES))
        rc = cli_error(&cli->err, QK_EINVAL,
                       "only done, failed, skipped and cancelled jobs can be purged: cancel others "
                       "first");
    if (!rc)
        rc = cli_open(cli, false);
    if (rc)
        return rc;
    if (filter.statuses == 0)
        filter.statuses = statuses;
    if (dry || cli_would_ask(cli))
        rc = preview(cli, &filter);
    if (rc || dry)
        return rc;
    rc = purge(cli, &count, &filter, statuses);
    if (rc)
        return rc;
    if (cli->json)
        printf("{\"purged\":%zu}\n", count);
    else if (!cli->quiet)
        printf("%zu job%s purged\n", count, count == 1 ? "" : "s");
    return QK_OK;
}

static qk_status run_purge(cli *cli)
{
    return cli_purge_jobs(cli, CLI_TERMINAL_STATUSES);
}

static const cli_option options[] = {
    CLI_STATUS_OPTION, CLI_FILTER_OPTIONS,
    CLI_OLDER_OPTION,  { "all", 0, NULL, "All that it applies to, without a filter", false },
    CLI_SURE_OPTIONS,  { 0 },
};

const cli_command cli_cmd_jobs_purge = {
    .name = "jobs purge",
    .synopsis = "JOB… | FILTER…",
    .summary = "Delete jobs that have ended",
    .help =
        "Jobs that a waiting job depends on are kept. On a terminal it asks before deleting what\n"
        "filters select.",
    .options = options,
    .max_words = -1,
    .run = run_purge,
};
