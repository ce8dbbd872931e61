/*
 * What `worker` is told on its command line; see worker_args.h.
 */
#include "worker_args.h"

#include <stdlib.h>
#include <string.h>

#include "job_args.h"
#include "values.h"

#define WEIGHT_MAX 1000000

/* "a" or "a=3": whether it has a weight must be the same for all. */
static qk_status read_queue(cli *cli, worker_args *args, const char *text)
{
    const char *equals = strrchr(text, '=');
    size_t at = args->queue_count;
    qk_status rc = QK_OK;
    if (at > 0 && (equals != NULL) != (args->weights[0] > 0))
        return cli_error(&cli->err, QK_EINVAL,
                         "-q takes either names in order (-q a -q b) or weights for all (-q a=3 -q "
                         "b=1): not both");
    args->own_queues[at] = equals ? strndup(text, (size_t)(equals - text)) : strdup(text);
    if (!args->own_queues[at])
        return cli_error(&cli->err, QK_ENOMEM, "out of memory");
    args->queues[at] = args->own_queues[at];
    args->queue_count++;
    if (equals)
        rc = cli_parse_int(&args->weights[at], "the weight of -q", equals + 1, 1, WEIGHT_MAX,
                           &cli->err);
    if (!rc)
        rc = job_check_name("-q", args->queues[at], &cli->err);
    for (size_t i = 0; !rc && i < at; i++) {
        if (strcmp(args->queues[i], args->queues[at]) == 0)
            rc = cli_error(&cli->err, QK_EINVAL, "-q %.100s is given twice: once is enough",
                           args->queues[at]);
    }
    return rc;
}

/* "4", or "2-8": by load. */
static qk_status read_slots(cli *cli, qk_worker_options *options)
{
    const char *text = cli_value(cli, "jobs");
    const char *dash = text ? strchr(text, '-') : NULL;
    if (!text)
        return QK_OK;
    if (!dash || dash == text)
        return cli_parse_int(&options->concurrency, "-j", text, 1, 4096, &cli->err);
    char *least = strndup(text, (size_t)(dash - text));
    qk_status rc = least ? QK_OK : cli_error(&cli->err, QK_ENOMEM, "out of memory");
    if (!rc)
        rc = cli_parse_int(&options->min_concurrency, "-j", least, 1, 4096, &cli->err);
    if (!rc)
        rc = cli_parse_int(&options->max_concurrency, "-j", dash + 1, 1, 4096, &cli->err);
    if (!rc && options->min_concurrency > options->max_concurrency)
        rc = cli_error(&cli->err, QK_EINVAL, "-j %.40s: the smaller number comes first", text);
    options->concurrency = options->min_concurrency;
    free(least);
    return rc;
}

/* "512M", "2GiB": bytes. */
static qk_status parse_size(uint64_t *out, const char *text, qk_error *err)
{
    static const char units[] = "KMGT";
    char *rest;
    double number = strtod(text, &rest);
    const char *unit = *rest ? strchr(units, *rest) : NULL;
    if (rest != text && unit && (!rest[1] || !strcmp(rest + 1, "B") || !strcmp(rest + 1, "iB"))) {
        for (const char *at = units; at <= unit; at++)
            number *= 1024;
        if (number >= 1 << 24 && number < 0x1p60) {
            *out = (uint64_t)number;
            return QK_OK;
        }
    }
    return cli_error(err, QK_EINVAL,
                     "--sql-memory \"%.40s\": write a size of at least 16M, such as 512M or 4G",
                     text);
}

static qk_status read_sql(cli *cli, worker_args *args, qk_worker_options *options)
{
    const char *memory = cli_value(cli, "sql-memory"), *text;
    size_t at = 0;
    args->sql = (qk_sql_options)QK_SQL_OPTIONS_INIT;
    while ((text = cli_next_value(cli, "sql-folder", &at)))
        args->sql_folders[args->sql.folder_count++] = text;
    args->sql.folders = args->sql_folders;
    options->sql = &args->sql;
    return memory ? parse_size(&args->sql.memory, memory, &cli->err) : QK_OK;
}

