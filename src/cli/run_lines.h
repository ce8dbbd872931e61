/*
 * A run as lines: for people (--plain, a pipe), or an event a line for programs (--json,
 * docs/run-events.md).
 */
#ifndef CLI_RUN_LINES_H
#define CLI_RUN_LINES_H

#include "run_model.h"

typedef struct run_lines {
    uint64_t seq; /* of the last event */
    bool quiet;
} run_lines;

/* Both are run_tell_fn with a run_lines as user, and write to stdout without flushing. */
void run_lines_text(void *user, const run_model *model, run_event event, size_t part, size_t task,
                    qk_time at);
void run_lines_json(void *user, const run_model *model, run_event event, size_t part, size_t task,
                    qk_time at);

/* The last `max` lines of a text, each behind `prefix`; nothing if there are none. */
void run_lines_tail(FILE *out, const char *text, size_t max, const char *prefix);

#endif
