/*
 * Tables for people. Columns are as wide as their widest cell; on a terminal those that may shrink
 * give way until a line fits. Rows are kept until cli_table_flush, which fixes the widths: a long
 * listing is printed in portions with the widths of the first.
 */
#ifndef CLI_TABLE_H
#define CLI_TABLE_H

#include <queuack/error.h>

#include "text.h"

typedef struct cli_column {
    const char *head; /* copied */
    bool right; /* numbers */
    bool shrinks;
} cli_column;

typedef struct cli_table cli_table;

/* NULL without memory, which the other calls take and cli_table_end reports. */
cli_table *cli_table_new(const cli_column *columns, size_t count);
/* The next cell, row by row. NULL is shown as nothing. */
void cli_table_cell(cli_table *table, cli_colour colour, const char *text);
void cli_table_printf(cli_table *table, cli_colour colour, const char *format, ...) QK_PRINTF(3, 4);
size_t cli_table_rows(const cli_table *table);
void cli_table_flush(cli_table *table);
/* Prints what is left and frees. QK_ENOMEM if something was lost. */
qk_status cli_table_end(cli_table *table, qk_error *err);

#endif
