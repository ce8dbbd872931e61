/*
 * __complete -- WORD…: candidates for the last word, one a line with a tab and what it means; the
 * line ":files" asks the shell for file names. For the scripts of `completion`; not in the help.
 *
 * It must never be a nuisance: no errors, no waiting for a store in use, none is created.
 */
#include <stdlib.h>
#include <string.h>

#include "commands.h"

typedef struct place {
    const cli_command *command;
    const char *group;
    const cli_option *pending; /* the option whose argument is being typed */
    char prefix[80]; /* "--queue=" where the shell sees one word; else "" */
    const char *current;
    size_t words; /* of the command, before this one */
    bool in_tail;
} place;

static void offer(const place *place, const char *word, const char *meaning)
{
    if (strncmp(word, place->current, strlen(place->current)) != 0 || strpbrk(word, "\t\n"))
        return;
    printf("%s%s\t%.*s\n", place->prefix, word, (int)strcspn(meaning, "\n"), meaning);
}

static const cli_option *find_in(const cli_option *options, const char *text)
{
    size_t length = strcspn(text, "=");
    for (; options && options->name; options++) {
        const char letter[] = { '-', options->letter, '\0' };
        bool is_long = strncmp(text, "--", 2) == 0 && strlen(options->name) == length - 2 &&
                       strncmp(options->name, text + 2, length - 2) == 0;
        if (is_long || (options->letter && strcmp(text, letter) == 0))
            return options;
    }
    return NULL;
}

static const cli_option *find(const place *place, const char *text)
{
    const cli_option *found = place->command ? find_in(place->command->options, text) : NULL;
    return found ? found : find_in(cli_global_options, text);
}

static void take_command_word(place *place, const char *word)
{
    char name[64];
    snprintf(name, sizeof(name), "%s%s%s", place->group ? place->group : "",
             place->group ? " " : "", word);
    if (place->command)
        place->words++;
    else if (!(place->command = cli_command_find(name)) && cli_command_is_group(word))
        place->group = word;
}

/* A store named on the line is the one whose queues are offered. */
static void note_store(const cli_option *option, const char *value)
{
    if (strcmp(option->name, "db") == 0)
        setenv("QUEUACK_DB", value, 1);
}

/* Everything in front of the word being typed. bash parts "--queue=x" into three words. */
static void walk(place *place, const cli *cli)
{
    for (size_t i = 0; i + 1 < cli->tail_count; i++) {
        const char *word = cli->tail[i];
        if (place->in_tail || (place->pending && strcmp(word, "=") == 0))
            continue;
        if (place->pending) {
            note_store(place->pending, word);
            place->pending = NULL;
        } else if (strcmp(word, "--") == 0) {
            place->in_tail = true;
        } else if (word[0] == '-' && word[1]) {
            const cli_option *option = find(place, word);
            const char *equals = strchr(word, '=');
            if (option && option->argument && equals)
                note_store(option, equals + 1);
            else if (option && option->argument)
                place->pending = option;
        } else {
            take_command_word(place, word);
        }
    }
}

static void offer_queues(cli *cli, const place *place)
{
    qk_rows *rows = NULL;
    cli->quiet = true;
    cli->owner_wait = qk_ms(1);
    if (cli_open(cli, false) == QK_OK &&
        qk_rows_open(&rows, cli->queue, "SELECT name FROM queues ORDER BY name LIMIT 1000",
                     qk_seconds(2), &cli->err) == QK_OK) {
        while (qk_rows_next(rows, &cli->err) == QK_OK) {
            if (qk_rows_text(rows, 0))
                offer(place, qk_rows_text(rows, 0), "queue");
        }
    }
    qk_rows_close(rows);
}

/* By what stands for it in the help. */
static void offer_argument(cli *cli, const place *place, const char *argument)
{
    static const char *const modes[] = { "all", "any", "all_done", "one_failed", "none_failed" };
    size_t length = strcspn(argument, " …[");
    if (strncmp(argument, "QUEUE", 5) == 0) {
        offer_queues(cli, place);
    } else if (strncmp(argument, "STATUS", length) == 0 && length) {
        for (int i = 0; i < QK_JOB_STATUS_COUNT; i++)
            offer(place, qk_job_status_name((qk_job_status)i), "status");
    } else if (strncmp(argument, "MODE", length) == 0 && length) {
        for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++)
            offer(place, modes[i], "dependency mode");
    } else if (strncmp(argument, "SHELL", 5) == 0) {
        offer(place, "bash", "shell");
        offer(place, "zsh", "shell");
        offer(place, "fish", "shell");
    } else if (strncmp(argument, "THEME", 5) == 0) {
        for (int i = 0; i < QK_THEME_COUNT; i++)
            offer(place, qk_theme_name((qk_theme)i), "theme");
    } else if (strstr(argument, "FILE") || strncmp(argument, "DIR", 3) == 0) {
        puts(":files");
    }
}

static void offer_options(const place *place, const cli_option *options)
{
    for (; options && options->name; options++) {
        char word[64];
        snprintf(word, sizeof(word), "--%s", options->name);
        offer(place, word, options->help);
    }
}

/* First words, or the second ones of a group; each once. */
static void offer_commands(const place *place)
{
    const char *last = "";
    for (size_t i = 0; cli_commands[i]; i++) {
        const char *name = cli_commands[i]->name;
        size_t skip = place->group ? strlen(place->group) : 0;
        if (cli_commands[i]->hidden ||
            (skip && (strncmp(name, place->group, skip) != 0 || name[skip] != ' ')))
            continue;
        name += skip ? skip + 1 : 0;
        char word[32];
        size_t length = strcspn(name, " ");
        snprintf(word, sizeof(word), "%.*s", (int)length, name);
        bool again = strncmp(last, word, length) == 0 && (last[length] == ' ' || !last[length]);
        if (!again)
            offer(place, word, name[length] ? "commands" : cli_commands[i]->summary);
        last = name;
    }
}

static void complete(cli *cli, place *place)
{
    const char *equals = strchr(place->current, '=');
    if (place->pending && strcmp(place->current, "=") == 0)
        place->current = "";
    if (!place->pending && !place->in_tail && strncmp(place->current, "--", 2) == 0 && equals) {
        snprintf(place->prefix, sizeof(place->prefix), "%.*s", (int)(equals + 1 - place->current),
                 place->current);
        place->pending = find(place, place->current);
        place->current = equals + 1;
        if (!place->pending)
            return;
    }
    if (place->pending && place->pending->argument) {
        offer_argument(cli, place, place->pending->argument);
    } else if (place->in_tail) {
        puts(":files");
    } else if (place->current[0] == '-') {
        offer_options(place, place->command ? place->command->options : NULL);
        offer_options(place, cli_global_options);
    } else if (!place->command) {
        offer_commands(place);
    } else if (place->command->max_words < 0 || place->words < (size_t)place->command->max_words) {
        offer_argument(cli, place,
                       place->command->synopsis + strspn(place->command->synopsis, "["));
    }
}

static qk_status run_complete(cli *cli)
{
    place place = { .current = "" };
    if (cli->tail_count)
        place.current = cli->tail[cli->tail_count - 1];
    walk(&place, cli);
    complete(cli, &place);
    return QK_OK;
}

const cli_command cli_cmd_complete = {
    .name = "__complete",
    .synopsis = "-- WORD…",
    .summary = "Offer candidates for the last word",
    .takes_tail = true,
    .hidden = true,
    .run = run_complete,
};
