/*
 * Asking before something that cannot be undone, or that touches many jobs at once.
 */
#ifndef CLI_ASK_H
#define CLI_ASK_H

#include "cli.h"

/* clang-format off */
#define CLI_SURE_OPTIONS \
    { "yes", 'y', NULL, "Do not ask before changing many jobs", false }, \
    { "dry-run", 0, NULL, "Only say what would be done", false }
/* clang-format on */

/* True if cli_confirm would put a question: there is a terminal, and no --yes. */
bool cli_would_ask(const cli *cli);

/* QK_OK to go on: it was confirmed, --yes was given, or there is no terminal to ask on. The question
 * is one line without its mark. QK_EREFUSED otherwise, and says that nothing was changed. */
qk_status cli_confirm(cli *cli, const char *format, ...) QK_PRINTF(2, 3);

#endif