qk_status worker_args_read(cli *cli, worker_args *args, qk_worker_options *options)
{
    size_t at = 0, room = cli->given_count + 1;
    const char *text;
    qk_status rc = QK_OK;
    memset(args, 0, sizeof(*args));
    args->queues = calloc(room, sizeof(*args->queues));
    args->own_queues = calloc(room, sizeof(*args->own_queues));
    args->weights = calloc(room, sizeof(*args->weights));
    args->kinds = calloc(room, sizeof(*args->kinds));
    args->sql_folders = calloc(room, sizeof(*args->sql_folders));
    if (!args->sql_folders || !args->queues || !args->own_queues || !args->weights || !args->kinds)
        return cli_error(&cli->err, QK_ENOMEM, "out of memory");
    while (!rc && (text = cli_next_value(cli, "queue", &at)))
        rc = read_queue(cli, args, text);
    if (!rc)
        rc = read_slots(cli, options);
    if (!rc)
        rc = read_sql(cli, args, options);
    options->queue_count = args->queue_count;
    options->queues = args->queue_count ? args->queues : NULL;
    options->weights = args->queue_count && args->weights[0] > 0 ? args->weights : NULL;
    return rc;
}

/* Takes one word off *at, without its quotes, into `out`. False: there is none. */
static bool take_word(char **out, const char **at, bool *unclosed)
{
    char quote = '\0';
    char *to = *out;
    const char *from = *at + strspn(*at, " \t\n");
    if (!*from)
        return false;
    for (; *from && (quote || !strchr(" \t\n", *from)); from++) {
        if (quote ? *from == quote : *from == '"' || *from == '\'') {
            quote = quote ? '\0' : *from;
        } else if (*from == '\\' && quote != '\'' && from[1]) {
            *to++ = *++from;
        } else {
            *to++ = *from;
        }
    }
    *to++ = '\0';
    *unclosed = quote != '\0';
    *out = to;
    *at = from;
    return true;
}

/* Splits as a shell splits plain words and quotes; nothing is expanded. *words and *text are to be
 * freed. */
static qk_status split(cli *cli, char ***words, char **text, const char *command)
{
    size_t length = strlen(command), count = 0;
    bool unclosed = false;
    *text = malloc(length + 2);
    *words = calloc(length / 2 + 2, sizeof(**words));
    if (!*text || !*words)
        return cli_error(&cli->err, QK_ENOMEM, "out of memory");
    char *to = *text;
    for (char *word = to; take_word(&to, &command, &unclosed); word = to)
        (*words)[count++] = word;
    if (unclosed)
        return cli_error(&cli->err, QK_EINVAL, "--handler: a quote is not closed in \"%.200s\"",
                         command - strlen(command));
    return QK_OK;
}

static qk_status add_handler(cli *cli, worker_args *args, qk_worker *worker, const char *given)
{
    const char *equals = strchr(given, '=');
    char **words = NULL;
    char *text = NULL;
    if (!equals || equals == given || !equals[1])
        return cli_error(&cli->err, QK_EINVAL,
                         "--handler \"%.100s\": write KIND=COMMAND, such as resize=./resize",
                         given);
    char *kind = strndup(given, (size_t)(equals - given));
    qk_status rc = kind ? QK_OK : cli_error(&cli->err, QK_ENOMEM, "out of memory");
    if (!rc)
        rc = split(cli, &words, &text, equals + 1);
    if (!rc)
        rc = qk_worker_handle_command(worker, kind, (const char *const *)words, NULL, NULL,
                                      &cli->err);
    if (!rc)
        args->kinds[args->kind_count++] = kind;
    else
        free(kind);
    free(words);
    free(text);
    return rc;
}

/* The same program, even if another has taken its place on the disk. */
static qk_status add_plugin(cli *cli, qk_worker *worker, const char *path)
{
    static const char *const host[] = { "/proc/self/exe", "__plugin", NULL };
    bool here = cli_has(cli, "in-process") || strcmp(qk_queue_path(cli->queue), ":memory:") == 0;
    return here ? qk_worker_plugin(worker, path, &cli->err)
                : qk_worker_plugin_isolated(worker, path, host, &cli->err);
}

qk_status worker_args_handlers(cli *cli, worker_args *args, qk_worker *worker)
{
    size_t at = 0;
    const char *text;
    qk_status rc = QK_OK;
    while (!rc && (text = cli_next_value(cli, "handler", &at)))
        rc = add_handler(cli, args, worker, text);
    at = 0;
    while (!rc && (text = cli_next_value(cli, "plugin", &at))) {
        rc = add_plugin(cli, worker, text);
        /* A bad argument, whatever it is that is wrong with the file. */
        if (rc == QK_ENOTFOUND || rc == QK_EVERSION)
            cli->err.code = rc = QK_EINVAL;
    }
    return rc;
}

void worker_args_dispose(worker_args *args)
{
    for (size_t i = 0; i < args->queue_count; i++)
        free(args->own_queues[i]);
    for (size_t i = 0; i < args->kind_count; i++)
        free((char *)(uintptr_t)args->kinds[i]);
    free(args->queues);
    free(args->own_queues);
    free(args->weights);
    free(args->kinds);
    free(args->sql_folders);
}
