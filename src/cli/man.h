/*
 * Manual pages from the table of commands, the source of --help as well.
 */
#ifndef CLI_MAN_H
#define CLI_MAN_H

#include "cli.h"

/* Writes queuack.1 and a queuack-<command>.1 each to the folder, which it makes if need be. */
qk_status cli_write_man(cli *cli, const char *folder);

#endif
