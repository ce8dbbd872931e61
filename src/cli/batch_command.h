/*
 * Commands in a batch: {"command":["prog","arg"],"cwd":…,"env":{…},"slots":n}.
 */
#ifndef CLI_BATCH_COMMAND_H
#define CLI_BATCH_COMMAND_H

#include "arena.h"
#include "cli.h"
#include "json_scan.h"

/* As they stood in the line; type 0: not there. */
typedef struct batch_command {
    json_span words, folder, environment, slots;
} batch_command;

/* Checks the parts and joins them to a payload in the arena. */
qk_status batch_command_make(const char **out, arena *arena, const batch_command *parts,
                             const char *default_folder, qk_error *err);
/* Checks the payload of a line with "kind":"command". */
qk_status batch_command_check(const json_span *payload, qk_error *err);

#endif
