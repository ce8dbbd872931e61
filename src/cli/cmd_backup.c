/*
 * backup FILE
 */
#include <sys/stat.h>

#include "commands.h"
#include "progress.h"
#include "text.h"

static bool on_progress(void *user, uint64_t done, uint64_t total)
{
    cli_progress *progress = user;
    if (total)
        cli_progress_at(progress, done, total, NULL);
    return cli_interrupted == 0;
}

static qk_status run_backup(cli *cli)
{
    const char *path = cli->words[0];
    struct stat info;
    qk_backup_options options = QK_BACKUP_OPTIONS_INIT;
    qk_status rc = cli_open(cli, false);
    if (rc)
        return rc;
    cli_progress *progress = cli_progress_start(cli, "copying", 1);
    options.overwrite = cli_has(cli, "force");
    options.progress = on_progress;
    options.progress_user = progress;
    cli_interrupts_defer(1);
    rc = qk_backup(cli->queue, path, &options, &cli->err);
    cli_progress_end(progress);
    if (rc == QK_ECONFLICT)
        return cli_error(&cli->err, rc,
                         "%.400s exists: name another file, or replace it with --force", path);
    if (rc)
        return rc;
    long long size = stat(path, &info) == 0 ? (long long)info.st_size : 0;
    if (cli->json) {
        fputs("{\"path\":", stdout);
        cli_json_text(stdout, path);
        printf(",\"bytes\":%lld}\n", size);
    } else if (!cli->quiet) {
        cli_put_line(stdout, path);
        printf(": %lld bytes\n", size);
    }
    return QK_OK;
}

static const cli_option options[] = {
    { "force", 0, NULL, "Replace the file if it exists", false },
    { 0 },
};

const cli_command cli_cmd_backup = {
    .name = "backup",
    .synopsis = "FILE [--force]",
    .summary = "Copy the store to a file, as it stands at one moment",
    .help =
        "The file appears when it is complete and on disk. It is a store of its own, for --db and\n"
        "for DuckDB. Jobs that run at the moment of the copy count as interrupted in it.",
    .options = options,
    .min_words = 1,
    .max_words = 1,
    .run = run_backup,
};
