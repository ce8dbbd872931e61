/*
 * See run_rows.h. Three degrees of folding are tried in turn: none; stretches of tasks that neither
 * run nor failed; all such tasks of a run. The first that fits is taken, else the last, cut.
 */
#include "run_rows.h"

#include <stdlib.h>
#include <string.h>

#define TAIL_ROWS 3

enum fold { FOLD_NONE, FOLD_STRETCHES, FOLD_RUNS };

static run_row *add(run_rows *rows, run_row_type type, int depth)
{
    if (rows->count == rows->capacity) {
        size_t capacity = rows->capacity ? rows->capacity * 2 : 64;
        run_row *items = realloc(rows->items, capacity * sizeof(*items));
        if (!items)
            return NULL;
        rows->items = items;
        rows->capacity = capacity;
    }
    run_row *row = &rows->items[rows->count++];
    *row = (run_row){ .type = type, .depth = depth };
    return row;
}

static void add_tail(run_rows *rows, const char *text, int depth)
{
    size_t length = text ? strlen(text) : 0;
    while (length > 0 && (text[length - 1] == '\n' || text[length - 1] == '\r'))
        length--;
    size_t from = length;
    for (size_t lines = 0; from > 0; from--) {
        if (text[from - 1] == '\n' && ++lines == TAIL_ROWS)
            break;
    }
    while (from < length) {
        const char *end = memchr(text + from, '\n', length - from);
        size_t size = end ? (size_t)(end - text) - from : length - from;
        run_row *row = add(rows, RUN_ROW_TAIL, depth);
        if (row) {
            row->text = text + from;
            row->length = size;
        }
        from += size + 1;
    }
}

static bool matters(const run_task *task)
{
    return task->status == QK_JOB_CLAIMED || task->status == QK_JOB_FAILED ||
           (task->failed_before && !qk_job_status_is_terminal(task->status));
}

/* The run of a sub-DAG node is opened while it is under way, and where something failed in it. */
static bool opens(const run_model *model, const run_task *task, bool all)
{
    if (task->child == RUN_NONE)
        return false;
    return all || task->status == QK_JOB_CLAIMED || task->status == QK_JOB_FAILED ||
           model->parts[task->child].counts[QK_JOB_FAILED] > 0;
}

static void add_part(run_rows *rows, const run_model *model, size_t part, int depth, enum fold fold,
                     bool all);

static void add_task(run_rows *rows, const run_model *model, size_t index, int depth,
                     enum fold fold, bool all)
{
    const run_task *task = &model->tasks[index];
    run_row *row = add(rows, RUN_ROW_TASK, depth);
    if (!row)
        return;
    row->task = index;
    if (task->status == QK_JOB_FAILED)
        add_tail(rows, task->tail, depth + 1);
    if (opens(model, task, all))
        add_part(rows, model, task->child, depth + 1, fold, all);
}

/* Takes what has gathered in the last row, if that is a folded one of this depth. */
static void fold_in(run_rows *rows, size_t *at, const run_model *model, size_t index, int depth)
{
    if (*at == SIZE_MAX) {
        run_row *row = add(rows, RUN_ROW_FOLDED, depth);
        if (!row)
            return;
        row->task = index;
        *at = rows->count - 1;
    }
    rows->items[*at].counts[model->tasks[index].status]++;
}

static void add_part(run_rows *rows, const run_model *model, size_t part, int depth, enum fold fold,
                     bool all)
{
    const run_part *run = &model->parts[part];
    size_t folded = SIZE_MAX;
    for (size_t i = 0; i < run->count && (fold != FOLD_NONE || rows->count <= rows->limit); i++) {
        const run_task *task = &model->tasks[run->tasks[i]];
        if (fold == FOLD_NONE || matters(task)) {
            add_task(rows, model, run->tasks[i], depth, fold, all);
            folded = fold == FOLD_RUNS ? folded : SIZE_MAX;
        } else {
            fold_in(rows, &folded, model, run->tasks[i], depth);
        }
    }
}

void run_rows_make(run_rows *rows, const run_model *model, size_t room, bool all)
{
    rows->limit = all ? SIZE_MAX : room;
    for (int fold = FOLD_NONE; fold <= (all ? FOLD_NONE : FOLD_RUNS); fold++) {
        rows->count = 0;
        add_part(rows, model, 0, 0, (enum fold)fold, all);
        if (rows->count <= room)
            return;
    }
}

void run_rows_dispose(run_rows *rows)
{
    free(rows->items);
    *rows = (run_rows){ 0 };
}
