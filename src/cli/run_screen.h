/*
 * A run on a terminal: a tree of its tasks that is drawn anew while it goes on. ncurses, as in top;
 * a build without it prints lines.
 */
#ifndef CLI_RUN_SCREEN_H
#define CLI_RUN_SCREEN_H

#include "run_eta.h"

typedef struct run_screen run_screen;

/* Input and output are a terminal that it can draw on. */
bool run_screen_possible(void);
/* The terminal is taken only once the run has lasted a moment, so that short ones leave no flicker.
 * QK_ENOMEM. The model and the DAG are borrowed. */
qk_status run_screen_open(run_screen **out, const run_model *model, qk_dag *dag, int slots);
/* Draws if it is time to, and looks at keys. `cancelling` is said. */
void run_screen_tick(run_screen *screen, bool cancelling);
/* Gives the terminal back. NULL-safe. */
void run_screen_close(run_screen *screen);

#endif
