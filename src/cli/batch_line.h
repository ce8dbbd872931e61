/*
 * One line of a batch, read into a job. The line's text is changed in place and lends its strings
 * to the job; what must be copied goes to the arena.
 */
#ifndef CLI_BATCH_LINE_H
#define CLI_BATCH_LINE_H

#include "arena.h"
#include "cli.h"

typedef struct batch_job {
    const char *kind;
    const char *payload; /* NULL: null */
    qk_job_options options;
} batch_job;

typedef struct batch_defaults {
    qk_job_options options; /* for what a line does not say */
    const char *folder; /* for commands, as a JSON string with its quotes */
} batch_defaults;

/* QK_EMPTY for a blank line. QK_EINVAL, QK_ETOOLARGE: the message does not name the line. */
qk_status batch_line_parse(batch_job *out, arena *arena, const batch_defaults *defaults, char *text,
                           size_t length, qk_error *err);

#endif
