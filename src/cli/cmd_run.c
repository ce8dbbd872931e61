/*
 * run FILE: submits a workflow and executes it here.
 */
#include <stdlib.h>
#include <string.h>

#include "commands.h"
#include "plan.h"
#include "run_file.h"
#include "run_here.h"
#include "run_select.h"
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

/* What is asked for of the file; a part belongs to *own. */
static qk_status select_part(cli *cli, run_file *file, qk_dag **own)
{
    if (!run_select_wanted(cli))
        return QK_OK;
    qk_status rc = run_select(own, cli, file->dag);
    if (!rc)
        file->dag = *own;
    return rc;
}

static qk_status submit(cli *cli, qk_id *out, qk_dag *dag)
{
    qk_submit_options options = QK_SUBMIT_OPTIONS_INIT;
    options.trigger = "run";
    return qk_run_submit(out, cli->queue, dag, &options, &cli->err);
}

static qk_status submit_and_run(cli *cli, qk_dag *dag, run_here_options *options)
{
    qk_id run;
    qk_status rc = submit(cli, &run, dag);
    if (rc)
        return rc;
    return cli_has(cli, "detach") ? tell_detached(cli, run) : run_here(cli, dag, run, options);
}

static qk_status run_run(cli *cli)
{
    run_file file = { 0 };
    qk_dag *part = NULL;
    run_here_options options = { .pool = QK_WORKER_OPTIONS_INIT, .plain = cli_has(cli, "plain") };
    bool dry = cli_has(cli, "dry-run");
    qk_status rc = worker_args_read(cli, &options.args, &options.pool);
    if (!rc)
        rc = run_file_load(&file, cli, cli->words[0]);
    if (!rc && (!dry || run_select_wanted(cli)))
        rc = cli_open(cli, !dry && !run_select_wanted(cli));
    if (!rc)
        rc = select_part(cli, &file, &part);
    if (!rc)
        rc = dry ? cli_print_plan(cli, file.dag, file.params)
                 : submit_and_run(cli, file.dag, &options);
    qk_dag_free(part);
    worker_args_dispose(&options.args);
    run_file_dispose(&file);
    return rc;
}

static const cli_option options[] = {
    { "param", 'P', "NAME=VALUE", "A parameter of the workflow", true },
    { "jobs", 'j', "N", "Run so many tasks at a time (default: one per core)", false },
    { "detach", 0, NULL, "Submit only: a worker runs it", false },
    { "only", 0, "TASK", "Only this task; what it needs is taken from the last run", true },
    { "from", 0, "TASK", "This task and all that follow from it, likewise", true },
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
        "said. --json prints an event a line. FILE is a workflow, or, as FILE.json, a DAG as JSON.\n\n"
        "--only and --from begin a new run of a part of the file. Where its tasks need others, those\n"
        "must be done in an earlier run of the same name, and what they left is used; `when` of such a\n"
        "task is not looked at.\n\n"
        "The first Ctrl-C cancels the run and lets running tasks end, the second kills them.",
    .options = options,
    .min_words = 1,
    .max_words = 1,
    .run = run_run,
};
