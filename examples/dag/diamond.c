/*
 * A diamond: two branches between a start and an end, run here in two slots.
 *
 * A handler reads what its parents left by their names. The run and its nodes stay in the store:
 * `queuack runs show @1` and SQL tell about them later.
 */
#include <queuack/queuack.h>

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

static qk_status add(qk_dag *dag, const char *name, const char *kind, const char *const *after,
                     size_t count, qk_error *err)
{
    qk_node_options options = QK_NODE_OPTIONS_INIT;
    options.after = after;
    options.after_count = count;
    return qk_dag_add(dag, name, kind, NULL, &options, err);
}

static qk_status build(qk_dag *dag, qk_error *err)
{
    static const char *const start[] = { "start" };
    static const char *const both[] = { "left", "right" };
    qk_status rc = add(dag, "start", "count", NULL, 0, err);
    if (!rc)
        rc = add(dag, "left", "count", start, 1, err);
    if (!rc)
        rc = add(dag, "right", "count", start, 1, err);
    if (!rc)
        rc = add(dag, "end", "report", both, 2, err);
    return rc;
}

static qk_status show(qk_queue *queue, qk_id run, qk_error *err)
{
    static const char *const nodes[] = { "start", "left", "right", "end" };
    qk_status rc = QK_OK;
    for (size_t i = 0; !rc && i < 4; i++) {
        qk_job *job = NULL;
        rc = qk_run_node(&job, queue, run, nodes[i], err);
        if (!rc)
            printf("%-6s %s\n", nodes[i], qk_job_status_name(job->status));
        qk_job_free(job);
    }
    return rc;
}

int main(void)
{
    qk_error err = QK_ERROR_INIT;
    qk_queue *queue = NULL;
    qk_dag *dag = NULL;
    qk_id run;
    qk_status rc = qk_queue_open(&queue, "jobs.duckdb", NULL, &err);
    if (!rc)
        rc = qk_dag_new(&dag, "diamond", NULL, &err);
    if (!rc)
        rc = build(dag, &err);
    if (!rc)
        rc = qk_run_submit(&run, queue, dag, NULL, &err);
    if (!rc)
        rc = qk_run_execute(queue, run, 2, handlers, NULL, &err);
    if (!rc)
        rc = show(queue, run, &err);
    qk_dag_free(dag);
    qk_queue_close(queue);
    if (rc)
        fprintf(stderr, "diamond: %s\n", err.message);
    return qk_status_exit_code(rc);
}
