/*
 * The program's entry: reads the command line, runs one command, prints its error if it left one,
 * and turns the status into the exit code.
 */
#include <langinfo.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "commands.h"

/* Character widths need a UTF-8 locale; everything else stays as in "C". */
static void set_locale(void)
{
    if (!setlocale(LC_CTYPE, "") || strcmp(nl_langinfo(CODESET), "UTF-8") != 0)
        setlocale(LC_CTYPE, "C.UTF-8");
}

/* Known before parsing, so that an error in the command line takes the right form as well. */
static bool wants_json(int argc, char **argv)
{
    for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++) {
        if (strcmp(argv[i], "--json") == 0)
            return true;
    }
    return false;
}

static qk_status run(cli *cli, int argc, char **argv)
{
    qk_status rc = cli_parse(cli, argc, argv);
    if (rc)
        return rc;
    if (cli->want_help) {
        cli_help(cli, stdout);
        return QK_OK;
    }
    if (cli->want_version)
        return cli_cmd_version.run(cli);
    rc = cli_log_init(cli);
    if (rc)
        return rc;
    return cli->command->run(cli);
}

int main(int argc, char **argv)
{
    cli cli = { .json = wants_json(argc, argv), .err = QK_ERROR_INIT };
    set_locale();
    cli_interrupts_init(cli.json);
    qk_status rc = run(&cli, argc, argv);
    cli_close(&cli);
    qk_error late = QK_ERROR_INIT;
    qk_status flushed = cli_flush(&late);
    if (!rc && flushed) {
        rc = flushed;
        cli.err = late;
    }
    /* A failed job is the answer, not an error of the program: it leaves no message. */
    if (rc && (rc != QK_EJOBFAILED || cli.err.message[0])) {
        cli.err.code = rc;
        cli_error_print(&cli);
    }
    free(cli.given);
    free(cli.words);
    free(cli.tail);
    return rc ? qk_status_exit_code(rc) : cli.exit_code;
}
