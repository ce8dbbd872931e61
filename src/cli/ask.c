/*
 * Questions on the terminal; see ask.h. Asked on stderr, answered on stdin, so that what the command
 * prints can still be piped on.
 */
#include "ask.h"

#include <stdarg.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "text.h"

bool cli_would_ask(const cli *cli)
{
    return !cli_has(cli, "yes") && isatty(STDIN_FILENO) == 1 && isatty(STDERR_FILENO) == 1;
}

qk_status cli_confirm(cli *cli, const char *format, ...)
{
    char text[512];
    char answer[64] = "";
    va_list args;
    if (!cli_would_ask(cli))
        return QK_OK;
    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    cli_put_line(stderr, text);
    fputs("? [y/N] ", stderr);
    fflush(stderr);
    if (fgets(answer, sizeof(answer), stdin)) {
        answer[strcspn(answer, "\r\n")] = '\0';
        if (strcasecmp(answer, "y") == 0 || strcasecmp(answer, "yes") == 0)
            return QK_OK;
    } else {
        fputc('\n', stderr);
    }
    return cli_error(&cli->err, QK_EREFUSED,
                     "nothing was changed: answer y, or give --yes to go ahead without a question");
}
