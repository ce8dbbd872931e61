/*
 * The folder that DuckDB spills queries to.
 *
 * `<path>.tmp` belongs to the file and to whoever owns it. A store in memory, or one with a folder for
 * temporary files, gets `queuack-<uuid>.tmp` there: it is alive while somebody holds flock(2) on it,
 * and what a killed process left is removed when the next one is made. One owner; any thread.
 */
#ifndef QK_STORE_EMBEDDED_SPILL_H
#define QK_STORE_EMBEDDED_SPILL_H

#include <limits.h>
#include <stdbool.h>

#include "store/store.h"

typedef struct qk__spill {
    char path[PATH_MAX]; /* "": none */
    int fd; /* holds the lock; -1: a folder of the file's, without one */
} qk__spill;

/* Names the folder, and makes it if it is one of its own. On an error `out` is empty.
 * QK_EINVAL (path too long), QK_EIO. */
qk_status qk__spill_open(qk__spill *out, const qk__store_config *config, qk_error *err);

/* Makes the folder if it is not there: once the file was accepted. QK_EIO. */
qk_status qk__spill_make(const qk__spill *spill, qk_error *err);

/* Removes the folder unless something lives in it. Harmless when empty. */
void qk__spill_close(qk__spill *spill);

#endif
