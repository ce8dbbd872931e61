/*
 * enqueue KIND | -- CMD ARG… | --batch FILE
 */
#include <stdlib.h>
#include <string.h>

#include "alive.h"
#include "batch.h"
#include "commands.h"
#include "enqueue_wait.h"
#include "job_args.h"
#include "text.h"

static bool has_workers(cli *cli)
{
    cli_workers workers;
    qk_error before = cli->err;
    bool found = cli_workers_count(cli, &workers, NULL) == QK_OK && workers.alive > 0;
    cli->err = before;
    return found;
}

static void print_enqueued(cli *cli, const qk_enqueued *done)
{
    char id[QK_ID_TEXT_SIZE];
    qk_id_format(id, done->id);
    if (cli->json && !cli_has(cli, "wait")) {
        printf("{\"id\":\"%s\",\"duplicate\":%s}\n", id, done->duplicate ? "true" : "false");
        return;
    }
    if (!cli_has(cli, "wait"))
        puts(id);
    else if (!cli->json)
        cli_note(cli, "waiting for job %s", id);
    if (done->duplicate)
        cli_note(cli, "the job was there already: nothing was enqueued");
    else if (cli_is_terminal() && !cli->quiet && !has_workers(cli))
        cli_note(cli, "nothing is there to run it yet: start queuack worker");
}

static qk_status submit(cli *cli, job_args *args, const char *kind, const char *payload)
{
    qk_job_spec spec = { kind, payload, &args->options };
    qk_enqueued done;
    qk_status rc = cli_open(cli, true);
    if (!rc)
        rc = job_args_needs(cli, args);
    if (rc)
        return rc;
    rc = qk_enqueue_batch(&done, cli->queue, &spec, 1, &cli->err);
    if (!rc) {
        print_enqueued(cli, &done);
        rc = cli_has(cli, "wait") ? cli_enqueue_wait(cli, &done) : QK_OK;
    } else if (strncmp(cli->err.message, "job 0: ", 7) == 0) {
        memmove(cli->err.message, cli->err.message + 7, strlen(cli->err.message + 7) + 1);
    }
    return rc;
}

static qk_status refuse(cli *cli, const char *const *options, const char *why)
{
    for (size_t i = 0; options[i]; i++) {
        if (cli_has(cli, options[i]))
            return cli_error(&cli->err, QK_EINVAL, "--%s does not fit here: %s", options[i], why);
    }
    return QK_OK;
}

static qk_status check_form(cli *cli)
{
    static const char *const batch_only[] = { "again", "batch-key", NULL };
    static const char *const command_only[] = { "directory", "env", "slots", NULL };
    static const char *const kind_only[] = { "data", NULL };
    static const char *const single_only[] = { "data", "unique", "needs", "name", "id",
                                               "env",  "slots",  "wait",  NULL };
    bool batch = cli_has(cli, "batch");
    int forms = batch + cli->has_tail + (cli->word_count > 0);
    if (forms != 1 || (cli->has_tail && cli->tail_count == 0))
        return cli_error(&cli->err, QK_EINVAL,
                         forms > 1 ? "say it one way only: KIND, \"-- CMD ARG…\" or --batch FILE"
                                   : "nothing to enqueue: give KIND, \"-- CMD ARG…\" or --batch "
                                     "FILE");
    if (batch)
        return refuse(cli, single_only, "write it into the lines of the batch");
    qk_status rc = refuse(cli, batch_only, "it belongs to --batch");
    if (!rc)
        rc = cli->has_tail
                 ? refuse(cli, kind_only, "a command takes its arguments after \"--\"")
                 : refuse(cli, command_only, "it belongs to a command: queuack enqueue -- CMD");
    return rc;
}

