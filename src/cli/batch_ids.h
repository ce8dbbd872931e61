/*
 * Ids of a batch's jobs, fixed before the first of them is enqueued, so that a batch repeated after
 * a crash finds what is there already.
 *
 * An id is a UUIDv7: 48 bits of time, 26 bits of line number, 48 bits that follow from the hash of
 * the whole content and the line. The time is that of the first go: a later one looks for the job
 * of its first line by the bits that follow from the content, and takes the time from it. So the
 * ids of a batch rise with its lines and with the time it came in, like any others.
 */
#ifndef CLI_BATCH_IDS_H
#define CLI_BATCH_IDS_H

#include "cli.h"
#include "sha256.h"

#define BATCH_LINES_MAX ((UINT64_C(1) << 26) - 1)

typedef struct batch_ids {
    uint64_t seed; /* of the content */
    uint64_t time_ms;
    bool found; /* the time is that of an earlier go */
} batch_ids;

qk_id batch_id(const batch_ids *ids, uint64_t line);
/* Finds the time of an earlier go in the open store, or takes the present. `line`: one whose job
 * has no id of its own, enqueued by the first commit. */
qk_status batch_ids_resume(batch_ids *ids, cli *cli, uint64_t line);

#endif
