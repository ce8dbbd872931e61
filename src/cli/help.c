/*
 * Help from the table of commands: for people as text, and with `help --json` as data, from which
 * man pages and completions are made.
 */
#include <string.h>

#include "cli.h"
#include "man.h"
#include "text.h"

static void put_options(FILE *out, const cli_option *options)
{
    for (; options && options->name; options++) {
        char left[64];
        int length = snprintf(left, sizeof(left), "  %c%c%s --%s%s%s", options->letter ? '-' : ' ',
                              options->letter ? options->letter : ' ', options->letter ? "," : " ",
                              options->name, options->argument ? " " : "",
                              options->argument ? options->argument : "");
        if (length > 28)
            fprintf(out, "%s\n%-30s", left, "");
        else
            fprintf(out, "%-30s", left);
        fprintf(out, "%s%s\n", options->help, options->repeats ? " (repeatable)" : "");
    }
}

static void help_command(const cli_command *command, FILE *out)
{
    fprintf(out, "Usage: queuack %s %s\n\n%s.\n", command->name, command->synopsis,
            command->summary);
    if (command->help)
        fprintf(out, "\n%s\n", command->help);
    if (command->options && command->options->name) {
        fputs("\nOptions:\n", out);
        put_options(out, command->options);
    }
    fputs("\nGlobal options:\n", out);
    put_options(out, cli_global_options);
}

static void help_all(const char *group, FILE *out)
{
    size_t length = group ? strlen(group) : 0;
    fprintf(out, "Usage: queuack [OPTION]… %s%sCOMMAND …\n\n", group ? group : "",
            group ? " " : "");
    if (!group)
        fputs("A durable job queue in one DuckDB file.\n\n", out);
    fputs("Commands:\n", out);
    for (size_t i = 0; cli_commands[i]; i++) {
        const cli_command *command = cli_commands[i];
        if (command->hidden)
            continue;
        if (group && (strncmp(command->name, group, length) != 0 || command->name[length] != ' '))
            continue;
        fprintf(out, "  %-16s %s\n", command->name, command->summary);
    }
    fputs("\nGlobal options, before or after the command:\n", out);
    put_options(out, cli_global_options);
    fputs("\nThe store is --db, else $QUEUACK_DB, else ./queuack.duckdb.\n"
          "queuack COMMAND --help tells more about one.\n",
          out);
}

void cli_help(const cli *cli, FILE *out)
{
    if (cli->command)
        help_command(cli->command, out);
    else
        help_all(cli->group, out);
}

static void json_options(FILE *out, const cli_option *options)
{
    fputc('[', out);
    for (const cli_option *option = options; option && option->name; option++) {
        const char letter[] = { option->letter, '\0' };
        bool first = true;
        fputs(option == options ? "{" : ",{", out);
        cli_json_key(out, &first, "name");
        cli_json_text(out, option->name);
        cli_json_key(out, &first, "letter");
        cli_json_text(out, option->letter ? letter : NULL);
        cli_json_key(out, &first, "argument");
        cli_json_text(out, option->argument);
        cli_json_key(out, &first, "help");
        cli_json_text(out, option->help);
        cli_json_key(out, &first, "repeats");
        fputs(option->repeats ? "true}" : "false}", out);
    }
    fputc(']', out);
}

static void json_command(FILE *out, const cli_command *command)
{
    bool first = true;
    fputc('{', out);
    cli_json_key(out, &first, "name");
    cli_json_text(out, command->name);
    cli_json_key(out, &first, "synopsis");
    cli_json_text(out, command->synopsis);
    cli_json_key(out, &first, "summary");
    cli_json_text(out, command->summary);
    cli_json_key(out, &first, "help");
    cli_json_text(out, command->help);
    cli_json_key(out, &first, "options");
    json_options(out, command->options);
    fputc('}', out);
}

static void help_json(const cli_command *only)
{
    fputs("{\"options\":", stdout);
    json_options(stdout, cli_global_options);
    fputs(",\"commands\":[", stdout);
    bool first = true;
    for (size_t i = 0; cli_commands[i]; i++) {
        if (cli_commands[i]->hidden || (only && only != cli_commands[i]))
            continue;
        if (!first)
            fputc(',', stdout);
        first = false;
        json_command(stdout, cli_commands[i]);
    }
    fputs("]}\n", stdout);
}

static qk_status run_help(cli *cli)
{
    char name[64] = "";
    if (cli_has(cli, "man-dir"))
        return cli_write_man(cli, cli_value(cli, "man-dir"));
    for (size_t i = 0; i < cli->word_count; i++) {
        size_t used = strlen(name);
        snprintf(name + used, sizeof(name) - used, "%s%s", used ? " " : "", cli->words[i]);
    }
    const cli_command *command = cli_command_find(name);
    bool group = cli->word_count == 1 && cli_command_is_group(name);
    if (*name && !command && !group)
        return cli_error(&cli->err, QK_EINVAL,
                         "there is no command \"%s\": queuack --help lists them", name);
    if (cli->json)
        help_json(command);
    else if (command)
        help_command(command, stdout);
    else
        help_all(group ? name : NULL, stdout);
    return QK_OK;
}

static const cli_option options[] = {
    { "man-dir", 0, "DIR", "Write the manual pages of all commands to a folder", false },
    { 0 },
};

const cli_command cli_cmd_help = {
    .name = "help",
    .synopsis = "[COMMAND]",
    .summary = "Tell about a command",
    .help = "With --json the whole table of commands and options, for tools.",
    .options = options,
    .max_words = 2,
    .run = run_help,
};
