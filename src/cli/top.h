/*
 * What `top` shows, apart from how: gathered by top_data.c, drawn by top_screen.c (ncurses, which a
 * build may leave out) or printed once by cmd_top.c.
 */
#ifndef CLI_TOP_H
#define CLI_TOP_H

#include "cli.h"

#define TOP_COLUMNS_MAX 7

typedef struct top_row {
    char *cell[TOP_COLUMNS_MAX]; /* NULL: nothing */
    bool alert; /* to be noticed: paused, failed, silent */
} top_row;

typedef struct top_column {
    const char *head;
    bool right;
    int width; /* 0: takes what is left */
} top_column;

typedef enum top_part {
    TOP_QUEUES,
    TOP_WORKERS,
    TOP_RUNNING,
} top_part;
#define TOP_PARTS 3

typedef struct top_section {
    const char *title;
    const top_column *columns;
    size_t column_count;
    top_row *rows;
    size_t count, capacity;
} top_section;

typedef struct top_data {
    char path[256];
    qk_time taken; /* when the store was looked at; none: never yet */
    bool busy; /* another process had it when it was looked at last; the rest is from before */
    uint64_t counts[QK_JOB_STATUS_COUNT];
    double done_rate; /* ended jobs per second between the last two looks; negative: unknown */
    uint64_t ended_before;
    top_section section[TOP_PARTS];
} top_data;

void top_data_init(top_data *data, const cli *cli);
/* Opens the store for a look, and closes it: whoever runs jobs needs the file. A store in use is no
 * error. */
qk_status top_data_look(cli *cli, top_data *data);
void top_data_dispose(top_data *data);
/* "pending 3  delayed 0 …", of all queues. */
void top_data_totals(const top_data *data, char *out, size_t size);

/* Runs until q or a signal. QK_EUNSUPPORTED in a build without it. */
qk_status top_screen_run(cli *cli, top_data *data, qk_duration interval);

#endif
