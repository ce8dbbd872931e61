/*
 * See sql_text.h. DuckDB's literals know one escape, the doubled quote.
 */
#include "sql_text.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

void cli_sql_literal(FILE *out, const char *text)
{
    fputc('\'', out);
    for (; *text; text++) {
        if (*text == '\'')
            fputc('\'', out);
        fputc(*text, out);
    }
    fputc('\'', out);
}

static char *compose(const char *format, va_list args)
{
    char *sql = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&sql, &size);
    if (!out)
        return NULL;
    for (const char *hole; (hole = strstr(format, "%L")); format = hole + 2) {
        fwrite(format, 1, (size_t)(hole - format), out);
        cli_sql_literal(out, va_arg(args, const char *));
    }
    fputs(format, out);
    bool failed = ferror(out) != 0;
    if (fclose(out) != 0 || failed) {
        free(sql);
        return NULL;
    }
    return sql;
}

static qk_status open_rows(cli *cli, qk_rows **out, const char *format, va_list args)
{
    char *sql = compose(format, args);
    *out = NULL;
    if (!sql)
        return cli_error(&cli->err, QK_ENOMEM, "out of memory");
    qk_status rc = qk_rows_open(out, cli->queue, sql, qk_us(0), &cli->err);
    free(sql);
    return rc;
}

qk_status cli_sql_open(cli *cli, qk_rows **out, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    qk_status rc = open_rows(cli, out, format, args);
    va_end(args);
    return rc;
}

qk_status cli_sql_number(cli *cli, int64_t *out, const char *format, ...)
{
    qk_rows *rows = NULL;
    va_list args;
    va_start(args, format);
    qk_status rc = open_rows(cli, &rows, format, args);
    va_end(args);
    *out = 0;
    if (!rc)
        rc = qk_rows_next(rows, &cli->err);
    if (!rc && qk_rows_text(rows, 0))
        *out = strtoll(qk_rows_text(rows, 0), NULL, 10);
    qk_rows_close(rows);
    return rc == QK_EMPTY ? QK_OK : rc;
}
