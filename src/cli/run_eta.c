/*
 * See run_eta.h.
 */
#include "run_eta.h"

#include <stdlib.h>
#include <string.h>

#include "sql_text.h"

#define AGAIN_US 1000000

void run_eta_init(run_eta *eta, const run_model *model, qk_dag *dag)
{
    char id[QK_ID_TEXT_SIZE];
    qk_rows *rows = NULL;
    *eta = (run_eta){ .dag = dag, .count = qk_dag_node_count(dag), .left_us = -1 };
    eta->usual_us = malloc((eta->count + 1) * sizeof(*eta->usual_us));
    if (!eta->usual_us)
        return;
    for (size_t i = 0; i < eta->count; i++)
        eta->usual_us[i] = -1;
    if (cli_sql_open(model->cli, &rows,
                     "SELECT node_name, median(epoch(completed_at) - epoch(claimed_at)) FROM jobs "
                     "WHERE status = 'done' AND dag_run_id IN (SELECT id FROM dag_runs WHERE "
                     "name = %L AND parent_job_id IS NULL AND id <> %L ORDER BY id DESC LIMIT 10) "
                     "GROUP BY node_name",
                     qk_dag_name(dag), qk_id_format(id, model->parts[0].id)) == QK_OK) {
        while (qk_rows_next(rows, &model->cli->err) == QK_OK) {
            const char *name = qk_rows_text(rows, 0), *seconds = qk_rows_text(rows, 1);
            size_t node = name && seconds ? qk_dag_find(dag, name) : QK_NO_NODE;
            if (node != QK_NO_NODE)
                eta->usual_us[node] = (int64_t)(strtod(seconds, NULL) * 1e6);
        }
    }
    qk_rows_close(rows);
    model->cli->err = (qk_error)QK_ERROR_INIT;
}

/* Of the tasks that have ended here; negative: none has. */
static int64_t mean_us(const run_model *model)
{
    const run_part *root = &model->parts[0];
    int64_t total = 0, count = 0;
    for (size_t i = 0; i < root->count; i++) {
        const run_task *task = &model->tasks[root->tasks[i]];
        if (task->status == QK_JOB_DONE && task->took_us >= 0) {
            total += task->took_us;
            count++;
        }
    }
    return count ? total / count : -1;
}

static int64_t task_left(const run_task *task, int64_t usual, int64_t now)
{
    if (qk_job_status_is_terminal(task->status))
        return 0;
    if (task->status != QK_JOB_CLAIMED || !task->started_us)
        return usual;
    int64_t spent = now - task->started_us;
    if (task->progress > 0.01)
        return (int64_t)((double)spent / task->progress) - spent;
    return usual > spent ? usual - spent : 0;
}

static int64_t reckon(const run_eta *eta, const run_model *model, int slots, int64_t now)
{
    const run_part *root = &model->parts[0];
    qk_duration *left = calloc(eta->count + 1, sizeof(*left));
    qk_names *path = NULL;
    qk_duration longest = { 0 };
    int64_t total = 0, mean = mean_us(model);
    bool known = left != NULL;
    for (size_t i = 0; known && i < eta->count && i < root->count; i++) {
        const run_task *task = &model->tasks[root->tasks[i]];
        int64_t usual = eta->usual_us[i] >= 0 ? eta->usual_us[i] : mean;
        known = usual >= 0 || qk_job_status_is_terminal(task->status);
        left[i].us = known ? task_left(task, usual, now) : 0;
        total += left[i].us;
    }
    known = known && qk_dag_critical_path(&path, &longest, eta->dag, left, NULL) == QK_OK;
    qk_names_free(path);
    free(left);
    if (!known)
        return -1;
    return longest.us > total / slots ? longest.us : total / slots;
}

int64_t run_eta_left(run_eta *eta, const run_model *model, int slots)
{
    int64_t now = run_now_us();
    if (!eta->usual_us || eta->count == 0)
        return -1;
    if (!eta->asked_us || now - eta->asked_us >= AGAIN_US) {
        eta->left_us = reckon(eta, model, slots > 0 ? slots : 1, now);
        eta->asked_us = now;
    }
    if (eta->left_us < 0)
        return -1;
    int64_t left = eta->left_us - (now - eta->asked_us);
    return left > 0 ? left : 0;
}

void run_eta_dispose(run_eta *eta)
{
    free(eta->usual_us);
    *eta = (run_eta){ 0 };
}
