/*
 * dag validate|plan|graph FILE: looking at a workflow file without running it.
 */
#include <stdlib.h>
#include <string.h>

#include "commands.h"
#include "picture_args.h"
#include "plan.h"
#include "text.h"
#include "workflow_args.h"

static void json_params(const qk_workflow *workflow)
{
    fputc('[', stdout);
    for (size_t i = 0; i < qk_workflow_param_count(workflow); i++) {
        qk_workflow_param param;
        bool first = true;
        qk_workflow_param_get(&param, workflow, i);
        fputs(i ? ",{" : "{", stdout);
        cli_json_key(stdout, &first, "name");
        cli_json_text(stdout, param.name);
        cli_json_key(stdout, &first, "type");
        cli_json_text(stdout, qk_param_type_name(param.type));
        cli_json_key(stdout, &first, "description");
        cli_json_text(stdout, param.description);
        cli_json_key(stdout, &first, "default");
        cli_json_raw(stdout, param.fallback);
        cli_json_key(stdout, &first, "choices");
        cli_json_raw(stdout, param.choices);
        cli_json_key(stdout, &first, "value");
        cli_json_raw(stdout, param.value);
        fputc('}', stdout);
    }
    fputc(']', stdout);
}

static void json_task(const qk_workflow *workflow, size_t index)
{
    qk_workflow_task task;
    bool first = true;
    qk_workflow_task_get(&task, workflow, index);
    fputs(index ? ",{" : "{", stdout);
    cli_json_key(stdout, &first, "name");
    cli_json_text(stdout, task.name);
    cli_json_key(stdout, &first, "kind");
    cli_json_text(stdout, task.kind);
    cli_json_key(stdout, &first, "foreach");
    fputs(task.is_foreach ? "true" : "false", stdout);
    cli_json_key(stdout, &first, "description");
    cli_json_text(stdout, task.description);
    cli_json_key(stdout, &first, "line");
    fprintf(stdout, "%d", task.line);
    cli_json_key(stdout, &first, "column");
    fprintf(stdout, "%d}", task.column);
}

static void json_workflow(const qk_workflow *workflow)
{
    bool first = true;
    fputc('{', stdout);
    cli_json_key(stdout, &first, "valid");
    fputs("true", stdout);
    cli_json_key(stdout, &first, "file");
    cli_json_text(stdout, qk_workflow_file(workflow));
    cli_json_key(stdout, &first, "name");
    cli_json_text(stdout, qk_workflow_name(workflow));
    cli_json_key(stdout, &first, "description");
    cli_json_text(stdout, qk_workflow_description(workflow));
    cli_json_key(stdout, &first, "database");
    cli_json_text(stdout, qk_workflow_database(workflow));
    cli_json_key(stdout, &first, "schedule");
    cli_json_text(stdout, qk_workflow_schedule(workflow));
    cli_json_key(stdout, &first, "secrets");
    fputc('[', stdout);
    for (size_t i = 0; i < qk_workflow_secret_count(workflow); i++) {
        fputs(i ? "," : "", stdout);
        cli_json_text(stdout, qk_workflow_secret(workflow, i));
    }
    fputc(']', stdout);
    cli_json_key(stdout, &first, "params");
    json_params(workflow);
    cli_json_key(stdout, &first, "tasks");
    fputc('[', stdout);
    for (size_t i = 0; i < qk_workflow_task_count(workflow); i++)
        json_task(workflow, i);
    fputs("]}\n", stdout);
}

static void tell_good(const cli *cli, const qk_workflow *const *workflows)
{
    for (size_t i = 0; i < cli->word_count; i++) {
        size_t tasks = qk_workflow_task_count(workflows[i]);
        if (cli->json) {
            fputs(cli->word_count == 1 ? "" : i ? "," : "[", stdout);
            json_workflow(workflows[i]);
        } else {
            cli_put_line(stdout, cli->words[i]);
            fprintf(stdout, ": good: %zu task%s\n", tasks, tasks == 1 ? "" : "s");
        }
    }
    fputs(cli->json && cli->word_count > 1 ? "]\n" : "", stdout);
}

/* Nothing is printed unless all are good. */
static qk_status run_validate(cli *cli)
{
    qk_workflow **workflows = calloc(cli->word_count, sizeof(*workflows));
    qk_status rc =
        workflows ? QK_OK : cli_error(&cli->err, QK_ENOMEM, "out of memory for the workflows");
    for (size_t i = 0; !rc && i < cli->word_count; i++)
        rc = cli_load_workflow(cli, &workflows[i], cli->words[i], true);
    if (!rc)
        tell_good(cli, (const qk_workflow *const *)workflows);
    for (size_t i = 0; workflows && i < cli->word_count; i++)
        qk_workflow_free(workflows[i]);
    free(workflows);
    return rc;
}

static qk_status run_plan(cli *cli)
{
    qk_workflow *workflow = NULL;
    qk_status rc = cli_load_workflow(cli, &workflow, cli->words[0], true);
    if (!rc)
        rc = cli_print_plan(cli, qk_workflow_dag(workflow), qk_workflow_params(workflow));
    qk_workflow_free(workflow);
    return rc;
}

static qk_status run_graph(cli *cli)
{
    qk_workflow *workflow = NULL;
    char *picture = NULL;
    qk_picture_options options = QK_PICTURE_OPTIONS_INIT;
    if (cli->json)
        options.format = QK_PICTURE_JSON;
    qk_status rc = cli_read_picture(cli, &options);
    if (!rc)
        rc = cli_load_workflow(cli, &workflow, cli->words[0], true);
    if (!rc)
        rc = qk_dag_picture(&picture, qk_workflow_dag(workflow), &options, &cli->err);
    if (!rc)
        fputs(picture, stdout);
    free(picture);
    qk_workflow_free(workflow);
    return rc;
}

static const cli_option look_options[] = { CLI_WORKFLOW_PARAM, { 0 } };
static const cli_option graph_options[] = { CLI_PICTURE_OPTIONS, CLI_WORKFLOW_PARAM, { 0 } };

const cli_command cli_cmd_dag_validate = {
    .name = "dag validate",
    .synopsis = "[-P NAME=VALUE]… FILE…",
    .summary = "Check workflow files",
    .help = "Nothing is run. What is wrong is named with its line and column.",
    .options = look_options,
    .min_words = 1,
    .max_words = -1,
    .run = run_validate,
};

const cli_command cli_cmd_dag_plan = {
    .name = "dag plan",
    .synopsis = "[-P NAME=VALUE]… FILE",
    .summary = "Show in which order a workflow file would run",
    .help = "Tasks of one level can run beside each other. The longest chain counts tasks.",
    .options = look_options,
    .min_words = 1,
    .max_words = 1,
    .run = run_plan,
};

const cli_command cli_cmd_dag_graph = {
    .name = "dag graph",
    .synopsis = "[OPTION]… FILE",
    .summary = "Draw a workflow file, with its sub-DAGs",
    .options = graph_options,
    .min_words = 1,
    .max_words = 1,
    .run = run_graph,
};
