/*
 * Runs: addressing and showing; see run_args.h.
 */
#include "run_args.h"

#include <inttypes.h>
#include <string.h>

#include "values.h"

#define SUFFIX_MIN 6
#define SUFFIX_MAX 32

static bool is_suffix(const char *text)
{
    size_t length = strlen(text);
    return length >= SUFFIX_MIN && length <= SUFFIX_MAX &&
           strspn(text, "0123456789abcdefABCDEF") == length;
}

/* The `back`th of those that fit; QK_EMPTY: there are not so many. `only`: it must be the only one. */
static qk_status find(cli *cli, qk_id *out, const qk_run_filter *filter, size_t back, bool only)
{
    qk_run_list *list = NULL;
    qk_status rc = qk_run_list_get(&list, cli->queue, filter, &cli->err);
    if (rc)
        return rc;
    if (list->count < back)
        rc = QK_EMPTY;
    else if (only && (list->count > 1 || list->more))
        rc = cli_error(&cli->err, QK_EINVAL, "it fits several runs: give more digits of the id");
    else
        *out = list->items[back - 1].id;
    qk_run_list_free(list);
    return rc;
}

static qk_status find_recent(cli *cli, qk_id *out, const char *text)
{
    int back;
    qk_run_filter filter = QK_RUN_FILTER_INIT;
    qk_status rc = cli_parse_int(&back, "the number behind @", text + 1, 1, 10000, &cli->err);
    if (rc)
        return rc;
    filter.limit = (size_t)back;
    filter.roots_only = true;
    rc = find(cli, out, &filter, (size_t)back, false);
    return rc == QK_EMPTY ? cli_error(&cli->err, QK_ENOTFOUND,
                                      "there is no run %s: the store holds "
                                      "fewer",
                                      text)
                          : rc;
}

qk_status cli_resolve_run(cli *cli, qk_id *out, const char *text)
{
    qk_run_filter filter = QK_RUN_FILTER_INIT;
    qk_status rc = QK_EMPTY;
    if (qk_id_parse(out, text) == QK_OK && !qk_id_is_none(*out))
        return QK_OK;
    if (text[0] == '@')
        return find_recent(cli, out, text);
    filter.limit = 1;
    filter.name = text;
    rc = find(cli, out, &filter, 1, false);
    if (rc == QK_EMPTY && is_suffix(text)) {
        filter.name = NULL;
        filter.id_suffix = text;
        filter.limit = 2;
        rc = find(cli, out, &filter, 1, true);
    }
    if (rc == QK_EMPTY)
        return cli_error(&cli->err, QK_ENOTFOUND,
                         "there is no run \"%.60s\": give its id, the last 6 or more hex digits of "
                         "it, its name, or @1 for the latest",
                         text);
    return rc;
}

cli_colour cli_run_colour(qk_run_status status)
{
    switch (status) {
    case QK_RUN_DONE:
        return CLI_GREEN;
    case QK_RUN_FAILED:
        return CLI_RED;
    case QK_RUN_RUNNING:
        return CLI_BLUE;
    case QK_RUN_PAUSED:
        return CLI_YELLOW;
    case QK_RUN_CANCELLED:
        return CLI_DIM;
    default:
        return CLI_PLAIN;
    }
}

static void put_counts(FILE *out, bool *first, const qk_run *run)
{
    static const struct {
        const char *key;
        qk_job_status status;
    } columns[] = {
        { "completed_jobs", QK_JOB_DONE },      { "failed_jobs", QK_JOB_FAILED },
        { "pending_jobs", QK_JOB_PENDING },     { "running_jobs", QK_JOB_CLAIMED },
        { "skipped_jobs", QK_JOB_SKIPPED },     { "delayed_jobs", QK_JOB_DELAYED },
        { "cancelled_jobs", QK_JOB_CANCELLED },
    };
    uint64_t total = 0;
    for (int i = 0; i < QK_JOB_STATUS_COUNT; i++)
        total += run->counts[i];
    cli_json_key(out, first, "total_jobs");
    fprintf(out, "%" PRIu64, total);
    for (size_t i = 0; i < sizeof(columns) / sizeof(columns[0]); i++) {
        cli_json_key(out, first, columns[i].key);
        fprintf(out, "%" PRIu64, run->counts[columns[i].status]);
    }
}

static void put_id(FILE *out, bool *first, const char *key, qk_id id)
{
    cli_json_key(out, first, key);
    if (qk_id_is_none(id))
        fputs("null", out);
    else
        cli_json_id(out, id);
}

void cli_run_json(FILE *out, const qk_run *run, bool counts)
{
    bool first = true;
    fputc('{', out);
    put_id(out, &first, "id", run->id);
    put_id(out, &first, "parent_job_id", run->parent_job);
    put_id(out, &first, "root_run_id", run->root_run);
    cli_json_key(out, &first, "name");
    cli_json_text(out, run->name);
    cli_json_key(out, &first, "description");
    cli_json_text(out, run->description);
    cli_json_key(out, &first, "created_at");
    cli_json_time(out, run->created_at);
    cli_json_key(out, &first, "completed_at");
    cli_json_time(out, run->completed_at);
    cli_json_key(out, &first, "status");
    cli_json_text(out, qk_run_status_name(run->status));
    cli_json_key(out, &first, "metadata");
    cli_json_raw(out, run->metadata);
    cli_json_key(out, &first, "params");
    cli_json_raw(out, run->params);
    cli_json_key(out, &first, "trigger");
    cli_json_text(out, run->trigger);
    cli_json_key(out, &first, "scheduled_for");
    cli_json_time(out, run->scheduled_for);
    if (counts) {
        cli_json_key(out, &first, "definition");
        cli_json_raw(out, run->definition);
        put_counts(out, &first, run);
    }
    fputc('}', out);
}
