/*
 * Errors and remarks. The error of a run is printed once, by main, after everything else; with
 * --json as a document on stderr, so that stdout holds the answer or nothing.
 */
#include <errno.h>
#include <stdarg.h>
#include <string.h>

#include "cli.h"
#include "text.h"

static void set_message(qk_error *err, qk_status code, const char *format, va_list args)
{
    err->code = code;
    err->system_errno = 0;
    if (vsnprintf(err->message, sizeof(err->message), format, args) < 0)
        err->message[0] = '\0';
}

qk_status cli_error(qk_error *err, qk_status code, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    set_message(err, code, format, args);
    va_end(args);
    return code;
}

qk_status cli_error_errno(qk_error *err, qk_status code, int number, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    set_message(err, code, format, args);
    va_end(args);
    size_t length = strlen(err->message);
    snprintf(err->message + length, sizeof(err->message) - length, ": %s", strerror(number));
    err->system_errno = number;
    return code;
}

void cli_error_print(const cli *cli)
{
    const qk_error *err = &cli->err;
    const char *message = err->message[0] ? err->message : qk_status_text(err->code);
    if (cli->json) {
        fputs("{\"error\":{\"code\":", stderr);
        cli_json_text(stderr, qk_status_json_code(err->code));
        fputs(",\"message\":", stderr);
        cli_json_text(stderr, message);
        fputs("}}\n", stderr);
        return;
    }
    fputs("queuack: ", stderr);
    cli_put_line(stderr, message);
    fputc('\n', stderr);
}

void cli_note(const cli *cli, const char *format, ...)
{
    if (cli->quiet)
        return;
    char text[1024];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    if (cli->log_records) {
        cli_log_record(cli, QK_LOG_INFO, "note", NULL, 0, text);
        return;
    }
    fputs("queuack: ", stderr);
    cli_put_line(stderr, text);
    fputc('\n', stderr);
}

qk_status cli_flush(qk_error *err)
{
    errno = 0;
    if (fflush(stdout) == 0 && !ferror(stdout))
        return QK_OK;
    if (errno == EPIPE || errno == 0)
        return QK_OK; /* the reader had enough; 0: an earlier write said so already */
    return cli_error_errno(err, errno == ENOSPC ? QK_EFULL : QK_EIO, errno,
                           "cannot write the output");
}
