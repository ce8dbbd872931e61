/*
 * Reading the command line by the table of commands. Global options stand anywhere before "--";
 * those of a command stand anywhere behind its name.
 */
#include <stdlib.h>
#include <string.h>

#include "cli.h"

static const cli_option *find_in(const cli_option *options, const char *name, size_t length,
                                 char letter)
{
    for (; options && options->name; options++) {
        if (letter ? options->letter == letter
                   : strlen(options->name) == length && memcmp(options->name, name, length) == 0)
            return options;
    }
    return NULL;
}

static const cli_option *find_option(const cli *cli, const char *name, size_t length, char letter)
{
    const cli_option *found =
        cli->command ? find_in(cli->command->options, name, length, letter) : NULL;
    return found ? found : find_in(cli_global_options, name, length, letter);
}

static qk_status unknown_option(cli *cli, const char *text)
{
    char name[64];
    cli_nearest nearest = { name, NULL, 0 };
    snprintf(name, sizeof(name), "%.*s", (int)strcspn(text, "="), text);
    const char *bare = name + strspn(name, "-");
    nearest.word = bare;
    for (const cli_option *o = cli->command ? cli->command->options : NULL; o && o->name; o++)
        cli_nearest_try(&nearest, o->name);
    for (const cli_option *o = cli_global_options; o->name; o++)
        cli_nearest_try(&nearest, o->name);
    const char *found = strncmp(name, "--", 2) == 0 ? cli_nearest_found(&nearest) : NULL;
    if (found)
        return cli_error(&cli->err, QK_EINVAL, "unknown option \"%s\": did you mean --%s?", name,
                         found);
    if (!cli->command)
        return cli_error(&cli->err, QK_EINVAL,
                         "unknown option \"%s\": a command's options follow its name", name);
    return cli_error(&cli->err, QK_EINVAL, "unknown option \"%s\": see queuack %s --help", name,
                     cli->command->name);
}

/* Notes an option; the global flags take effect at once. */
static qk_status give(cli *cli, const cli_option *option, const char *value)
{
    static const struct {
        const char *name;
        size_t offset;
    } flags[] = {
        { "json", offsetof(struct cli, json) },
        { "quiet", offsetof(struct cli, quiet) },
        { "help", offsetof(struct cli, want_help) },
        { "version", offsetof(struct cli, want_version) },
    };
    if (!option->repeats && cli_has(cli, option->name) && option->argument)
        return cli_error(&cli->err, QK_EINVAL, "--%s is given twice: give it once", option->name);
    cli->given[cli->given_count++] = (cli_given){ option, value };
    if (strcmp(option->name, "verbose") == 0)
        cli->verbose++;
    for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++) {
        if (strcmp(option->name, flags[i].name) == 0)
            *(bool *)((char *)cli + flags[i].offset) = true;
    }
    return QK_OK;
}

/* --name, --name=value, --name value. *at moves past a value taken from the next word. */
static qk_status read_long(cli *cli, int argc, char **argv, int *at)
{
    const char *text = argv[*at];
    size_t length = strcspn(text + 2, "=");
    const cli_option *option = find_option(cli, text + 2, length, 0);
    const char *value = text[2 + length] == '=' ? text + 3 + length : NULL;
    if (!option)
        return unknown_option(cli, text);
    if (!option->argument && value)
        return cli_error(&cli->err, QK_EINVAL, "--%s takes no value: leave out \"=%.40s\"",
                         option->name, value);
    if (option->argument && !value) {
        if (*at + 1 >= argc)
            return cli_error(&cli->err, QK_EINVAL, "--%s needs a value: --%s %s", option->name,
                             option->name, option->argument);
        value = argv[++*at];
    }
    return give(cli, option, value);
}

/* -x, -xVALUE, -x VALUE; flags may be joined. */
static qk_status read_short(cli *cli, int argc, char **argv, int *at)
{
    for (const char *text = argv[*at] + 1; *text; text++) {
        const char shown[] = { '-', *text, '\0' };
        const cli_option *option = find_option(cli, NULL, 0, *text);
        if (!option)
            return unknown_option(cli, shown);
        if (!option->argument) {
            qk_status rc = give(cli, option, NULL);
            if (rc)
                return rc;
            continue;
        }
        const char *value = text[1] ? text + 1 + (text[1] == '=') : NULL;
        if (!value && *at + 1 >= argc)
            return cli_error(&cli->err, QK_EINVAL, "%s needs a value: %s %s", shown, shown,
                             option->argument);
        return give(cli, option, value ? value : argv[++*at]);
    }
    return QK_OK;
}

