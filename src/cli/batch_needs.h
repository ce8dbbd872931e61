/*
 * The ids that lines of a batch give and need, gathered while the lines are checked, so that a
 * parent that does not exist is found before anything is enqueued.
 */
#ifndef CLI_BATCH_NEEDS_H
#define CLI_BATCH_NEEDS_H

#include "cli.h"

typedef struct batch_reference {
    qk_id id;
    uint64_t line;
} batch_reference;

typedef struct batch_references {
    batch_reference *items;
    size_t count, capacity;
} batch_references;

qk_status batch_reference_add(batch_references *list, qk_id id, uint64_t line, qk_error *err);
/* Each need must be given by an earlier line or be a job of the open store. Sorts `given`. */
qk_status batch_needs_check(cli *cli, batch_references *given, const batch_references *needs);

#endif
