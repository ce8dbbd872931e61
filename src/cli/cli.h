/*
 * The program's frame: commands and options as data, what was given, the open store, errors.
 *
 * A command is a cli_command with its options and a function; main.c parses by that table, opens
 * nothing by itself, calls the function, and prints the one error it may have left in cli->err.
 * Help, suggestions and `help --json` (for man pages and completions) read the same table. The
 * program has one thread; only the callbacks of a worker pool run on others, and say so.
 */
#ifndef CLI_CLI_H
#define CLI_CLI_H

#include <stdio.h>

#include <queuack/queuack.h>

typedef struct cli cli;

typedef struct cli_option {
    const char *name; /* long name without the dashes; NULL ends a list */
    char letter; /* 0: none */
    const char *argument; /* what stands for its argument in help; NULL: a flag */
    const char *help;
    bool repeats; /* may be given more than once */
} cli_option;

typedef struct cli_command {
    const char *name; /* "jobs list" */
    const char *synopsis; /* what follows the name */
    const char *summary; /* one line */
    const char *help; /* the rest, or NULL */
    const cli_option *options;
    int min_words, max_words; /* max_words -1: any number */
    bool takes_tail; /* words after "--" are kept apart */
    bool hidden; /* for scripts: neither in the help nor in the manual */
    qk_status (*run)(cli *cli);
} cli_command;

/* An option as it was given. */
typedef struct cli_given {
    const cli_option *option;
    const char *value; /* NULL: a flag */
} cli_given;

struct cli {
    const cli_command *command;
    cli_given *given;
    size_t given_count;
    const char **words;
    size_t word_count;
    const char **tail; /* what followed "--" */
    size_t tail_count;
    bool has_tail;
    bool json, quiet;
    int verbose;
    bool log_records, log_off; /* log.c: records in place of remarks; nothing at all */
    qk_log_level log_level;
    qk_log_sink log_sink;
    bool want_help, want_version;
    const char *group; /* first word of a command of two, while the second is awaited */
    qk_duration owner_wait; /* how long cli_open waits for another owner; 0: the default */
    qk_queue *queue;
    int exit_code; /* of a run without an error: that of a job; usually 0 */
    qk_error err;
};

/* table.c: every command, in the order of help. */
extern const cli_command *const cli_commands[];
extern const cli_option cli_global_options[];
const cli_command *cli_command_find(const char *name);
/* True if it is the first word of commands of two. */
bool cli_command_is_group(const char *word);

/* args.c: fills `cli` from argv; frees nothing on failure. */
qk_status cli_parse(cli *cli, int argc, char **argv);
bool cli_has(const cli *cli, const char *option);
/* The last value given, or NULL. */
const char *cli_value(const cli *cli, const char *option);
/* The value of the (*at)-th or later time it was given; advances *at. NULL: no more. */
const char *cli_next_value(const cli *cli, const char *option, size_t *at);

/* suggest.c: the candidate nearest to `word`, or NULL if none is near. */
typedef struct cli_nearest {
    const char *word;
    const char *best;
    size_t distance;
} cli_nearest;
void cli_nearest_try(cli_nearest *nearest, const char *candidate);
const char *cli_nearest_found(const cli_nearest *nearest);

/* help.c */
void cli_help(const cli *cli, FILE *out);
extern const cli_command cli_cmd_help;

/* error.c: both set err and return the code. Messages: what is wrong: what to do about it. */
qk_status cli_error(qk_error *err, qk_status code, const char *format, ...) QK_PRINTF(3, 4);
qk_status cli_error_errno(qk_error *err, qk_status code, int number, const char *format, ...)
    QK_PRINTF(4, 5);
/* Prints cli->err to stderr as the one line, or as JSON. */
void cli_error_print(const cli *cli);
/* A remark for people on stderr; nothing with --quiet. */
void cli_note(const cli *cli, const char *format, ...) QK_PRINTF(2, 3);
/* Flushes stdout. A closed pipe is not an error, a full disk is. */
qk_status cli_flush(qk_error *err);

/* log.c: what the library says, and how: --log-level, --log-format, -v, --quiet. */
qk_status cli_log_init(cli *cli); /* QK_EINVAL; opens nothing */
void cli_log_options(cli *cli, qk_queue_options *options);
/* A record of our own, if log_records. Any thread. */
void cli_log_record(const cli *cli, qk_log_level level, const char *event,
                    const qk_log_field *fields, size_t count, const char *message);

/* open.c */
const char *cli_store_url(const cli *cli);
/* Opens cli->queue. Only with `create` a missing file is made, which is said on stderr. */
qk_status cli_open(cli *cli, bool create);
void cli_close(cli *cli);

/* resolve.c: JOB as people write it: an id, its last 6 or more hex digits, @1 (the latest). */
qk_status cli_resolve(cli *cli, qk_id *out, const char *text);
/* All words as jobs; *out is an array of cli->word_count ids to be freed. */
qk_status cli_resolve_words(cli *cli, qk_id **out);

/* interrupt.c */
extern volatile int cli_interrupted; /* signals so far, once deferred */
/* At the start: SIGINT and SIGTERM end the program with 130 at once; SIGPIPE is not deadly. */
void cli_interrupts_init(bool json);
/* From now on the first `count` of them only count cli_interrupted up. */
void cli_interrupts_defer(int count);

#endif
