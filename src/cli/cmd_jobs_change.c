/*
 * jobs retry, cancel, purge: commands that change. Named jobs are all resolved before the first is
 * touched. With filters the ids are gathered first, then changed one by one; a job that has moved
 * on in between is left alone.
 */
#include <stdlib.h>
#include <string.h>

#include "commands.h"
#include "filter.h"
#include "list.h"
#include "text.h"

#define PAGE 1000

typedef struct id_list {
    qk_id *ids;
    size_t count, capacity;
} id_list;

static bool push(id_list *list, qk_id id)
{
    if (list->count == list->capacity) {
        size_t capacity = list->capacity ? list->capacity * 2 : 64;
        qk_id *ids = realloc(list->ids, capacity * sizeof(*ids));
        if (!ids)
            return false;
        list->ids = ids;
        list->capacity = capacity;
    }
    list->ids[list->count++] = id;
    return true;
}

/* Every job that fits, oldest first. */
static qk_status gather(cli *cli, id_list *out, qk_job_filter *filter)
{
    bool more = true;
    filter->limit = PAGE;
    while (more) {
        qk_job_list *page = NULL;
        qk_status rc = qk_job_list_get(&page, cli->queue, filter, &cli->err);
        if (rc)
            return rc;
        for (size_t i = 0; i < page->count; i++) {
            if (!push(out, page->items[i].id)) {
                qk_job_list_free(page);
                return cli_error(&cli->err, QK_ENOMEM, "out of memory");
            }
        }
        more = page->more && page->count > 0;
        if (page->count)
            filter->before = page->items[page->count - 1].id;
        qk_job_list_free(page);
    }
    for (size_t i = 0; i < out->count / 2; i++) {
        qk_id id = out->ids[i];
        out->ids[i] = out->ids[out->count - 1 - i];
        out->ids[out->count - 1 - i] = id;
    }
    return QK_OK;
}

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

/* Changes each; `list` then holds those that were. */
static qk_status apply(cli *cli, id_list *list, cli_change change, bool skip_moved_on)
{
    size_t kept = 0;
    for (size_t i = 0; i < list->count; i++) {
        qk_id id = list->ids[i];
        qk_status rc = change == CLI_RETRY ? qk_retry(cli->queue, id, &cli->err)
                                           : qk_cancel(cli->queue, id, &cli->err);
        if (skip_moved_on && (rc == QK_ESTATE || rc == QK_ENOTFOUND))
            continue;
        if (rc && list->count > 1) {
            char copy[QK_ERROR_MESSAGE_SIZE];
            char text[QK_ID_TEXT_SIZE];
            memcpy(copy, cli->err.message, sizeof(copy));
            return cli_error(&cli->err, rc, "%s (the first of those left; %zu of %zu done): %.380s",
                             qk_id_format(text, id), kept, list->count, copy);
        }
        if (rc)
            return rc;
        list->ids[kept++] = id;
    }
    list->count = kept;
    return QK_OK;
}

/* Either words or filters: neither would mean everything, which must be said. */
static qk_status check_selection(cli *cli)
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

qk_status cli_change_jobs(cli *cli, cli_change change, uint32_t statuses)
{
    id_list list = { NULL, 0, 0 };
    qk_job_filter filter = QK_JOB_FILTER_INIT;
    qk_status rc = check_selection(cli);
    if (!rc)
        rc = cli_filter_read(cli, &filter);
    if (!rc)
        rc = cli_open(cli, false);
    if (rc)
        return rc;
    if (filter.statuses == 0)
        filter.statuses = statuses;
    if (cli->word_count) {
        rc = cli_resolve_words(cli, &list.ids);
        list.count = cli->word_count;
    } else {
        rc = gather(cli, &list, &filter);
    }
    if (!rc)
        rc = apply(cli, &list, change, cli->word_count == 0);
    if (!rc)
        print_changed(cli, &list, change);
    free(list.ids);
    return rc;
}

/* Ids are purged one by one, by a filter that only they fit. */
static qk_status purge_named(cli *cli, size_t *total, uint32_t statuses)
{
    qk_id *ids = NULL;
    qk_status rc = cli_resolve_words(cli, &ids);
    for (size_t i = 0; i < cli->word_count && !rc; i++) {
        char text[QK_ID_TEXT_SIZE];
        size_t count = 0;
        qk_job *job = NULL;
        qk_job_filter filter = QK_JOB_FILTER_INIT;
        rc = qk_job_get(&job, cli->queue, ids[i], &cli->err);
        if (rc)
            break;
        qk_id_format(text, ids[i]);
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
            rc = cli_error(&cli->err, QK_ESTATE, "job %s is kept: a job that waits depends on it",
                           text);
        *total += count;
    }
    free(ids);
    return rc;
}

qk_status cli_purge_jobs(cli *cli, uint32_t statuses)
{
    size_t count = 0;
    qk_job_filter filter = QK_JOB_FILTER_INIT;
    qk_status rc = check_selection(cli);
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
    rc = cli->word_count ? purge_named(cli, &count, statuses)
                         : qk_purge(&count, cli->queue, &filter, &cli->err);
    if (rc)
        return rc;
    if (cli->json)
        printf("{\"purged\":%zu}\n", count);
    else if (!cli->quiet)
        printf("%zu job%s purged\n", count, count == 1 ? "" : "s");
    return QK_OK;
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

static qk_status run_purge(cli *cli)
{
    return cli_purge_jobs(cli, CLI_TERMINAL_STATUSES);
}

static const cli_option change_options[] = {
    CLI_STATUS_OPTION,
    CLI_FILTER_OPTIONS,
    { "all", 0, NULL, "All that it applies to, without a filter", false },
    { 0 },
};

static const cli_option purge_options[] = {
    CLI_STATUS_OPTION,
    CLI_FILTER_OPTIONS,
    CLI_OLDER_OPTION,
    { "all", 0, NULL, "All that it applies to, without a filter", false },
    { 0 },
};

const cli_command cli_cmd_jobs_retry = {
    .name = "jobs retry",
    .synopsis = "JOB… | FILTER…",
    .summary = "Let failed, skipped or cancelled jobs run again",
    .help = "Their attempts start again, their history stays. Filters without --status mean failed "
            "jobs.",
    .options = change_options,
    .max_words = -1,
    .run = run_retry,
};

const cli_command cli_cmd_jobs_cancel = {
    .name = "jobs cancel",
    .synopsis = "JOB… | FILTER…",
    .summary = "Cancel jobs that have not ended",
    .options = change_options,
    .max_words = -1,
    .run = run_cancel,
};

const cli_command cli_cmd_jobs_purge = {
    .name = "jobs purge",
    .synopsis = "JOB… | FILTER…",
    .summary = "Delete jobs that have ended",
    .help = "Jobs that a waiting job depends on are kept.",
    .options = purge_options,
    .max_words = -1,
    .run = run_purge,
};
