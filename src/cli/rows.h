/*
 * The rows of a SELECT, as a table or as a JSON array. Either all of the JSON appears or none:
 * it is gathered in an unlinked temporary file first, so memory stays bounded.
 */
#ifndef CLI_ROWS_H
#define CLI_ROWS_H

#include "cli.h"

/* Runs it on the open store and prints. *out (may be NULL): the number of rows. */
qk_status cli_print_rows(cli *cli, size_t *out, const char *sql, qk_duration timeout);

#endif
