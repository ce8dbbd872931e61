/*
 * Jobs as JSON objects, as a table, as a page.
 */
#ifndef CLI_JOB_OUT_H
#define CLI_JOB_OUT_H

#include "cli.h"
#include "text.h"

/* An object whose keys are the columns of the view `jobs`, in their order. */
void cli_job_json(FILE *out, const qk_job *job);
void cli_jobs_json(FILE *out, const qk_job_list *list);
qk_status cli_jobs_table(const qk_job_list *list, qk_error *err);
/* One job in full, for people. */
void cli_job_page(const qk_job *job);
cli_colour cli_status_colour(qk_job_status status);
/* What it does in a few words: its name, its command line, or its kind. free() it; may be NULL. */
char *cli_job_title(const char *kind, const char *name, const char *payload);

#endif