static qk_status run_single(cli *cli)
{
    job_args args;
    char *payload = NULL;
    const char *kind = cli->has_tail ? "command" : cli->words[0];
    qk_status rc = job_args_read(cli, &args);
    if (!rc)
        rc = job_check_name("the kind", kind, &cli->err);
    if (!rc)
        rc = cli->has_tail ? job_args_command(cli, &payload) : job_args_payload(cli, &payload);
    if (!rc)
        rc = submit(cli, &args, kind, payload);
    free(payload);
    job_args_dispose(&args);
    return rc;
}

static qk_status run_enqueue(cli *cli)
{
    qk_status rc = check_form(cli);
    if (rc)
        return rc;
    return cli_has(cli, "batch") ? cli_run_batch(cli) : run_single(cli);
}

static const cli_option options[] = {
    { "data", 'd', "JSON", "Payload: JSON text, @FILE, or @- for standard input", false },
    { "queue", 'q', "QUEUE", "Queue (default: default)", false },
    { "priority", 'p', "N", "0 to 100, higher first (default 50)", false },
    { "delay", 0, "DURATION", "Not before this has passed", false },
    { "at", 0, "TIME", "Not before: RFC 3339, or local YYYY-MM-DD HH:MM[:SS]", false },
    { "max-attempts", 0, "N", "Attempts in all (default 3; commands 1)", false },
    { "max-lost", 0, "N", "How often its worker may die (default 3)", false },
    { "timeout", 0, "DURATION", "Time per attempt, or none (default 5m; commands none)", false },
    { "backoff", 0, "DURATION[,FACTOR[,CAP]]", "Pause between attempts (default 1s,2,1h)", false },
    { "unique", 0, "KEY", "No second job while one with this key has not ended", false },
    { "needs", 0, "JOB", "Start only after this job", true },
    { "mode", 0, "MODE", "all, any, all_done, one_failed or none_failed of its needs", false },
    { "tag", 0, "TAG", "Tag", true },
    { "name", 0, "NAME", "Name", false },
    { "directory", 'C', "DIR", "Folder of the command (default: the present one)", false },
    { "env", 'e', "NAME=VALUE", "Environment variable of the command", true },
    { "slots", 0, "N", "Worker slots the command takes (default 1)", false },
    { "id", 0, "UUID", "Id of the job; the same id again enqueues nothing", false },
    { "wait", 0, NULL, "Wait for its end, show its output, exit with its code", false },
    { "batch", 0, "FILE", "A job per line of JSON; - for standard input", false },
    { "batch-key", 0, "TEXT", "Tells this batch from others of the same content", false },
    { "again", 0, NULL, "Enqueue a batch that was enqueued before once more", false },
    { 0 },
};

const cli_command cli_cmd_enqueue = {
    .name = "enqueue",
    .synopsis = "KIND [-d JSON] | -- CMD ARG… | --batch FILE",
    .summary = "Enqueue a job, a command, or a file of jobs",
    .help =
        "Prints the job's id. A command runs without a shell; use -- sh -c '…' for one. With --wait\n"
        "the job's output (the last 64 KiB) is printed instead once it has ended, the result of a\n"
        "job that is no command; the exit code is the command's, 1 for a job that failed otherwise.\n\n"
        "A batch has one JSON object per line:\n"
        "  {\"kind\":\"resize\",\"payload\":{\"w\":80}}\n"
        "  {\"command\":[\"sh\",\"-c\",\"…\"],\"priority\":90,\"tags\":[\"a\"]}\n"
        "Keys: kind, payload, command, cwd, env, slots, queue, priority, delay, delay_seconds,\n"
        "execute_after, max_attempts, max_lost, timeout, timeout_seconds, backoff, unique, needs,\n"
        "dependency_mode, tags, name, id, continue_on_failure. Options given beside --batch are\n"
        "the defaults of its lines. All lines are checked before the first is enqueued. Ids follow\n"
        "from the content, so the same batch given twice enqueues nothing the second time; --again\n"
        "enqueues it once more.",
    .options = options,
    .max_words = 1,
    .takes_tail = true,
    .run = run_enqueue,
};
