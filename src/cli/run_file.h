/*
 * The file that `run` is given, as a DAG: a definition as JSON (docs/dag-json.md) if its name ends in
 * .json, else a workflow file.
 */
#ifndef CLI_RUN_FILE_H
#define CLI_RUN_FILE_H

#include "cli.h"

typedef struct run_file {
    qk_dag *dag; /* borrowed from what follows */
    qk_dag *own; /* of a definition as JSON */
    qk_workflow *workflow;
    const char *params; /* JSON text of a workflow's; NULL: none */
} run_file;

/* With the -P of the command line. Warnings go to stderr. Errors name the file. */
qk_status run_file_load(run_file *file, cli *cli, const char *path);
void run_file_dispose(run_file *file);

#endif
