/*
 * Reading the filter options; see filter.h.
 */
#include "filter.h"

#include <limits.h>
#include <string.h>

#include "values.h"

static qk_status unknown_status(cli *cli, const char *word)
{
    cli_nearest nearest = { word, NULL, 0 };
    for (int i = 0; i < QK_JOB_STATUS_COUNT; i++)
        cli_nearest_try(&nearest, qk_job_status_name((qk_job_status)i));
    const char *found = cli_nearest_found(&nearest);
    if (found)
        return cli_error(&cli->err, QK_EINVAL, "unknown status \"%s\": did you mean \"%s\"?", word,
                         found);
    return cli_error(&cli->err, QK_EINVAL,
                     "unknown status \"%s\": use pending, delayed, claimed, done, failed, skipped "
                     "or cancelled",
                     word);
}

/* "failed,skipped" */
static qk_status add_statuses(cli *cli, uint32_t *set, const char *text)
{
    while (*text) {
        char word[32];
        qk_job_status status;
        size_t length = strcspn(text, ",");
        snprintf(word, sizeof(word), "%.*s", (int)length, text);
        if (length >= sizeof(word) || qk_job_status_parse(&status, word) != QK_OK)
            return unknown_status(cli, word);
        *set |= 1u << status;
        text += length + (text[length] == ',');
    }
    return QK_OK;
}

static qk_status read_statuses(cli *cli, uint32_t *set)
{
    size_t at = 0;
    const char *text;
    while ((text = cli_next_value(cli, "status", &at))) {
        qk_status rc = *text ? add_statuses(cli, set, text) : unknown_status(cli, text);
        if (rc)
            return rc;
    }
    return QK_OK;
}

qk_status cli_filter_read(cli *cli, qk_job_filter *filter)
{
    const char *run = cli_value(cli, "run");
    const char *limit = cli_value(cli, "limit");
    const char *older = cli_value(cli, "older-than");
    int count = 0;
    qk_status rc = read_statuses(cli, &filter->statuses);
    filter->queue = cli_value(cli, "queue");
    filter->kind = cli_value(cli, "kind");
    filter->tag = cli_value(cli, "tag");
    if (!rc && run)
        rc = cli_parse_id(&filter->run_id, "--run", run, &cli->err);
    if (!rc && limit)
        rc = cli_parse_int(&count, "--limit", limit, 1, INT_MAX, &cli->err);
    if (!rc && older)
        rc = cli_parse_duration(&filter->older_than, "--older-than", older, &cli->err);
    filter->limit = (size_t)count;
    return rc;
}

qk_status cli_filter_before(cli *cli, qk_job_filter *filter)
{
    const char *before = cli_value(cli, "before");
    return before ? cli_resolve(cli, &filter->before, before) : QK_OK;
}

bool cli_filter_given(const cli *cli)
{
    static const char *const names[] = { "status", "queue", "kind", "run", "tag", "older-than" };
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (cli_has(cli, names[i]))
            return true;
    }
    return false;
}
