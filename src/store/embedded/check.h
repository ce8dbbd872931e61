/*
 * The parts of a check: what can be seen of a file from outside, a private copy of it, its content.
 *
 * Any thread; a check belongs to one. The examined file is opened for reading only, and that before
 * any DuckDB of ours has it open, since closing a descriptor of it would drop DuckDB's lock.
 */
#ifndef QK_STORE_EMBEDDED_CHECK_H
#define QK_STORE_EMBEDDED_CHECK_H

#include <limits.h>

#include <queuack/upkeep.h>

#include "store/store.h"

typedef struct qk__check {
    const char *path;
    const qk_check_options *options;
    char folder[PATH_MAX]; /* of the copy; "" until made */
    char copy[PATH_MAX + 16];
    bool has_log; /* the file had a write-ahead log */
    size_t damages; /* found so far */
    qk_error *err;
} qk__check;

void qk__check_found(qk__check *check, qk_finding finding, const char *part, const char *format,
                     ...) QK_PRINTF(4, 5);

/* File, log and lock from outside, then the copy in a folder of its own. QK_EBUSY, QK_ENOTFOUND,
 * QK_EREFUSED, QK_EDAMAGED (nothing can be made of it), QK_EFULL, QK_EIO. */
qk_status qk__check_file(qk__check *check);
/* Removes the copy and its folder. */
void qk__check_remove_copy(qk__check *check);
/* The same, of the copy's log only: the state of the last checkpoint is left. */
void qk__check_remove_log(qk__check *check);

#endif
