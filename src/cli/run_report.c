/*
 * See run_report.h.
 */
#include "run_report.h"

#include <stdlib.h>
#include <string.h>

#include "run_args.h"
#include "run_lines.h"
#include "text.h"
#include "values.h"

#define SLOWEST 5
#define FAILURES 3
#define TAIL_LINES 15
#define PATH_MAX_NODES 12

static void put_head(const run_model *model)
{
    char took[CLI_TIME_SIZE];
    const run_part *root = &model->parts[0];
    putchar('\n');
    cli_put_line(stdout, root->name);
    printf(" %s%s%s after %s:", cli_colour_on(cli_run_colour(root->status)),
           qk_run_status_name(root->status), cli_colour_off(),
           cli_duration_text(took, model->ended_us - model->began_us));
    bool first = true;
    for (int s = 0; s < QK_JOB_STATUS_COUNT; s++) {
        uint64_t count = run_model_total(model, (qk_job_status)s);
        if (count)
            printf("%s %llu %s", first ? "" : ",", (unsigned long long)count,
                   qk_job_status_name((qk_job_status)s));
        first = first && !count;
    }
    if (first)
        fputs(" no tasks", stdout);
    putchar('\n');
}

/* By node of the DAG; tasks of the run itself stand in the same order. */
static void put_critical_path(const run_model *model, qk_dag *dag)
{
    const run_part *root = &model->parts[0];
    size_t count = qk_dag_node_count(dag);
    qk_duration *durations = calloc(count + 1, sizeof(*durations));
    qk_names *path = NULL;
    qk_duration total;
    char text[CLI_TIME_SIZE];
    for (size_t i = 0; durations && i < count && i < root->count; i++) {
        int64_t took = model->tasks[root->tasks[i]].took_us;
        durations[i].us = took > 0 ? took : 0;
    }
    if (!durations || qk_dag_critical_path(&path, &total, dag, durations, NULL) != QK_OK) {
        free(durations);
        return;
    }
    if (path->count > 1 && total.us > 0) {
        printf("critical path %s:", cli_duration_text(text, total.us));
        for (size_t i = 0; i < path->count; i++) {
            if (path->count > PATH_MAX_NODES && i == PATH_MAX_NODES / 2) {
                printf(" → … %zu more …", path->count - PATH_MAX_NODES);
                i = path->count - PATH_MAX_NODES / 2;
            }
            size_t node = qk_dag_find(dag, path->items[i]);
            fputs(i ? " → " : " ", stdout);
            cli_put_line(stdout, path->items[i]);
            printf(" %s", cli_duration_text(text, durations[node].us));
        }
        putchar('\n');
    }
    qk_names_free(path);
    free(durations);
}

/* Keeps the slowest in order. */
static void rank(const run_model *model, size_t *best, size_t *count, size_t task)
{
    size_t at = *count;
    if (model->tasks[task].took_us < 0 || model->tasks[task].is_dag)
        return;
    while (at > 0 && model->tasks[best[at - 1]].took_us < model->tasks[task].took_us)
        at--;
    if (at == SLOWEST)
        return;
    size_t last = *count < SLOWEST ? *count : SLOWEST - 1;
    memmove(best + at + 1, best + at, (last - at) * sizeof(*best));
    best[at] = task;
    *count = last + 1;
}

static void put_slowest(const run_model *model)
{
    size_t best[SLOWEST + 1], count = 0;
    char took[CLI_TIME_SIZE];
    for (size_t i = 0; i < model->count; i++)
        rank(model, best, &count, i);
    if (count < 2)
        return;
    fputs("slowest", stdout);
    for (size_t i = 0; i < count; i++) {
        fputs(i ? ", " : " ", stdout);
        run_model_put_path(model, best[i]);
        printf(" %s", cli_duration_text(took, model->tasks[best[i]].took_us));
    }
    putchar('\n');
}

static void put_failure(const run_model *model, size_t index)
{
    char took[CLI_TIME_SIZE];
    const run_task *task = &model->tasks[index];
    fputs(cli_colour_on(CLI_RED), stdout);
    run_model_put_path(model, index);
    printf(" failed%s", cli_colour_off());
    if (task->took_us >= 0)
        printf(" after %s", cli_duration_text(took, task->took_us));
    if (task->error) {
        fputs(": ", stdout);
        cli_put_line(stdout, task->error);
    }
    putchar('\n');
    run_lines_tail(stdout, task->tail, TAIL_LINES, "  | ");
}

/* Of sub-DAG nodes the cause is shown, not that they failed as well. */
static void put_failures(const run_model *model)
{
    size_t shown = 0, more = 0;
    for (size_t i = 0; i < model->count; i++) {
        if (model->tasks[i].status != QK_JOB_FAILED ||
            (model->tasks[i].is_dag && model->tasks[i].child != RUN_NONE))
            continue;
        if (shown < FAILURES)
            put_failure(model, i);
        else
            more++;
        shown++;
    }
    if (more)
        printf("… and %zu more failed\n", more);
}

/* In words that a shell takes as they are. */
static void put_store(const cli *cli)
{
    const char *url = cli_value(cli, "db");
    if (!url)
        return;
    fputs(" --db '", stdout);
    for (; *url; url++)
        fputs(*url == '\'' ? "'\\''" : (const char[]){ *url, '\0' }, stdout);
    putchar('\'');
}

static void put_retry(const run_model *model)
{
    char id[QK_ID_TEXT_SIZE];
    qk_id_format(id, model->parts[0].id);
    fputs("to run the rest: queuack", stdout);
    put_store(model->cli);
    printf(" runs retry %s && queuack", id + 24);
    put_store(model->cli);
    fputs(" worker --drain\n", stdout);
}

void run_report(const run_model *model, qk_dag *dag)
{
    qk_run_status status = model->seen.status;
    put_head(model);
    put_slowest(model);
    put_critical_path(model, dag);
    put_failures(model);
    if (status == QK_RUN_FAILED || status == QK_RUN_CANCELLED)
        put_retry(model);
}
