/*
 * The options of `enqueue` as qk_job_options, and the checks that a job passes before a store is
 * opened for it, so that a mistake does not leave an empty file behind.
 */
#ifndef CLI_JOB_ARGS_H
#define CLI_JOB_ARGS_H

#include "cli.h"

typedef struct job_args {
    qk_job_options options; /* `needs` is filled by job_args_needs */
    const char **tags;
    qk_id *needs;
} job_args;

/* Strings borrow from `cli`. Call job_args_dispose in any case. */
qk_status job_args_read(cli *cli, job_args *out);
/* --needs, which may name jobs in short. The store is open. */
qk_status job_args_needs(cli *cli, job_args *args);
void job_args_dispose(job_args *args);

/* {"argv":[…],"cwd":…,"env":{…},"slots":n} of the words behind "--"; free() it. */
qk_status job_args_command(cli *cli, char **out);
/* -d JSON|@FILE|@-; *out is NULL if it was not given; free() it. */
qk_status job_args_payload(cli *cli, char **out);
/* The folder of -C or the present one, absolute; free() it. */
qk_status job_args_folder(cli *cli, char **out);

/* A kind, queue, name, tag or key: not empty, at most 255 bytes, no control characters. */
qk_status job_check_name(const char *what, const char *text, qk_error *err);

#endif
