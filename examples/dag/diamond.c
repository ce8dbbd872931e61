/*
 * A diamond: two branches between a start and an end, run here in two slots.
 *
 * A handler reads what its parents left by their names. The run and its nodes stay in the store: with
 * a file (diamond jobs.duckdb), `queuack runs show @1` and SQL tell about them later.
 */
#include "../example.h"

static qk_status count_rows(qk_task *task, void *user, qk_error *err)
{
    (void)user;
    return qk_task_result(task, "{\"rows\":3}", err);
}

/* Runs when both branches are done. */
static qk_status report(qk_task *task, void *user, qk_error *err)
{
    const char *left = NULL, *right = NULL;
    (void)user;
    qk_status rc = qk_task_upstream(&left, task, "left", err);
    if (!rc)
        rc = qk_task_upstream(&right, task, "right", err);
    if (!rc)
        printf("report sees %s and %s\n", left, right);
    return rc;
}

static qk_status handlers(qk_worker *worker, void *user, qk_error *err)
{
    (void)user;
    qk_status rc = qk_worker_handle(worker, "count", count_rows, NULL, err);
    return rc ? rc : qk_worker_handle(worker, "report", report, NULL, err);
}

static void add(qk_dag *dag, const char *name, const char *kind, const char *const *after,
                size_t count)
{
    qk_error err = QK_ERROR_INIT;
    qk_node_options options = QK_NODE_OPTIONS_INIT;
    options.after = after;
    options.after_count = count;
    check(qk_dag_add(dag, name, kind, NULL, &options, &err), &err);
}

int main(int argc, char **argv)
{
    static const char *const start[] = { "start" }, *const both[] = { "left", "right" };
    static const char *const nodes[] = { "start", "left", "right", "end" };
    qk_error err = QK_ERROR_INIT;
    qk_queue *queue = open_store(argc, argv, NULL);
    qk_dag *dag = NULL;
    qk_id run;
    check(qk_dag_new(&dag, "diamond", NULL, &err), &err);
    add(dag, "start", "count", NULL, 0);
    add(dag, "left", "count", start, 1);
    add(dag, "right", "count", start, 1);
    add(dag, "end", "report", both, 2);
    check(qk_run_submit(&run, queue, dag, NULL, &err), &err);
    qk_dag_free(dag);
    check(qk_run_execute(queue, run, 2, handlers, NULL, &err), &err);

    for (int i = 0; i < 4; i++) {
        qk_job *job = NULL;
        check(qk_run_node(&job, queue, run, nodes[i], &err), &err);
        printf("%-6s %s\n", nodes[i], qk_job_status_name(job->status));
        qk_job_free(job);
    }
    qk_queue_close(queue);
}
