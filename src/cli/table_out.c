/*
 * Tables; see table.h.
 */
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "table.h"

#define GAP 2
#define LEAST_WIDTH 8 /* a column that shrinks keeps this much */

typedef struct cell {
    char *text;
    cli_colour colour;
} cell;

struct cli_table {
    size_t columns;
    cli_column *column;
    size_t *width;
    cell *cells;
    size_t count, capacity;
    bool fixed; /* widths are decided and the head is printed */
    bool failed;
};

static void dispose(cli_table *table)
{
    for (size_t i = 0; table->column && i < table->columns; i++)
        free((char *)table->column[i].head);
    for (size_t i = 0; i < table->count; i++)
        free(table->cells[i].text);
    free(table->column);
    free(table->width);
    free(table->cells);
    free(table);
}

cli_table *cli_table_new(const cli_column *columns, size_t count)
{
    cli_table *table = calloc(1, sizeof(*table));
    if (!table)
        return NULL;
    table->columns = count;
    table->column = calloc(count, sizeof(*columns));
    table->width = calloc(count, sizeof(*table->width));
    bool ok = table->column && table->width;
    for (size_t i = 0; i < count && ok; i++) {
        table->column[i] = columns[i];
        table->column[i].head = strdup(columns[i].head);
        ok = table->column[i].head != NULL;
    }
    if (!ok) {
        dispose(table);
        return NULL;
    }
    return table;
}

void cli_table_cell(cli_table *table, cli_colour colour, const char *text)
{
    if (!table || table->failed)
        return;
    if (table->count == table->capacity) {
        size_t capacity = table->capacity ? table->capacity * 2 : 64;
        cell *cells = realloc(table->cells, capacity * sizeof(*cells));
        if (!cells) {
            table->failed = true;
            return;
        }
        table->cells = cells;
        table->capacity = capacity;
    }
    char *copy = strdup(text ? text : "");
    if (!copy)
        table->failed = true;
    else
        table->cells[table->count++] = (cell){ copy, colour };
}

void cli_table_printf(cli_table *table, cli_colour colour, const char *format, ...)
{
    char *text = NULL;
    va_list args;
    va_start(args, format);
    if (vasprintf(&text, format, args) < 0) {
        text = NULL;
        if (table)
            table->failed = true;
    }
    va_end(args);
    if (text)
        cli_table_cell(table, colour, text);
    free(text);
}

size_t cli_table_rows(const cli_table *table)
{
    return table ? table->count / table->columns : 0;
}

/* Takes the excess from the widest column that may shrink, one step at a time. */
static void fit(cli_table *table, size_t room)
{
    size_t total = (table->columns - 1) * GAP;
    for (size_t i = 0; i < table->columns; i++)
        total += table->width[i];
    while (total > room) {
        size_t widest = table->columns;
        for (size_t i = 0; i < table->columns; i++) {
            if (table->column[i].shrinks && table->width[i] > LEAST_WIDTH &&
                (widest == table->columns || table->width[i] > table->width[widest]))
                widest = i;
        }
        if (widest == table->columns)
            return;
        table->width[widest]--;
        total--;
    }
}

static void put_cell(const cli_table *table, size_t index, const char *text, cli_colour colour)
{
    size_t column = index % table->columns;
    bool last = column + 1 == table->columns;
    size_t width = table->width[column];
    size_t used = cli_width(text);
    size_t pad = used < width ? width - used : 0;
    fputs(cli_colour_on(colour), stdout);
    if (table->column[column].right)
        printf("%*s", (int)pad, "");
    if (used > width && cli_terminal_width() > 0)
        cli_put_cut(stdout, text, width);
    else
        cli_put_line(stdout, text);
    fputs(cli_colour_off(), stdout);
    if (last)
        putchar('\n');
    else
        printf("%*s", (int)(GAP + (table->column[column].right ? 0 : pad)), "");
}

static void fix_widths(cli_table *table)
{
    for (size_t i = 0; i < table->columns; i++)
        table->width[i] = cli_width(table->column[i].head);
    for (size_t i = 0; table->columns > 0 && i < table->count; i++) {
        size_t width = cli_width(table->cells[i].text);
        if (width > table->width[i % table->columns])
            table->width[i % table->columns] = width;
    }
    if (cli_terminal_width() > 0)
        fit(table, cli_terminal_width());
    for (size_t i = 0; i < table->columns; i++)
        put_cell(table, i, table->column[i].head, CLI_BOLD);
    table->fixed = true;
}

void cli_table_flush(cli_table *table)
{
    if (!table)
        return;
    if (!table->fixed)
        fix_widths(table);
    for (size_t i = 0; i < table->count; i++) {
        put_cell(table, i, table->cells[i].text, table->cells[i].colour);
        free(table->cells[i].text);
    }
    table->count = 0;
}

qk_status cli_table_end(cli_table *table, qk_error *err)
{
    if (!table)
        return cli_error(err, QK_ENOMEM, "out of memory");
    bool failed = table->failed;
    cli_table_flush(table);
    dispose(table);
    return failed ? cli_error(err, QK_ENOMEM, "out of memory: the table is not complete") : QK_OK;
}
