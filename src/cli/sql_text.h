/*
 * Asking the store's views. Words from outside become SQL literals here and nowhere else.
 */
#ifndef CLI_SQL_TEXT_H
#define CLI_SQL_TEXT_H

#include "cli.h"

/* 'it''s' */
void cli_sql_literal(FILE *out, const char *text);

/* Opens the rows of a statement that is put together from pieces: "%L" in the format is the next
 * argument, a const char *, as a literal. Errors go to cli->err. */
qk_status cli_sql_open(cli *cli, qk_rows **out, const char *format, ...);
/* The first number of its only row, 0 if there is none. */
qk_status cli_sql_number(cli *cli, int64_t *out, const char *format, ...);

#endif
