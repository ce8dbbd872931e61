/*
 * See man.h. The pages use the man(7) macros that groff and mandoc both know.
 */
#include "man.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define AREA "Queuack manual"

/* Text is text: no line of it may be taken for a request, no backslash for an escape. */
static void put(FILE *out, const char *text)
{
    for (const char *at = text; *at; at++) {
        if ((at == text || at[-1] == '\n') && (*at == '.' || *at == '\''))
            fputs("\\&", out);
        if (*at == '\\')
            fputs("\\e", out);
        else if (*at == '-')
            fputs("\\-", out);
        else if (*at == '"')
            fputs("\\(dq", out);
        else
            fputc(*at, out);
    }
}

/* Paragraphs are flowed; indented lines are kept as they stand. The caller has begun a paragraph. */
static void put_prose(FILE *out, const char *text)
{
    bool kept = false, begun = true;
    while (*text) {
        size_t length = strcspn(text, "\n");
        char line[512];
        snprintf(line, sizeof(line), "%.*s", (int)length, text);
        bool keep = line[0] == ' ';
        if (kept && !keep)
            fputs(".fi\n", out);
        if (!begun && (length == 0 || (keep && !kept)))
            fputs(".PP\n", out); /* readers complain of empty paragraphs */
        begun = length == 0;
        if (keep && !kept)
            fputs(".nf\n", out);
        kept = keep;
        if (length > 0) {
            put(out, line);
            fputc('\n', out);
        }
        text += length + (text[length] == '\n');
    }
    if (kept)
        fputs(".fi\n", out);
}

static void put_options(FILE *out, const cli_option *options)
{
    for (; options && options->name; options++) {
        fputs(".TP\n", out);
        if (options->letter)
            fprintf(out, "\\fB\\-%c\\fR, ", options->letter);
        fputs("\\fB\\-\\-", out);
        put(out, options->name);
        fputs("\\fR", out);
        if (options->argument) {
            fputs(" \\fI", out);
            put(out, options->argument);
            fputs("\\fR", out);
        }
        fputc('\n', out);
        put(out, options->help);
        fputs(options->repeats ? ". May be given more than once.\n" : ".\n", out);
    }
}

static void put_head(FILE *out, const char *title, const char *name, const char *summary)
{
    fputs(".TH ", out);
    put(out, title);
    fprintf(out, " 1 \"\" \"Queuack %s\" \"" AREA "\"\n.SH NAME\n", qk_version());
    put(out, name);
    fputs(" \\- ", out);
    put(out, summary);
    fputc('\n', out);
}

static void put_tail(FILE *out)
{
    fputs(
        ".SH EXIT STATUS\n"
        "0 good; 1 a job failed; 2 usage; 3 not found; 4 refused; 5 the store cannot be reached\n"
        "or is damaged; 6 a wait timed out; 130 interrupted.\n"
        ".SH ENVIRONMENT\n"
        ".TP\n\\fBQUEUACK_STORES\\fR\nOther stores for sub-DAGs, as \\fB\\-\\-store\\fR takes them, with ; between several.\n"
        ".TP\n\\fBQUEUACK_DB\\fR\nThe store, where \\fB\\-\\-db\\fR is not given; "
        "\\&./queuack.duckdb without either.\n"
        ".TP\n\\fBNO_COLOR\\fR\nIf it is set and not empty: no colours.\n",
        out);
}

static void put_command(FILE *out, const cli_command *command, const char *page)
{
    put_head(out, page, page, command->summary);
    fputs(".SH SYNOPSIS\n\\fBqueuack ", out);
    put(out, command->name);
    fputs("\\fR ", out);
    put(out, command->synopsis);
    fputs("\n.SH DESCRIPTION\n", out);
    put(out, command->summary);
    fputs(".\n", out);
    if (command->help) {
        fputs(".PP\n", out);
        put_prose(out, command->help);
    }
    if (command->options && command->options->name) {
        fputs(".SH OPTIONS\n", out);
        put_options(out, command->options);
    }
    fputs(".SH GLOBAL OPTIONS\n", out);
    put_options(out, cli_global_options);
    put_tail(out);
    fputs(".SH SEE ALSO\n.BR queuack (1)\n", out);
}

/* queuack-jobs-list */
static void page_name(char out[64], const cli_command *command)
{
    snprintf(out, 64, "queuack-%s", command->name);
    for (char *at = out; *at; at++) {
        if (*at == ' ')
            *at = '-';
    }
}

static void put_overview(FILE *out)
{
    put_head(out, "queuack", "queuack", "A durable job queue in one DuckDB file");
    fputs(
        ".SH SYNOPSIS\n\\fBqueuack\\fR [\\fIOPTION\\fR]... \\fICOMMAND\\fR ...\n"
        ".SH DESCRIPTION\nJobs and their whole history live in a single DuckDB file. No server is "
        "needed.\n.SH COMMANDS\n",
        out);
    for (size_t i = 0; cli_commands[i]; i++) {
        char page[64];
        if (cli_commands[i]->hidden)
            continue;
        page_name(page, cli_commands[i]);
        fputs(".TP\n\\fB", out);
        put(out, cli_commands[i]->name);
        fputs("\\fR\n", out);
        put(out, cli_commands[i]->summary);
        fputs(": see\n.BR ", out);
        put(out, page);
        fputs(" (1).\n", out);
    }
    fputs(".SH GLOBAL OPTIONS\nThey stand before or after the command.\n", out);
    put_options(out, cli_global_options);
    put_tail(out);
}

/* One page; NULL: the overview. */
static qk_status write_page(cli *cli, const char *folder, const cli_command *command)
{
    char page[64] = "queuack";
    char path[PATH_MAX];
    if (command)
        page_name(page, command);
    if (snprintf(path, sizeof(path), "%s/%s.1", folder, page) >= (int)sizeof(path))
        return cli_error(&cli->err, QK_EINVAL, "the path is too long: use a shorter one");
    FILE *out = fopen(path, "we");
    if (!out)
        return cli_error_errno(&cli->err, QK_EIO, errno, "cannot write %.400s", path);
    if (command)
        put_command(out, command, page);
    else
        put_overview(out);
    bool failed = ferror(out) != 0;
    if (fclose(out) != 0 || failed)
        return cli_error_errno(&cli->err, QK_EIO, errno, "cannot write %.400s", path);
    return QK_OK;
}

qk_status cli_write_man(cli *cli, const char *folder)
{
    if (mkdir(folder, 0777) != 0 && errno != EEXIST)
        return cli_error_errno(&cli->err, QK_EIO, errno, "cannot make the folder %.400s", folder);
    qk_status rc = write_page(cli, folder, NULL);
    for (size_t i = 0; cli_commands[i] && !rc; i++) {
        if (!cli_commands[i]->hidden)
            rc = write_page(cli, folder, cli_commands[i]);
    }
    return rc;
}
