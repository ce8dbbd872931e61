/*
 * Workflow files on the command line: the file as a word, its params as -P NAME=VALUE.
 */
#ifndef CLI_WORKFLOW_ARGS_H
#define CLI_WORKFLOW_ARGS_H

#include "cli.h"

/* For a command's table of options. */
#define CLI_WORKFLOW_PARAM                                                                         \
    {                                                                                              \
        "param", 'P', "NAME=VALUE", "A param of the workflow", true                                \
    }

/* Loads the file. `optional`: params that must be given may be missing, for looking at it. Warnings
 * go to stderr. The caller frees with qk_workflow_free. */
qk_status cli_load_workflow(cli *cli, qk_workflow **out, const char *path, bool optional);

#endif
