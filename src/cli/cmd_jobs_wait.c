/*
 * jobs wait JOB…
 *
 * The file has one owner at a time, and that is where jobs run; so this command opens it for a
 * look, closes it, and comes back. A store that is busy is one where somebody works.
 */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "commands.h"
#include "job_out.h"
#include "values.h"

#define FIRST_PAUSE_US 100000
#define LONGEST_PAUSE_US 1000000

typedef struct watch {
    cli *cli;
    qk_id *ids;
    size_t count;
    size_t failed;
    bool resolved;
} watch;

static int64_t now_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_BOOTTIME, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

/* Prints once everything has ended: that order is the one of the command line. */
static void print_jobs(const watch *watch, qk_job *const *jobs)
{
    if (watch->cli->json)
        putchar('[');
    for (size_t i = 0; i < watch->count; i++) {
        char id[QK_ID_TEXT_SIZE];
        if (watch->cli->json) {
            fputs(i ? ",\n" : "", stdout);
            cli_job_json(stdout, jobs[i]);
        } else if (!watch->cli->quiet) {
            printf("%s %s%s%s\n", qk_id_format(id, jobs[i]->id),
                   cli_colour_on(cli_status_colour(jobs[i]->status)),
                   qk_job_status_name(jobs[i]->status), cli_colour_off());
        }
    }
    if (watch->cli->json)
        puts("]");
}

/* QK_OK: all have ended and are printed; QK_ETIMEDOUT: not yet. */
static qk_status look_at_jobs(watch *watch)
{
    cli *cli = watch->cli;
    qk_job **jobs = calloc(watch->count, sizeof(*jobs));
    qk_status rc = jobs ? QK_OK : cli_error(&cli->err, QK_ENOMEM, "out of memory");
    watch->failed = 0;
    for (size_t i = 0; i < watch->count && !rc; i++) {
        rc = qk_job_get(&jobs[i], cli->queue, watch->ids[i], &cli->err);
        if (!rc && !qk_job_status_is_terminal(jobs[i]->status))
            rc = QK_ETIMEDOUT;
        if (!rc)
            watch->failed += jobs[i]->status != QK_JOB_DONE;
    }
    if (!rc)
        print_jobs(watch, jobs);
    for (size_t i = 0; jobs && i < watch->count; i++)
        qk_job_free(jobs[i]);
    free(jobs);
    return rc;
}

static qk_status look(watch *watch)
{
    cli *cli = watch->cli;
    qk_status rc = cli_open(cli, false);
    if (rc == QK_EBUSY)
        return QK_ETIMEDOUT;
    if (!rc && !watch->resolved) {
        rc = cli_resolve_words(cli, &watch->ids);
        watch->resolved = rc == QK_OK;
    }
    if (!rc)
        rc = look_at_jobs(watch);
    cli_close(cli);
    return rc;
}

static qk_status wait_all(watch *watch, qk_duration limit)
{
    int64_t start = now_us();
    int64_t pause = FIRST_PAUSE_US;
    qk_status rc;
    while ((rc = look(watch)) == QK_ETIMEDOUT) {
        int64_t left = limit.us == QK_FOREVER_US ? pause : limit.us - (now_us() - start);
        if (left <= 0)
            return cli_error(&watch->cli->err, QK_ETIMEDOUT,
                             "not all jobs have ended: give it longer with --timeout, or start "
                             "queuack worker");
        int64_t length = pause < left ? pause : left;
        struct timespec sleep = { length / 1000000, length % 1000000 * 1000 };
        nanosleep(&sleep, NULL);
        pause = pause * 3 / 2 > LONGEST_PAUSE_US ? LONGEST_PAUSE_US : pause * 3 / 2;
    }
    return rc;
}

static qk_status run_wait(cli *cli)
{
    watch watch = { cli, NULL, cli->word_count, 0, false };
    qk_duration limit = qk_forever();
    const char *given = cli_value(cli, "timeout");
    qk_status rc = given ? cli_parse_limit(&limit, "--timeout", given, &cli->err) : QK_OK;
    cli->owner_wait = qk_ms(1); /* this loop does the waiting */
    if (!rc)
        rc = wait_all(&watch, limit);
    free(watch.ids);
    if (!rc && watch.failed) {
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
