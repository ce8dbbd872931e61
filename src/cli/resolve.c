/*
 * JOB as people write it, turned into an id.
 */
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "run_args.h"
#include "values.h"

#define SUFFIX_MIN 6
#define SUFFIX_MAX (QK_ID_TEXT_SIZE - 1)
#define SHOWN_CANDIDATES 5

/* @1 is the latest job, @2 the one before it. */
static qk_status resolve_recent(cli *cli, qk_id *out, const char *text)
{
    int back;
    qk_job_list *list = NULL;
    qk_job_filter filter = QK_JOB_FILTER_INIT;
    qk_status rc = cli_parse_int(&back, "the number behind @", text + 1, 1, 10000, &cli->err);
    if (rc)
        return rc;
    filter.limit = (size_t)back;
    rc = qk_job_list_get(&list, cli->queue, &filter, &cli->err);
    if (!rc && list->count < (size_t)back)
        rc = cli_error(&cli->err, QK_ENOTFOUND, "there is no job %s: the store holds %zu", text,
                       list->count);
    if (!rc)
        *out = list->items[back - 1].id;
    qk_job_list_free(list);
    return rc;
}

static qk_status report_ambiguous(cli *cli, const char *text, const qk_job_list *list)
{
    char names[SHOWN_CANDIDATES * (QK_ID_TEXT_SIZE + 1) + 8] = "";
    for (size_t i = 0; i < list->count && i < SHOWN_CANDIDATES; i++) {
        char id[QK_ID_TEXT_SIZE];
        size_t used = strlen(names);
        snprintf(names + used, sizeof(names) - used, "%s%s", used ? " " : "",
                 qk_id_format(id, list->items[i].id));
    }
    return cli_error(&cli->err, QK_EINVAL, "\"%s\" fits several jobs: use one of %s%s", text, names,
                     list->count > SHOWN_CANDIDATES ? " …" : "");
}

static qk_status resolve_suffix(cli *cli, qk_id *out, const char *text)
{
    qk_job_list *list = NULL;
    qk_job_filter filter = QK_JOB_FILTER_INIT;
    filter.id_suffix = text;
    filter.limit = SHOWN_CANDIDATES + 1;
    qk_status rc = qk_job_list_get(&list, cli->queue, &filter, &cli->err);
    if (!rc && list->count == 0)
        rc = cli_error(&cli->err, QK_ENOTFOUND,
                       "no job's id ends in \"%s\": queuack jobs list shows the latest", text);
    else if (!rc && list->count > 1)
        rc = report_ambiguous(cli, text, list);
    if (!rc)
        *out = list->items[0].id;
    qk_job_list_free(list);
    return rc;
}

/* Dashes may be among the digits, as they are in what is printed. */
static bool is_suffix(const char *text)
{
    size_t digits = 0, length = strlen(text);
    if (length > SUFFIX_MAX || strspn(text, "0123456789abcdefABCDEF-") != length)
        return false;
    for (size_t i = 0; i < length; i++)
        digits += text[i] != '-';
    return digits >= SUFFIX_MIN && digits <= 32;
}

/* RUN/NODE; a node's name may hold a slash itself, a run as written here does not. */
static qk_status resolve_node(cli *cli, qk_id *out, const char *text, const char *slash)
{
    qk_id run;
    qk_job *job = NULL;
    char name[QK_NAME_MAX + 1] = "";
    if ((size_t)(slash - text) >= sizeof(name))
        return cli_error(&cli->err, QK_EINVAL, "what stands before the / is too long for a run");
    memcpy(name, text, (size_t)(slash - text));
    qk_status rc = cli_resolve_run(cli, &run, name);
    if (!rc)
        rc = qk_run_node(&job, cli->queue, run, slash + 1, &cli->err);
    if (!rc)
        *out = job->id;
    qk_job_free(job);
    return rc;
}

qk_status cli_resolve(cli *cli, qk_id *out, const char *text)
{
    const char *slash = strchr(text, '/');
    if (slash && slash != text && slash[1])
        return resolve_node(cli, out, text, slash);
    if (qk_id_parse(out, text) == QK_OK && !qk_id_is_none(*out))
        return QK_OK;
    if (text[0] == '@')
        return resolve_recent(cli, out, text);
    if (is_suffix(text))
        return resolve_suffix(cli, out, text);
    return cli_error(
        &cli->err, QK_EINVAL,
        "\"%.60s\" is not a job: give its id, the last 6 or more hex digits of it, or @1 "
        "for the latest",
        text);
}

qk_status cli_resolve_words(cli *cli, qk_id **out)
{
    qk_id *ids = calloc(cli->word_count + 1, sizeof(*ids));
    qk_status rc = QK_OK;
    if (!ids)
        return cli_error(&cli->err, QK_ENOMEM, "out of memory");
    for (size_t i = 0; i < cli->word_count && !rc; i++)
        rc = cli_resolve(cli, &ids[i], cli->words[i]);
    if (rc) {
        free(ids);
        return rc;
    }
    *out = ids;
    return QK_OK;
}
