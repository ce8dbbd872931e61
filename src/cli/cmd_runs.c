/*
 * runs list, runs show RUN, runs tree RUN
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "commands.h"
#include "run_args.h"
#include "table.h"
#include "values.h"

static qk_status read_filter(cli *cli, qk_run_filter *filter)
{
    int limit = 100;
    size_t at = 0;
    const char *text;
    qk_status rc = QK_OK;
    while (!rc && (text = cli_next_value(cli, "status", &at)) != NULL) {
        qk_run_status status;
        if (qk_run_status_parse(&status, text) != QK_OK)
            return cli_error(&cli->err, QK_EINVAL,
                             "--status %.40s: must be pending, running, paused, done, failed or "
                             "cancelled",
                             text);
        filter->statuses |= 1u << status;
    }
    if ((text = cli_value(cli, "limit")) != NULL)
        rc = cli_parse_int(&limit, "--limit", text, 1, 1000000, &cli->err);
    filter->limit = (size_t)limit;
    filter->name = cli_value(cli, "name");
    filter->roots_only = !cli_has(cli, "all");
    if (!rc && (text = cli_value(cli, "before")) != NULL)
        rc = cli_resolve_run(cli, &filter->before, text);
    return rc;
}

static qk_status print_table(cli *cli, const qk_run_list *list)
{
    static const cli_column columns[] = { { "ID", false, false },
                                          { "NAME", false, true },
                                          { "STATUS", false, false },
                                          { "CREATED", false, false },
                                          { "COMPLETED", false, false } };
    cli_table *table = cli_table_new(columns, sizeof(columns) / sizeof(columns[0]));
    for (size_t i = 0; i < list->count; i++) {
        const qk_run *run = &list->items[i];
        char id[QK_ID_TEXT_SIZE], time[CLI_TIME_SIZE];
        cli_table_cell(table, CLI_PLAIN, qk_id_format(id, run->id));
        cli_table_cell(table, CLI_PLAIN, run->name);
        cli_table_cell(table, cli_run_colour(run->status), qk_run_status_name(run->status));
        cli_table_cell(table, CLI_PLAIN, cli_time_local(time, run->created_at));
        cli_table_cell(table, CLI_PLAIN, cli_time_local(time, run->completed_at));
    }
    return cli_table_end(table, &cli->err);
}

static qk_status run_list(cli *cli)
{
    qk_run_list *list = NULL;
    qk_run_filter filter = QK_RUN_FILTER_INIT;
    qk_status rc = cli_open(cli, false);
    if (!rc)
        rc = read_filter(cli, &filter);
    if (!rc)
        rc = qk_run_list_get(&list, cli->queue, &filter, &cli->err);
    if (rc)
        return rc;
    if (cli->json) {
        for (size_t i = 0; i < list->count; i++) {
            fputs(i ? ",\n" : "[", stdout);
            cli_run_json(stdout, &list->items[i], false);
        }
        puts(list->count ? "]" : "[]");
    } else if (list->count == 0) {
        cli_note(cli, "there are no runs that fit");
    } else {
        rc = print_table(cli, list);
    }
    qk_run_list_free(list);
    return rc;
}

static void print_run(const qk_run *run)
{
    char text[QK_ID_TEXT_SIZE], time[CLI_TIME_SIZE];
    printf("id         %s\nname       ", qk_id_format(text, run->id));
    cli_put_line(stdout, run->name);
    printf("\nstatus     %s%s%s\n", cli_colour_on(cli_run_colour(run->status)),
           qk_run_status_name(run->status), cli_colour_off());
    if (run->description) {
        fputs("about      ", stdout);
        cli_put_line(stdout, run->description);
        fputc('\n', stdout);
    }
    printf("created    %s\n", cli_time_local(time, run->created_at));
    if (run->completed_at.us)
        printf("completed  %s\n", cli_time_local(time, run->completed_at));
    if (!qk_id_is_none(run->parent_job))
        printf("node       %s\n", qk_id_format(text, run->parent_job));
    fputs("jobs      ", stdout);
    for (int i = 0; i < QK_JOB_STATUS_COUNT; i++) {
        if (run->counts[i])
            printf(" %" PRIu64 " %s", run->counts[i], qk_job_status_name((qk_job_status)i));
    }
    fputc('\n', stdout);
}

static qk_status run_show(cli *cli)
{
    qk_id id;
    qk_run *run = NULL;
    qk_status rc = cli_open(cli, false);
    if (!rc)
        rc = cli_resolve_run(cli, &id, cli->words[0]);
    if (!rc)
        rc = qk_run_get(&run, cli->queue, id, &cli->err);
    if (rc)
        return rc;
    if (cli->json) {
        cli_run_json(stdout, run, true);
        fputc('\n', stdout);
    } else {
        print_run(run);
    }
    qk_run_free(run);
    return QK_OK;
}

static void json_item(const qk_run_tree_item *item)
{
    bool first = true;
    fputc('{', stdout);
    cli_json_key(stdout, &first, "id");
    cli_json_id(stdout, item->id);
    cli_json_key(stdout, &first, "name");
    cli_json_text(stdout, item->name);
    cli_json_key(stdout, &first, "status");
    cli_json_text(stdout, qk_run_status_name(item->status));
    cli_json_key(stdout, &first, "parent_job_id");
    if (qk_id_is_none(item->parent_job))
        fputs("null", stdout);
    else
        cli_json_id(stdout, item->parent_job);
    cli_json_key(stdout, &first, "subdags");
    fputc('[', stdout);
}

/* Nested objects from the flat order, in which each run stands behind the one around it. */
static void json_tree(const qk_run_tree *tree)
{
    int open = 0;
    for (size_t i = 0; i < tree->count; i++) {
        int depth = tree->items[i].depth;
        bool sibling = open > depth;
        for (; open > depth; open--)
            fputs("]}", stdout);
        if (sibling)
            fputc(',', stdout);
        json_item(&tree->items[i]);
        open = depth + 1;
    }
    for (; open > 0; open--)
        fputs("]}", stdout);
    fputc('\n', stdout);
}

