/*
 * version
 */
#include "commands.h"
#include "text.h"

static qk_status run_version(cli *cli)
{
    const char *duckdb = qk_store_library_version();
    duckdb += duckdb[0] == 'v';
    if (!cli->json) {
        printf("queuack %s (DuckDB %s)\n", qk_version(), duckdb);
        return QK_OK;
    }
    bool first = true;
    putchar('{');
    cli_json_key(stdout, &first, "version");
    cli_json_text(stdout, qk_version());
    cli_json_key(stdout, &first, "duckdb");
    cli_json_text(stdout, duckdb);
    puts("}");
    return QK_OK;
}

const cli_command cli_cmd_version = {
    .name = "version",
    .synopsis = "",
    .summary = "Print the versions of Queuack and DuckDB",
    .run = run_version,
};
