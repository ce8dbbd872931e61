/*
 * Files of auto-migrated stores: made afresh in the temp folder, removed at close, and, when their
 * process died, by whoever opens the next one.
 */
#ifndef QK_QUEUE_TEMP_FILE_H
#define QK_QUEUE_TEMP_FILE_H

#include <stdbool.h>
#include <sys/types.h>

#include <queuack/error.h>

#include "util/log.h"

typedef struct qk__temp_file {
    char *path; /* absolute; NULL: there is none */
    char *folder;
    dev_t device;
    ino_t inode;
    int guard; /* descriptor, -1: none */
} qk__temp_file;

/* Removes what dead processes left in the folder, then makes a new empty file, mode 0600, that no
 * other process takes for dead until qk__temp_file_opened is called. On failure nothing is left. */
qk_status qk__temp_file_make(qk__temp_file *out, const char *folder, const qk__log *log,
                             qk_error *err);

/* The store is open and holds its lock. It may have put a file of its own in the place of the empty
 * one: QK_EREFUSED if what stands there now is not a private file of ours under its only name. */
qk_status qk__temp_file_opened(qk__temp_file *file, qk_error *err);

/* Removes the file and what lies beside it; the store must be closed. Frees the paths. */
void qk__temp_file_remove(qk__temp_file *file);

#endif