static void print_tree(const qk_run_tree *tree)
{
    for (size_t i = 0; i < tree->count; i++) {
        const qk_run_tree_item *item = &tree->items[i];
        char id[QK_ID_TEXT_SIZE];
        printf("%*s", 2 * item->depth, "");
        cli_put_line(stdout, item->name);
        printf("  %s%s%s  %s\n", cli_colour_on(cli_run_colour(item->status)),
               qk_run_status_name(item->status), cli_colour_off(), qk_id_format(id, item->id));
    }
}

static qk_status run_tree(cli *cli)
{
    qk_id id;
    qk_run_tree *tree = NULL;
    qk_status rc = cli_open(cli, false);
    if (!rc)
        rc = cli_resolve_run(cli, &id, cli->words[0]);
    if (!rc)
        rc = qk_run_hierarchy(&tree, cli->queue, id, &cli->err);
    if (rc)
        return rc;
    if (cli->json)
        json_tree(tree);
    else
        print_tree(tree);
    qk_run_tree_free(tree);
    return QK_OK;
}

static const cli_option list_options[] = {
    { "status", 's', "STATUS", "only runs of this status", true },
    { "name", 0, "NAME", "only runs of this name", false },
    { "all", 'a', NULL, "runs of sub-DAGs as well", false },
    { "limit", 'n', "N", "at most this many (100)", false },
    { "before", 0, "RUN", "only runs made before this one", false },
    { 0 },
};

const cli_command cli_cmd_runs_list = {
    .name = "runs list",
    .synopsis = "[OPTION]…",
    .summary = "List runs, the latest first",
    .options = list_options,
    .run = run_list,
};

const cli_command cli_cmd_runs_show = {
    .name = "runs show",
    .synopsis = "RUN",
    .summary = "Show a run and how its jobs stand",
    .help = "RUN is an id, its last 6 or more hex digits, a name, or @1 for the latest.",
    .min_words = 1,
    .max_words = 1,
    .run = run_show,
};

const cli_command cli_cmd_runs_tree = {
    .name = "runs tree",
    .synopsis = "RUN",
    .summary = "Show a run and the runs of its sub-DAGs",
    .min_words = 1,
    .max_words = 1,
    .run = run_tree,
};
