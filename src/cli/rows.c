/*
 * Printing rows; see rows.h.
 */
#include "rows.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "json_scan.h"
#include "table.h"
#include "text.h"
#include "values.h"

#define PORTION 1000 /* rows that decide the widths of a table */

/* True if the text is one JSON value, of `type` if that is not 0. */
static bool is_json(const char *text, char type)
{
    json_scan scan;
    json_span span;
    json_scan_init(&scan, (char *)text, strlen(text));
    return json_scan_all(&scan, &span) && (type == 0 || span.type == type);
}

static void put_json_value(FILE *out, qk_column_type type, const char *text, size_t length)
{
    if (!text)
        fputs("null", out);
    else if (type == QK_COLUMN_BOOL)
        fputs(text[0] == 't' ? "true" : "false", out);
    else if ((type == QK_COLUMN_JSON && is_json(text, 0)) ||
             (type == QK_COLUMN_NUMBER && is_json(text, '0'))) /* not NaN or inf */
        cli_json_raw(out, text);
    else
        cli_json_bytes(out, text, length);
}

static qk_status gather_json(qk_rows *rows, FILE *out, size_t *count, qk_error *err)
{
    size_t columns = qk_rows_column_count(rows);
    qk_status rc;
    fputc('[', out);
    while ((rc = qk_rows_next(rows, err)) == QK_OK) {
        bool first = true;
        fputs((*count)++ ? ",\n{" : "{", out);
        for (size_t i = 0; i < columns; i++) {
            cli_json_key(out, &first, qk_rows_column_name(rows, i));
            put_json_value(out, qk_rows_column_type(rows, i), qk_rows_text(rows, i),
                           qk_rows_length(rows, i));
        }
        fputc('}', out);
    }
    fputs("]\n", out);
    return rc == QK_EMPTY ? QK_OK : rc;
}

static qk_status print_json(qk_rows *rows, size_t *count, qk_error *err)
{
    char block[65536];
    size_t got;
    FILE *spool = tmpfile();
    if (!spool)
        return cli_error_errno(err, QK_EIO, errno, "cannot make a temporary file");
    qk_status rc = gather_json(rows, spool, count, err);
    if (!rc && (fflush(spool) != 0 || ferror(spool)))
        rc = cli_error_errno(err, QK_EFULL, errno, "cannot write a temporary file");
    rewind(spool);
    while (!rc && (got = fread(block, 1, sizeof(block), spool)) > 0) {
        if (fwrite(block, 1, got, stdout) < got)
            break;
    }
    fclose(spool);
    return rc;
}

/* A value with NUL bytes, which cells cannot hold: they are shown as other control characters are. */
static void put_binary(cli_table *table, const char *text, size_t length)
{
    char *shown = malloc(4 * length + 1);
    size_t used = 0;
    for (size_t i = 0; shown && i < length; i++) {
        memcpy(shown + used, text[i] ? &text[i] : "\\x00", text[i] ? 1 : 4);
        used += text[i] ? 1 : 4;
    }
    if (shown)
        shown[used] = '\0';
    cli_table_cell(table, CLI_PLAIN, shown ? shown : text);
    free(shown);
}

static void put_cells(cli_table *table, const qk_rows *rows, size_t columns)
{
    char local[CLI_TIME_SIZE];
    for (size_t i = 0; i < columns; i++) {
        const char *text = qk_rows_text(rows, i);
        size_t length = qk_rows_length(rows, i);
        qk_time time = { 0 };
        if (text && strlen(text) < length) {
            put_binary(table, text, length);
            continue;
        }
        if (text && qk_rows_column_type(rows, i) == QK_COLUMN_TIME)
            time = cli_time_read(text);
        cli_table_cell(table, text ? CLI_PLAIN : CLI_DIM,
                       time.us ? cli_time_local(local, time)
                       : text  ? text
                               : "-");
    }
}

static cli_table *new_table(const qk_rows *rows, size_t count)
{
    cli_column *columns = calloc(count ? count : 1, sizeof(*columns));
    if (!columns)
        return NULL;
    for (size_t i = 0; i < count; i++) {
        qk_column_type type = qk_rows_column_type(rows, i);
        columns[i] = (cli_column){
            .head = qk_rows_column_name(rows, i),
            .right = type == QK_COLUMN_NUMBER,
            .shrinks = type == QK_COLUMN_TEXT || type == QK_COLUMN_JSON,
        };
    }
    cli_table *table = cli_table_new(columns, count);
    free(columns);
    return table;
}

static qk_status print_table(qk_rows *rows, size_t *count, qk_error *err)
{
    size_t columns = qk_rows_column_count(rows);
    cli_table *table = new_table(rows, columns);
    qk_error ignored = QK_ERROR_INIT;
    qk_status rc = QK_OK;
    while (table && (rc = qk_rows_next(rows, err)) == QK_OK && !ferror(stdout)) {
        put_cells(table, rows, columns);
        if (++*count % PORTION == 0)
            cli_table_flush(table);
    }
    if (rc && rc != QK_EMPTY) {
        if (table)
            cli_table_end(table, &ignored);
        return rc;
    }
    return cli_table_end(table, err);
}

qk_status cli_print_rows(cli *cli, size_t *out, const char *sql, qk_duration timeout)
{
    qk_rows *rows = NULL;
    size_t count = 0;
    qk_status rc = qk_rows_open(&rows, cli->queue, sql, timeout, &cli->err);
    if (rc)
        return rc;
    rc = cli->json ? print_json(rows, &count, &cli->err) : print_table(rows, &count, &cli->err);
    qk_rows_close(rows);
    if (!rc && out)
        *out = count;
    return rc;
}
