/*
 * Asking the store how a run stands; see run_model.h. Three queries, whatever the number of runs and
 * jobs. Whose work a run is can be said once the job is known, and its end only after its jobs' ends,
 * so runs are asked for before and after.
 */
#include <stdlib.h>
#include <string.h>

#include "run_model.h"
#include "sql_text.h"
#include "values.h"

enum job_column {
    JOB_ID,
    JOB_RUN,
    JOB_NODE,
    JOB_KIND,
    JOB_STATUS,
    JOB_CLAIMED_BY,
    JOB_CLAIMED_AT,
    JOB_COMPLETED_AT,
    JOB_PROGRESS,
    JOB_MESSAGE,
    JOB_ERROR,
    JOB_EXIT_CODE,
    JOB_REASON,
};

static bool read_id(qk_id *out, const qk_rows *rows, size_t column)
{
    const char *text = qk_rows_text(rows, column);
    return text && qk_id_parse(out, text) == QK_OK;
}

static bool is_dag(const char *kind)
{
    return kind && (strcmp(kind, "dag") == 0 || strcmp(kind, "foreach") == 0);
}

static void replace(char **text, const char *with)
{
    if (!with)
        return;
    char *copy = strdup(with);
    if (copy) { /* without memory the old one stays */
        free(*text);
        *text = copy;
    }
}

static void take_details(run_model *model, run_task *task, const qk_rows *rows)
{
    qk_time from = cli_time_read(qk_rows_text(rows, JOB_CLAIMED_AT));
    qk_time to = cli_time_read(qk_rows_text(rows, JOB_COMPLETED_AT));
    const char *exit_code = qk_rows_text(rows, JOB_EXIT_CODE);
    const char *progress = qk_rows_text(rows, JOB_PROGRESS);
    const char *message = qk_rows_text(rows, JOB_MESSAGE);
    if (from.us && to.us && (task->took_us < 0 || !task->ours))
        task->took_us = to.us - from.us;
    if (from.us && !task->started_us)
        task->started_us = model->began_us;
    if (exit_code && !task->has_exit_code) {
        task->has_exit_code = true;
        task->exit_code = (int)strtol(exit_code, NULL, 10);
    }
    if (progress && !task->ours)
        task->progress = strtod(progress, NULL);
    if (message && !task->ours)
        snprintf(task->message, sizeof(task->message), "%.79s", message);
    replace(&task->error, qk_rows_text(rows, JOB_ERROR));
    replace(&task->reason, qk_rows_text(rows, JOB_REASON));
}

/* Whether the store's word counts, or the pool will tell. */
static bool is_news(const run_model *model, const run_task *task, const qk_rows *rows,
                    qk_job_status status, bool all)
{
    const char *by = qk_rows_text(rows, JOB_CLAIMED_BY);
    bool ours = by && strcmp(by, model->worker_id) == 0;
    if (all || task->is_dag || status == QK_JOB_SKIPPED || status == QK_JOB_CANCELLED)
        return true;
    if (status == QK_JOB_CLAIMED || status == QK_JOB_DONE || status == QK_JOB_FAILED)
        return !ours;
    return task->status != QK_JOB_CLAIMED || !task->ours; /* waiting: the pool may have it by now */
}

static void take_job(run_model *model, const qk_rows *rows, bool all)
{
    qk_id job, run;
    qk_job_status status;
    const char *name = qk_rows_text(rows, JOB_STATUS);
    if (!read_id(&job, rows, JOB_ID) || !read_id(&run, rows, JOB_RUN) || !name ||
        qk_job_status_parse(&status, name) != QK_OK)
        return;
    size_t part = run_model_part(model, run);
    size_t index = part == RUN_NONE
                       ? RUN_NONE
                       : run_model_task(model, part, job, qk_rows_text(rows, JOB_NODE));
    if (index == RUN_NONE)
        return;
    run_task *task = &model->tasks[index];
    task->is_dag = task->is_dag || is_dag(qk_rows_text(rows, JOB_KIND));
    if (!is_news(model, task, rows, status, all))
        return;
    qk_time at = cli_time_read(qk_rows_text(rows, JOB_COMPLETED_AT));
    qk_time begun = cli_time_read(qk_rows_text(rows, JOB_CLAIMED_AT));
    take_details(model, task, rows);
    if ((status == QK_JOB_DONE || status == QK_JOB_FAILED) && task->status != QK_JOB_CLAIMED &&
        !qk_job_status_is_terminal(task->status))
        run_model_set(model, index, QK_JOB_CLAIMED, begun);
    run_model_set(model, index, status, qk_job_status_is_terminal(status) ? at : begun);
}

static qk_status take_jobs(run_model *model, const char *root, bool all)
{
    cli *cli = model->cli;
    qk_rows *rows = NULL;
    qk_status rc = cli_sql_open(
        cli, &rows,
        "SELECT id, dag_run_id, node_name, kind, status, claimed_by, claimed_at, "
        "coalesce(completed_at, skipped_at), progress, progress_message, error, exit_code, "
        "skip_reason FROM jobs WHERE dag_run_id IN (SELECT id FROM dag_runs WHERE root_run_id = %L) "
        "ORDER BY id",
        root);
    while (!rc && (rc = qk_rows_next(rows, &cli->err)) == QK_OK)
        take_job(model, rows, all);
    qk_rows_close(rows);
    return rc == QK_EMPTY ? QK_OK : rc;
}

/* With `ends` also how they stand, which is to be told after how their jobs do. */
static qk_status take_runs(run_model *model, const char *root, bool ends)
{
    cli *cli = model->cli;
    qk_rows *rows = NULL;
    qk_status rc = cli_sql_open(cli, &rows,
                                "SELECT id, parent_job_id, name, status, created_at, completed_at "
                                "FROM dag_runs WHERE root_run_id = %L ORDER BY id",
                                root);
    while (!rc && (rc = qk_rows_next(rows, &cli->err)) == QK_OK) {
        qk_id id, parent;
        qk_run_status status;
        const char *name = qk_rows_text(rows, 2), *text = qk_rows_text(rows, 3);
        if (!read_id(&id, rows, 0) || !read_id(&parent, rows, 1) || !text ||
            qk_run_status_parse(&status, text) != QK_OK)
            continue; /* the run itself has no parent: it is told of elsewhere */
        size_t part = run_model_part(model, id);
        if (part == RUN_NONE)
            continue;
        run_model_place(model, part, parent, name ? name : "?",
                        cli_time_read(qk_rows_text(rows, 4)));
        if (ends)
            run_model_end_part(model, part, status, cli_time_read(qk_rows_text(rows, 5)));
    }
    qk_rows_close(rows);
    return rc == QK_EMPTY ? QK_OK : rc;
}

qk_status run_model_look(run_model *model, bool all)
{
    char root[QK_ID_TEXT_SIZE];
    int64_t began = run_now_us();
    qk_id_format(root, model->parts[0].id);
    model->look_wanted = false;
    qk_status rc = take_runs(model, root, false);
    if (!rc)
        rc = take_jobs(model, root, all);
    if (!rc)
        rc = take_runs(model, root, true);
    model->looked_us = run_now_us();
    model->look_cost_us = model->looked_us - began;
    return rc;
}
