/*
 * Which lines of a run's tree are shown when there is room for so many: what runs and what failed
 * always, the rest as far as it fits, folded into counts otherwise. No terminal is needed here.
 */
#ifndef CLI_RUN_ROWS_H
#define CLI_RUN_ROWS_H

#include "run_model.h"

typedef enum run_row_type {
    RUN_ROW_TASK,
    RUN_ROW_FOLDED, /* tasks of one run, as counts */
    RUN_ROW_TAIL, /* a last line of the failed task above */
} run_row_type;

typedef struct run_row {
    run_row_type type;
    int depth;
    size_t task;
    const char *text; /* of a tail: not ended by NUL */
    size_t length;
    uint64_t counts[QK_JOB_STATUS_COUNT];
} run_row;

typedef struct run_rows {
    run_row *items;
    size_t count, capacity;
    size_t limit; /* while they are made */
} run_rows;

/* At most `room` rows, from row `first` on if they do not fit; `all`: nothing is folded. Texts are
 * borrowed from the model. Out of memory: fewer rows. */
void run_rows_make(run_rows *rows, const run_model *model, size_t room, bool all);
void run_rows_dispose(run_rows *rows);

#endif
