/*
 * runs wait, runs retry, runs cancel, runs pause, runs resume
 */
#include <inttypes.h>
#include <string.h>

#include "commands.h"
#include "run_args.h"
#include "values.h"

static qk_status find_run(cli *cli, qk_id *out)
{
    qk_status rc = cli_open(cli, false);
    return rc ? rc : cli_resolve_run(cli, out, cli->words[0]);
}

static qk_status tell(cli *cli, qk_id id, const char *what)
{
    qk_run_progress progress;
    char text[QK_ID_TEXT_SIZE];
    qk_status rc = qk_run_progress_get(&progress, cli->queue, id, &cli->err);
    if (rc)
        return rc;
    if (cli->json) {
        fputs("{\"id\":", stdout);
        cli_json_id(stdout, id);
        printf(",\"status\":\"%s\"}\n", qk_run_status_name(progress.status));
    } else if (!cli->quiet) {
        printf("%s: %s\n", qk_id_format(text, id), what);
    }
    return QK_OK;
}

static qk_status change(cli *cli, qk_status (*call)(qk_queue *, qk_id, qk_error *),
                        const char *what)
{
    qk_id id;
    qk_status rc = find_run(cli, &id);
    if (!rc)
        rc = call(cli->queue, id, &cli->err);
    return rc ? rc : tell(cli, id, what);
}

static qk_status run_cancel(cli *cli)
{
    return change(cli, qk_run_cancel, "cancelled");
}

static qk_status run_pause(cli *cli)
{
    return change(cli, qk_run_pause, "paused");
}

static qk_status run_resume(cli *cli)
{
    return change(cli, qk_run_resume, "resumed");
}

static qk_status run_retry(cli *cli)
{
    qk_id id;
    const char *from = cli_value(cli, "from");
    qk_status rc = find_run(cli, &id);
    if (!rc)
        rc = from ? qk_run_retry_from(cli->queue, id, from, &cli->err)
                  : qk_run_retry(cli->queue, id, &cli->err);
    return rc ? rc : tell(cli, id, "opened again");
}

/* Lines for people on stderr while it goes on. */
static bool show(void *user, const qk_run_progress *progress)
{
    const cli *cli = user;
    if (!cli->json && !cli->quiet && cli_is_terminal())
        fprintf(stderr, "\r%" PRIu64 "/%" PRIu64 " done, %" PRIu64 " failed, %" PRIu64 " running ",
                progress->counts[QK_JOB_DONE], progress->total, progress->counts[QK_JOB_FAILED],
                progress->counts[QK_JOB_CLAIMED]);
    return !cli_interrupted;
}

static qk_status run_wait(cli *cli)
{
    qk_id id;
    qk_run_progress progress;
    qk_duration timeout = qk_forever();
    const char *text = cli_value(cli, "timeout");
    qk_status rc = text ? cli_parse_duration(&timeout, "--timeout", text, &cli->err) : QK_OK;
    if (!rc)
        rc = find_run(cli, &id);
    if (!rc)
        rc = qk_run_wait(&progress, cli->queue, id, timeout, show, cli, &cli->err);
    if (!rc)
        rc = tell(cli, id, qk_run_status_name(progress.status));
    return rc ? rc : progress.status == QK_RUN_DONE ? QK_OK : QK_EJOBFAILED;
}

static const cli_option wait_options[] = {
    { "timeout", 't', "DURATION", "give up after this long: exit code 6", false },
    { 0 },
};

static const cli_option retry_options[] = {
    { "from", 0, "NODE", "this node and everything downstream, done or not", false },
    { 0 },
};

const cli_command cli_cmd_runs_wait = {
    .name = "runs wait",
    .synopsis = "[OPTION]… RUN",
    .summary = "Wait until a run has ended",
    .help = "Exit code 1 if it did not end well.",
    .options = wait_options,
    .min_words = 1,
    .max_words = 1,
    .run = run_wait,
};

const cli_command cli_cmd_runs_retry = {
    .name = "runs retry",
    .synopsis = "[--from NODE] RUN",
    .summary = "Run again what failed in a run, at every depth",
    .help = "Opens nodes that failed, were cancelled or skipped for a failure. Done nodes stay.",
    .options = retry_options,
    .min_words = 1,
    .max_words = 1,
    .run = run_retry,
};

const cli_command cli_cmd_runs_cancel = {
    .name = "runs cancel",
    .synopsis = "RUN",
    .summary = "Cancel what has not ended in a run, at every depth",
    .min_words = 1,
    .max_words = 1,
    .run = run_cancel,
};

const cli_command cli_cmd_runs_pause = {
    .name = "runs pause",
    .synopsis = "RUN",
    .summary = "Start no further node of a run, at every depth",
    .min_words = 1,
    .max_words = 1,
    .run = run_pause,
};

const cli_command cli_cmd_runs_resume = {
    .name = "runs resume",
    .synopsis = "RUN",
    .summary = "Let a paused run go on",
    .min_words = 1,
    .max_words = 1,
    .run = run_resume,
};
