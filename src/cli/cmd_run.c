/*
 * run FILE: submits a workflow and executes it here.
 */
#include <stdlib.h>
#include <string.h>

#include "commands.h"
#include "plan.h"
#include "run_file.h"
#include "run_here.h"
#include "text.h"

static qk_status tell_detached(cli *cli, qk_id run)
{
    char id[QK_ID_TEXT_SIZE];
    if (cli->json) {
        fputs("{\"id\":", stdout);
        cli_json_id(stdout, run);
        puts("}");
        return QK_OK;
    }
    puts(qk_id_format(id, run));
    cli_note(cli, "submitted: queuack worker runs it, queuack runs wait %s waits for it", id + 24);
    return QK_OK;
}

static qk_status submit(cli *cli, qk_id *out, qk_dag *dag)
{
    qk_submit_options options = QK_SUBMIT_OPTIONS_INIT;
    options.trigger = "run";
    qk_status rc = cli_open(cli, true);
    return rc ? rc : qk_run_submit(out, cli->queue, dag, &options, &cli->err);
}

static qk_status run_run(cli *cli)
{
    run_file file = { 0 };
    run_here_options options = { .pool = QK_WORKER_OPTIONS_INIT, .plain = cli_has(cli, "plain") };
    qk_id run;
    qk_status rc = worker_args_read(cli, &options.args, &options.pool);
    if (!rc)
        rc = run_file_load(&file, cli, cli->words[0]);
    bool dry = cli_has(cli, "dry-run");
    if (!rc)
        rc = dry ? cli_print_plan(cli, file.dag, file.params) : submit(cli, &run, file.dag);
    if (!rc && !dry)
        rc = cli_has(cli, "detach") ? tell_detached(cli, run)
                                    : run_here(cli, file.dag, run, &options);
    worker_args_dispose(&options.args);
    run_file_dispose(&file);
    return rc;
}

static const cli_option options[] = {
    { "param", 'P', "NAME=VALUE", "A parameter of the workflow", true },
    { "jobs", 'j', "N", "Run so many tasks at a time (default: one per core)", false },
    { "detach", 0, NULL, "Submit only: a worker runs it", false },
    { "dry-run", 0, NULL, "Show in which order the tasks would run, and run none", false },
    { "plain", 0, NULL, "A line per event, also on a terminal", false },
    { "handler", 0, "KIND=COMMAND", "Run tasks of this kind with a program", true },
    { "plugin", 0, "FILE.so", "Load handlers from a plugin", true },
    { 0 },
};

const cli_command cli_cmd_run = {
    .name = "run",
    .synopsis = "FILE [-P NAME=VALUE]… [-j N]",
    .summary = "Run a workflow file here, and show how it goes",
    .help =
        "The run is stored like any other: queuack runs shows it, a worker can go on with it. The\n"
        "slots here take only its tasks. Exit code 1 if it did not end well; what to type next is\n"
        "said. --json prints an event a line.\n\n"
        "The first Ctrl-C cancels the run and lets running tasks end, the second kills them.",
    .options = options,
    .min_words = 1,
    .max_words = 1,
    .run = run_run,
};
