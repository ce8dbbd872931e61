/*
 * Debugging a DAG without running it: what would happen if a node failed?
 *
 * An ETL with a mirror as a fallback, a clean-up that always runs, and a report that is only made for
 * enough rows. The dry run needs no store and no workers.
 */
#include "steps.h"

static void dry_run(qk_dag *dag, const char *title, const char *const *failing, size_t count,
                    const char *results)
{
    qk_error err = QK_ERROR_INIT;
    qk_simulation *simulation = NULL;
    qk_simulate_options options = QK_SIMULATE_OPTIONS_INIT;
    options.failing = failing;
    options.failing_count = count;
    options.results = results;
    check(qk_dag_simulate(&simulation, dag, &options, &err), &err);
    printf("%s: the run would be %s\n", title, simulation->failed ? "failed" : "done");
    for (size_t i = 0; i < simulation->count; i++) {
        const qk_simulated *seen = &simulation->nodes[i];
        printf("  %zu  %-10s %s%s%s\n", seen->level, seen->node, qk_job_status_name(seen->status),
               seen->skip_reason ? ": " : "", seen->skip_reason ? seen->skip_reason : "");
    }
    qk_simulation_free(simulation);
}

int main(void)
{
    static const step steps[] = {
        { .name = "main site", .kind = "etl" },
        { .name = "mirror", .kind = "etl" },
        { .name = "load", .kind = "etl", .after = { "main site", "mirror" }, .mode = QK_MODE_ANY },
        { .name = "report", .kind = "etl", .after = { "load" }, .when = "load.rows > 100" },
        { .name = "alert",
          .kind = "etl",
          .after = { "main site", "mirror" },
          .mode = QK_MODE_ONE_FAILED },
        { .name = "clean up",
          .kind = "etl",
          .after = { "load", "report" },
          .mode = QK_MODE_ALL_DONE },
    };
    static const char *const sites[] = { "main site", "mirror" }, *const load[] = { "load" };
    qk_error err = QK_ERROR_INIT;
    qk_dag *dag = NULL;
    check(dag_of(&dag, "etl", NULL, STEPS(steps), &err), &err);
    dry_run(dag, "all well", NULL, 0, "{\"load\":{\"rows\":500}}");
    dry_run(dag, "few rows", NULL, 0, "{\"load\":{\"rows\":3}}");
    dry_run(dag, "main site down", sites, 1, NULL);
    dry_run(dag, "both sites down", sites, 2, NULL);
    dry_run(dag, "load fails", load, 1, NULL);
    qk_dag_free(dag);
}
