/*
 * Reading the options of one job; see job_args.h.
 */
#include "job_args.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "text.h"
#include "values.h"

qk_status job_check_name(const char *what, const char *text, qk_error *err)
{
    size_t length = strlen(text);
    if (length == 0)
        return cli_error(err, QK_EINVAL, "%s is empty: give it a name", what);
    if (length > QK_NAME_MAX)
        return cli_error(err, QK_EINVAL, "%s is %zu bytes long: at most %d are allowed", what,
                         length, QK_NAME_MAX);
    for (size_t at = 0; at < length;) {
        uint32_t code = 0;
        size_t used = cli_utf8(&code, text + at, length - at);
        if (used == 0)
            return cli_error(err, QK_EINVAL, "%s is not UTF-8 at byte %zu: encode it", what, at);
        if (code < 0x20 || code == 0x7F)
            return cli_error(err, QK_EINVAL, "%s has a control character at byte %zu: leave it out",
                             what, at);
        at += used;
    }
    return QK_OK;
}

static qk_status read_name(cli *cli, const char **out, const char *option)
{
    char what[32];
    *out = cli_value(cli, option);
    snprintf(what, sizeof(what), "--%s", option);
    return *out ? job_check_name(what, *out, &cli->err) : QK_OK;
}

static qk_status read_int(cli *cli, int *out, const char *option, int min, int max)
{
    char what[32];
    const char *text = cli_value(cli, option);
    snprintf(what, sizeof(what), "--%s", option);
    return text ? cli_parse_int(out, what, text, min, max, &cli->err) : QK_OK;
}

static qk_status read_times(cli *cli, qk_job_options *options)
{
    const char *delay = cli_value(cli, "delay");
    const char *at = cli_value(cli, "at");
    const char *timeout = cli_value(cli, "timeout");
    const char *backoff = cli_value(cli, "backoff");
    qk_status rc = QK_OK;
    if (delay && at)
        return cli_error(&cli->err, QK_EINVAL, "--delay and --at exclude each other: give one");
    if (delay)
        rc = cli_parse_duration(&options->delay, "--delay", delay, &cli->err);
    if (!rc && at)
        rc = cli_parse_time(&options->execute_after, "--at", at, &cli->err);
    if (!rc && timeout)
        rc = cli_parse_limit(&options->timeout, "--timeout", timeout, &cli->err);
    if (!rc && backoff)
        rc = cli_parse_backoff(&options->backoff, "--backoff", backoff, &cli->err);
    return rc;
}

static qk_status read_tags(cli *cli, job_args *out)
{
    size_t at = 0;
    const char *tag;
    out->tags = calloc(cli->given_count + 1, sizeof(*out->tags));
    if (!out->tags)
        return cli_error(&cli->err, QK_ENOMEM, "out of memory");
    while ((tag = cli_next_value(cli, "tag", &at))) {
        qk_status rc = job_check_name("--tag", tag, &cli->err);
        if (rc)
            return rc;
        if (out->options.tag_count == QK_TAGS_MAX)
            return cli_error(&cli->err, QK_EINVAL, "too many tags: at most %d are allowed",
                             QK_TAGS_MAX);
        out->tags[out->options.tag_count++] = tag;
    }
    out->options.tags = out->tags;
    return QK_OK;
}

qk_status job_args_read(cli *cli, job_args *out)
{
    static const qk_job_options defaults = QK_JOB_OPTIONS_INIT;
    const char *id = cli_value(cli, "id");
    const char *mode = cli_value(cli, "mode");
    qk_job_options *options = &out->options;
    *out = (job_args){ defaults, NULL, NULL };
    qk_status rc = read_name(cli, &options->queue, "queue");
    if (!rc)
        rc = read_name(cli, &options->name, "name");
    if (!rc)
        rc = read_name(cli, &options->unique_key, "unique");
    if (!rc)
        rc = read_int(cli, &options->priority, "priority", 0, QK_PRIORITY_MAX);
    if (!rc)
        rc = read_int(cli, &options->max_attempts, "max-attempts", 1, INT_MAX);
    if (!rc)
        rc = read_int(cli, &options->max_lost, "max-lost", 1, INT_MAX);
    if (!rc)
        rc = read_times(cli, options);
    if (!rc && mode)
        rc = cli_parse_mode(&options->mode, "--mode", mode, &cli->err);
    if (!rc && id)
        rc = cli_parse_id(&options->id, "--id", id, &cli->err);
    return rc ? rc : read_tags(cli, out);
}

/* JOB,JOB… of one --needs. */
static qk_status add_needs(cli *cli, job_args *args, const char *text)
{
    while (*text) {
        char word[64];
        size_t length = strcspn(text, ",");
        snprintf(word, sizeof(word), "%.*s", (int)length, text);
        qk_id *more = realloc(args->needs, (args->options.needs_count + 1) * sizeof(*more));
        if (!more)
            return cli_error(&cli->err, QK_ENOMEM, "out of memory");
        args->needs = more;
        qk_status rc = cli_resolve(cli, &more[args->options.needs_count], word);
        if (rc)
            return rc;
        args->options.needs_count++;
        text += length + (text[length] == ',');
    }
    return QK_OK;
}

qk_status job_args_needs(cli *cli, job_args *args)
{
    size_t at = 0;
    const char *text;
    qk_status rc = QK_OK;
    while (!rc && (text = cli_next_value(cli, "needs", &at)))
        rc = add_needs(cli, args, text);
    args->options.needs = args->needs;
    return rc;
}

void job_args_dispose(job_args *args)
{
    free(args->tags);
    free(args->needs);
    args->tags = NULL;
    args->needs = NULL;
}
