/*
 * doctor: examines the file without opening it as a store. Findings go to stdout as they come (with
 * --json when all are there), the verdict is the exit code.
 */
#include <stdlib.h>
#include <string.h>

#include "commands.h"
#include "progress.h"
#include "text.h"

typedef struct examination {
    cli *cli;
    cli_progress *progress;
    FILE *json; /* the findings so far; NULL: for people */
    bool first;
} examination;

static void on_finding(void *user, qk_finding finding, const char *part, const char *text)
{
    static const char *const words[] = { "good", "note", "damage" };
    static const cli_colour colours[] = { CLI_GREEN, CLI_YELLOW, CLI_RED };
    examination *exam = user;
    bool first = true;
    if (!exam->json) {
        cli_progress_end(exam->progress);
        exam->progress = NULL;
        printf("%s%-7s%s %-11s ", cli_colour_on(colours[finding]), words[finding], cli_colour_off(),
               part);
        cli_put_line(stdout, text);
        putchar('\n');
        fflush(stdout);
        return;
    }
    fputs(exam->first ? "{" : ",\n{", exam->json);
    exam->first = false;
    cli_json_key(exam->json, &first, "finding");
    cli_json_text(exam->json, words[finding]);
    cli_json_key(exam->json, &first, "part");
    cli_json_text(exam->json, part);
    cli_json_key(exam->json, &first, "text");
    cli_json_text(exam->json, text);
    fputc('}', exam->json);
}

static bool on_progress(void *user, uint64_t done, uint64_t total)
{
    examination *exam = user;
    if (!exam->progress)
        exam->progress = cli_progress_start(exam->cli, "reading", 1);
    if (total)
        cli_progress_at(exam->progress, done, total, NULL);
    return cli_interrupted == 0;
}

static void print_json(const char *path, qk_status rc, const char *findings)
{
    bool first = true;
    putchar('{');
    cli_json_key(stdout, &first, "path");
    cli_json_text(stdout, path);
    cli_json_key(stdout, &first, "sound");
    fputs(rc ? "false" : "true", stdout);
    cli_json_key(stdout, &first, "findings");
    printf("[%s]}\n", findings ? findings : "");
}

/* Whether the file was there to be looked at, so that there is a verdict. */
static bool examined(qk_status rc)
{
    return rc == QK_OK || rc == QK_EDAMAGED;
}

static qk_status examine(cli *cli, const char *path)
{
    char *findings = NULL;
    size_t size = 0;
    examination exam = { cli, NULL, NULL, true };
    qk_check_options options = QK_CHECK_OPTIONS_INIT;
    if (cli->json && !(exam.json = open_memstream(&findings, &size)))
        return cli_error(&cli->err, QK_ENOMEM, "out of memory");
    options.save_to = cli_value(cli, "save-to");
    options.overwrite = cli_has(cli, "force");
    options.found = on_finding;
    options.found_user = &exam;
    options.progress = on_progress;
    options.progress_user = &exam;
    cli_interrupts_defer(1);
    qk_status rc = qk_store_check(path, &options, &cli->err);
    cli_progress_end(exam.progress);
    bool good = !exam.json || fclose(exam.json) == 0;
    if (cli->json && good && examined(rc))
        print_json(path, rc, findings);
    free(findings);
    if (rc == QK_ENOTFOUND)
        cli->err.code = rc = QK_ESTORE; /* a missing store is not a missing job */
    if (rc == QK_ECONFLICT)
        rc =
            cli_error(&cli->err, rc, "%.400s exists: name another file, or replace it with --force",
                      options.save_to);
    if (rc == QK_EDAMAGED && !options.save_to)
        rc = cli_error(&cli->err, rc,
                       "%.300s is damaged: restore a backup, or queuack doctor --save-to FILE "
                       "writes what can be read to a new store",
                       path);
    return rc;
}

static qk_status run_doctor(cli *cli)
{
    const char *path = cli->word_count ? cli->words[0] : cli_store_url(cli);
    if (cli->word_count && cli_has(cli, "db"))
        return cli_error(&cli->err, QK_EINVAL,
                         "the file is named twice: give it with --db or by itself");
    return examine(cli, path);
}

static const cli_option options[] = {
    { "save-to", 0, "FILE", "Write what can be read to a new store", false },
    { "force", 0, NULL, "Replace the file of --save-to if it exists", false },
    { 0 },
};

const cli_command cli_cmd_doctor = {
    .name = "doctor",
    .synopsis = "[FILE] [--save-to FILE]",
    .summary = "Examine a store's file; save what can be read of a damaged one",
    .help =
        "It looks at the file, its lock and log, reads every row, and checks the journal and the\n"
        "jobs, all on a copy in $TMPDIR: the file itself is never changed. Exit code 0 if it is\n"
        "sound, 5 if it is damaged, missing, in use or no store, which the message tells.",
    .options = options,
    .max_words = 1,
    .run = run_doctor,
};
