/*
 * Workflow files on the command line; see workflow_args.h.
 */
#include "workflow_args.h"

#include <stdlib.h>
#include <string.h>

static void warn(void *user, const char *dag, const char *message)
{
    const cli *cli = user;
    /* Oddities are for `dag validate`: a run says them only when asked to say more. */
    if (cli->verbose || strcmp(cli->command->name, "run") != 0)
        cli_note(cli, "%s: %s", dag, message);
}

qk_status cli_load_workflow(cli *cli, qk_workflow **out, const char *path, bool optional)
{
    qk_workflow_options options = QK_WORKFLOW_OPTIONS_INIT;
    size_t at = 0, count = 0;
    const char **params = calloc(cli->given_count + 1, sizeof(*params));
    if (!params)
        return cli_error(&cli->err, QK_ENOMEM, "out of memory for the params");
    for (const char *value; (value = cli_next_value(cli, "param", &at));)
        params[count++] = value;
    options.params = params;
    options.param_count = count;
    options.params_optional = optional;
    options.warn = warn;
    options.warn_user = cli;
    qk_status rc = qk_workflow_load(out, path, &options, &cli->err);
    free(params);
    return rc;
}
