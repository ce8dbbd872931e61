/*
 * Debugging a DAG without running it: what would happen if a node failed?
 *
 * An ETL with a mirror as a fallback, a clean-up that always runs, and a report that is only made for
 * enough rows. The dry run needs no store and no workers.
 */
#include <queuack/queuack.h>

static qk_status node(qk_dag *dag, const char *name, const char *const *after, size_t count,
                      qk_dependency_mode mode, const char *when, qk_error *err)
{
    qk_job_options job = QK_JOB_OPTIONS_INIT;
    qk_node_options options = QK_NODE_OPTIONS_INIT;
    job.mode = mode;
    options.job = &job;
    options.after = after;
    options.after_count = count;
    options.when = when;
    return qk_dag_add(dag, name, "etl", NULL, &options, err);
}

static qk_status build(qk_dag *dag, qk_error *err)
{
    static const char *const sources[] = { "main site", "mirror" };
    static const char *const load[] = { "load" };
    static const char *const both[] = { "load", "report" };
    qk_status rc = node(dag, "main site", NULL, 0, QK_MODE_ALL, NULL, err);
    if (!rc)
        rc = node(dag, "mirror", NULL, 0, QK_MODE_ALL, NULL, err);
    if (!rc)
        rc = node(dag, "load", sources, 2, QK_MODE_ANY, NULL, err);
    if (!rc)
        rc = node(dag, "report", load, 1, QK_MODE_ALL, "load.rows > 100", err);
    if (!rc)
        rc = node(dag, "alert", sources, 2, QK_MODE_ONE_FAILED, NULL, err);
    if (!rc)
        rc = node(dag, "clean up", both, 2, QK_MODE_ALL_DONE, NULL, err);
    return rc;
}

static qk_status show(qk_dag *dag, const char *title, const char *const *failing, size_t count,
                      const char *results, qk_error *err)
{
    qk_simulation *simulation = NULL;
    qk_simulate_options options = QK_SIMULATE_OPTIONS_INIT;
    options.failing = failing;
    options.failing_count = count;
    options.results = results;
    qk_status rc = qk_dag_simulate(&simulation, dag, &options, err);
    if (rc)
        return rc;
    printf("%s: the run would be %s\n", title, simulation->failed ? "failed" : "done");
    for (size_t i = 0; i < simulation->count; i++) {
        const qk_simulated *seen = &simulation->nodes[i];
        printf("  %zu  %-10s %s%s%s\n", seen->level, seen->node, qk_job_status_name(seen->status),
               seen->skip_reason ? ": " : "", seen->skip_reason ? seen->skip_reason : "");
    }
    qk_simulation_free(simulation);
    return QK_OK;
}

static qk_status explore(qk_dag *dag, qk_error *err)
{
    static const char *const failing[] = { "main site", "mirror" };
    static const char *const loading[] = { "load" };
    qk_status rc = build(dag, err);
    if (!rc)
        rc = show(dag, "all well", NULL, 0, "{\"load\":{\"rows\":500}}", err);
    if (!rc)
        rc = show(dag, "few rows", NULL, 0, "{\"load\":{\"rows\":3}}", err);
    if (!rc)
        rc = show(dag, "main site down", failing, 1, NULL, err);
    if (!rc)
        rc = show(dag, "both sites down", failing, 2, NULL, err);
    if (!rc)
        rc = show(dag, "load fails", loading, 1, NULL, err);
    return rc;
}

int main(void)
{
    qk_error err = QK_ERROR_INIT;
    qk_dag *dag = NULL;
    qk_status rc = qk_dag_new(&dag, "etl", NULL, &err);
    if (!rc)
        rc = explore(dag, &err);
    if (rc)
        fprintf(stderr, "%s\n", err.message);
    qk_dag_free(dag);
    return rc ? 1 : 0;
}
