/*
 * __plugin: the process in which `worker --plugin` runs the handlers of a plugin.
 */
#include <unistd.h>

#include <queuack/plugin.h>

#include "commands.h"

static qk_status run_plugin(cli *cli)
{
    if (isatty(STDIN_FILENO) == 1)
        return cli_error(&cli->err, QK_EINVAL,
                         "__plugin is what a worker starts for its plugins: use queuack worker "
                         "--plugin FILE.so");
    cli->exit_code = qk_plugin_host();
    return QK_OK;
}

const cli_command cli_cmd_plugin = {
    .name = "__plugin",
    .synopsis = "",
    .summary = "Run handlers of a plugin for a worker",
    .hidden = true,
    .run = run_plugin,
};
