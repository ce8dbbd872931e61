/*
 * jobs wait JOB…
 */
#include "commands.h"
#include "job_out.h"
#include "values.h"
#include "wait.h"

/* Printed once everything has ended: the order is that of the command line. */
static qk_status print_jobs(cli *cli, qk_job *const *jobs, size_t count, void *user)
{
    size_t *failed = user;
    if (cli->json)
        putchar('[');
    for (size_t i = 0; i < count; i++) {
        char id[QK_ID_TEXT_SIZE];
        *failed += jobs[i]->status != QK_JOB_DONE;
        if (cli->json) {
            fputs(i ? ",\n" : "", stdout);
            cli_job_json(stdout, jobs[i]);
        } else if (!cli->quiet) {
            printf("%s %s%s%s\n", qk_id_format(id, jobs[i]->id),
                   cli_colour_on(cli_status_colour(jobs[i]->status)),
                   qk_job_status_name(jobs[i]->status), cli_colour_off());
        }
    }
    if (cli->json)
        puts("]");
    return QK_OK;
}

static qk_status run_wait(cli *cli)
{
    qk_duration limit = qk_forever();
    const char *given = cli_value(cli, "timeout");
    size_t failed = 0;
    qk_status rc = given ? cli_parse_limit(&limit, "--timeout", given, &cli->err) : QK_OK;
    if (!rc)
        rc = cli_wait_ended(cli, NULL, cli->word_count, limit, print_jobs, &failed);
    if (!rc && failed) {
        cli->err.message[0] = '\0';
        return QK_EJOBFAILED;
    }
    return rc;
}

static const cli_option options[] = {
    { "timeout", 0, "DURATION", "Give up after this long, with exit code 6 (default: never)",
      false },
    { 0 },
};

const cli_command cli_cmd_jobs_wait = {
    .name = "jobs wait",
    .synopsis = "JOB… [--timeout DURATION]",
    .summary = "Wait until jobs have ended",
    .help = "Exit code 0 if all are done, 1 if one failed, was skipped or cancelled.",
    .options = options,
    .min_words = 1,
    .max_words = -1,
    .run = run_wait,
};