/* Candidates are first words, or the second words of the group that was named. */
static qk_status unknown_command(cli *cli, const char *word)
{
    cli_nearest nearest = { word, NULL, 0 };
    const char *group = cli->group ? cli->group : "";
    const char *space = cli->group ? " " : "";
    size_t skip = strlen(group);
    char best[32] = "";
    for (size_t i = 0; cli_commands[i]; i++) {
        char part[32];
        const char *name = cli_commands[i]->name;
        if (cli_commands[i]->hidden)
            continue;
        if (skip && (strncmp(name, group, skip) != 0 || name[skip] != ' '))
            continue;
        name += skip ? skip + 1 : 0;
        snprintf(part, sizeof(part), "%.*s", (int)strcspn(name, " "), name);
        cli_nearest_try(&nearest, part);
        if (nearest.best == part) {
            memcpy(best, part, sizeof(best));
            nearest.best = best;
        }
    }
    const char *found = cli_nearest_found(&nearest);
    if (found)
        return cli_error(&cli->err, QK_EINVAL,
                         "unknown command \"%s%s%.40s\": did you mean \"%s%s%s\"?", group, space,
                         word, group, space, found);
    return cli_error(&cli->err, QK_EINVAL, "unknown command \"%s%s%.40s\": see queuack %s%s--help",
                     group, space, word, group, space);
}

/* A word in front of the command's arguments: its name, or the first or second part of it. */
static qk_status read_command_word(cli *cli, const char *word)
{
    char name[64];
    snprintf(name, sizeof(name), "%s%s%s", cli->group ? cli->group : "", cli->group ? " " : "",
             word);
    cli->command = cli_command_find(name);
    if (cli->command)
        return QK_OK;
    if (cli->group || !cli_command_is_group(word))
        return unknown_command(cli, word);
    cli->group = word;
    return QK_OK;
}

static void take_tail(cli *cli, int argc, char **argv, int at)
{
    bool apart = cli->command && cli->command->takes_tail;
    cli->has_tail = apart;
    for (; at < argc; at++) {
        if (apart)
            cli->tail[cli->tail_count++] = argv[at];
        else
            cli->words[cli->word_count++] = argv[at];
    }
}

static qk_status check_words(cli *cli)
{
    const cli_command *command = cli->command;
    if (!command && cli->group)
        return cli_error(&cli->err, QK_EINVAL, "\"%s\" needs a second word: see queuack %s --help",
                         cli->group, cli->group);
    if (!command)
        return cli_error(&cli->err, QK_EINVAL, "no command is given: see queuack --help");
    if ((int)cli->word_count < command->min_words)
        return cli_error(&cli->err, QK_EINVAL, "\"%s\" needs more: queuack %s %s", command->name,
                         command->name, command->synopsis);
    if (command->max_words >= 0 && (int)cli->word_count > command->max_words)
        return cli_error(&cli->err, QK_EINVAL, "\"%.40s\" is one word too many: queuack %s %s",
                         cli->words[command->max_words], command->name, command->synopsis);
    return QK_OK;
}

qk_status cli_parse(cli *cli, int argc, char **argv)
{
    size_t room = (size_t)argc + 1;
    qk_status rc = QK_OK;
    cli->given = calloc(room, sizeof(*cli->given));
    cli->words = calloc(room, sizeof(*cli->words));
    cli->tail = calloc(room, sizeof(*cli->tail));
    if (!cli->given || !cli->words || !cli->tail)
        return cli_error(&cli->err, QK_ENOMEM, "out of memory");
    for (int at = 1; at < argc && !rc; at++) {
        const char *text = argv[at];
        if (strcmp(text, "--") == 0) {
            take_tail(cli, argc, argv, at + 1);
            break;
        }
        if (strncmp(text, "--", 2) == 0)
            rc = read_long(cli, argc, argv, &at);
        else if (text[0] == '-' && text[1])
            rc = read_short(cli, argc, argv, &at);
        else if (!cli->command)
            rc = read_command_word(cli, text);
        else
            cli->words[cli->word_count++] = text;
    }
    if (rc || cli->want_help || cli->want_version)
        return rc;
    return check_words(cli);
}

bool cli_has(const cli *cli, const char *option)
{
    for (size_t i = 0; i < cli->given_count; i++) {
        if (strcmp(cli->given[i].option->name, option) == 0)
            return true;
    }
    return false;
}

const char *cli_value(const cli *cli, const char *option)
{
    const char *value = NULL;
    for (size_t i = 0; i < cli->given_count; i++) {
        if (strcmp(cli->given[i].option->name, option) == 0)
            value = cli->given[i].value;
    }
    return value;
}

const char *cli_next_value(const cli *cli, const char *option, size_t *at)
{
    for (; *at < cli->given_count; (*at)++) {
        if (strcmp(cli->given[*at].option->name, option) == 0)
            return cli->given[(*at)++].value;
    }
    return NULL;
}
