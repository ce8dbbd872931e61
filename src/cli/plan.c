/*
 * See plan.h.
 */
#include "plan.h"

#include "text.h"

static qk_status read_levels(cli *cli, qk_levels **levels, qk_names **path, qk_dag *dag)
{
    qk_status rc = qk_dag_levels(levels, dag, &cli->err);
    return rc ? rc : qk_dag_critical_path(path, NULL, dag, NULL, &cli->err);
}

static void json_names(const char *const *names, size_t count)
{
    fputc('[', stdout);
    for (size_t i = 0; i < count; i++) {
        fputs(i ? "," : "", stdout);
        cli_json_text(stdout, names[i]);
    }
    fputc(']', stdout);
}

static void json_plan(const qk_dag *dag, const char *params, const qk_levels *levels,
                      const qk_names *path)
{
    bool first = true;
    fputc('{', stdout);
    cli_json_key(stdout, &first, "name");
    cli_json_text(stdout, qk_dag_name(dag));
    cli_json_key(stdout, &first, "params");
    cli_json_raw(stdout, params);
    cli_json_key(stdout, &first, "levels");
    fputc('[', stdout);
    for (size_t i = 0; i < levels->count; i++) {
        fputs(i ? "," : "", stdout);
        json_names(levels->names + levels->starts[i], levels->starts[i + 1] - levels->starts[i]);
    }
    fputc(']', stdout);
    cli_json_key(stdout, &first, "critical_path");
    json_names(path->items, path->count);
    fputs("}\n", stdout);
}

static void put_names(const char *const *names, size_t count, const char *between)
{
    for (size_t i = 0; i < count; i++) {
        fputs(i ? between : "", stdout);
        cli_put_line(stdout, names[i]);
    }
    fputc('\n', stdout);
}

static void text_plan(const qk_dag *dag, const qk_levels *levels, const qk_names *path)
{
    size_t tasks = levels->starts[levels->count];
    cli_put_line(stdout, qk_dag_name(dag));
    fprintf(stdout, ": %zu task%s in %zu level%s\n", tasks, tasks == 1 ? "" : "s", levels->count,
            levels->count == 1 ? "" : "s");
    for (size_t i = 0; i < levels->count; i++) {
        fprintf(stdout, "%4zu  ", i + 1);
        put_names(levels->names + levels->starts[i], levels->starts[i + 1] - levels->starts[i],
                  ", ");
    }
    fputs("Longest chain: ", stdout);
    put_names(path->items, path->count, " → ");
}

qk_status cli_print_plan(cli *cli, qk_dag *dag, const char *params)
{
    qk_levels *levels = NULL;
    qk_names *path = NULL;
    qk_status rc = read_levels(cli, &levels, &path, dag);
    if (!rc && cli->json)
        json_plan(dag, params, levels, path);
    else if (!rc)
        text_plan(dag, levels, path);
    qk_names_free(path);
    qk_levels_free(levels);
    return rc;
}
