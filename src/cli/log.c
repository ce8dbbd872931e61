/*
 * The log of the program: what the library has to say, and the program's own remarks.
 *
 * By default these are remarks for people: "queuack: …" on stderr. Once a level or a format is
 * named, by option or in the environment, they are records instead, one line each, as logfmt or
 * JSON; then remarks are records too, so that stderr holds nothing else but an error's line.
 * Read once before a command runs; later calls come from any thread and change nothing.
 */
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cli.h"

static qk_status read_level(cli *cli, const char *what, const char *text)
{
    if (strcmp(text, "off") == 0) {
        cli->log_off = true;
        return QK_OK;
    }
    if (qk_log_level_parse(&cli->log_level, text) == QK_OK)
        return QK_OK;
    return cli_error(&cli->err, QK_EINVAL,
                     "%s: \"%.40s\" is no level: use debug, info, warn, error or off", what, text);
}

static qk_status read_format(cli *cli, const char *what, const char *text)
{
    bool json = strcmp(text, "json") == 0;
    if (!json && strcmp(text, "text") != 0)
        return cli_error(&cli->err, QK_EINVAL, "%s: \"%.40s\" is no format: use text or json", what,
                         text);
    cli->log_sink.format = json ? QK_LOG_JSON : QK_LOG_TEXT;
    return QK_OK;
}

/* The option, else the variable; *what names it. NULL: neither. */
static const char *setting(const cli *cli, const char *option, const char *variable,
                           const char **what)
{
    const char *value = cli_value(cli, option + 2);
    *what = option;
    if (!value) {
        value = getenv(variable);
        *what = variable;
    }
    return value && *value ? value : NULL;
}

qk_status cli_log_init(cli *cli)
{
    const char *what;
    const char *format = setting(cli, "--log-format", "QUEUACK_LOG_FORMAT", &what);
    qk_status rc = format ? read_format(cli, what, format) : QK_OK;
    const char *level = setting(cli, "--log-level", "QUEUACK_LOG_LEVEL", &what);
    /* A word on the command line is nearer than one in the environment. */
    if (level && what[0] != '-' && (cli->verbose || cli->quiet))
        level = NULL;
    cli->log_sink.fd = STDERR_FILENO;
    cli->log_records = format || level;
    if (cli->verbose)
        cli->log_level = cli->verbose > 1 ? QK_LOG_DEBUG : QK_LOG_INFO;
    else if (cli->quiet)
        cli->log_level = QK_LOG_ERROR;
    else
        cli->log_level = cli->log_records ? QK_LOG_INFO : QK_LOG_WARN;
    return !rc && level ? read_level(cli, what, level) : rc;
}

void cli_log_record(const cli *cli, qk_log_level level, const char *event,
                    const qk_log_field *fields, size_t count, const char *message)
{
    struct timespec now = { 0 };
    if (cli->log_off || level < cli->log_level)
        return;
    (void)clock_gettime(CLOCK_REALTIME, &now);
    qk_log_record record = {
        .level = level, .event = event, .message = message, .fields = fields, .field_count = count
    };
    record.time.us = (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
    qk_log_sink stream = cli->log_sink;
    qk_log_to_sink(&stream, &record);
}

/* What a command would repeat as its own error; a worker goes on, and must say it now. */
static bool told_anyway(const cli *cli, qk_log_level level)
{
    return level >= QK_LOG_ERROR && !cli->verbose && strcmp(cli->command->name, "worker") != 0;
}

/* Called from any thread of the library. */
static void on_log(void *user, const qk_log_record *record)
{
    const cli *cli = user;
    qk_log_sink stream = cli->log_sink;
    if (cli->log_records)
        qk_log_to_sink(&stream, record);
    else if (!told_anyway(cli, record->level))
        cli_note(cli, "%s", record->message);
}

void cli_log_options(cli *cli, qk_queue_options *options)
{
    bool silent =
        cli->log_off || (!cli->log_records && (cli->quiet || (cli->json && !cli->verbose)));
    if (silent)
        return;
    options->log = on_log;
    options->log_user = cli;
    options->log_level = cli->log_level;
}
