/*
 * Progress of long work, as one line on the terminal that goes when the work is over.
 *
 * It is drawn on stderr, only if that is a terminal that can move its cursor, without --quiet, and
 * only once the work has taken a moment; at most ten times a second. While the length of the work is
 * unknown (total 0) a thread of its own keeps it moving; everything else is the caller's thread.
 */
#ifndef CLI_PROGRESS_H
#define CLI_PROGRESS_H

#include "cli.h"

typedef struct cli_progress cli_progress;

/* NULL where nothing is to be drawn, which the other calls take. `verb`: "enqueueing", borrowed. */
cli_progress *cli_progress_start(const cli *cli, const char *verb, uint64_t total);
/* `note` (may be NULL) stands at the end of the line; copied. */
void cli_progress_at(cli_progress *progress, uint64_t done, uint64_t total, const char *note);
/* Clears the line and frees. */
void cli_progress_end(cli_progress *progress);

#endif
