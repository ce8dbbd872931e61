/*
 * Filling a qk_error. Never allocates.
 */
#ifndef QK_UTIL_ERROR_H
#define QK_UTIL_ERROR_H

#include <queuack/error.h>

/* Stores code and message (control characters become spaces, so that it stays one line) and returns
 * the code. `err` may be NULL. */
qk_status qk__error(qk_error *err, qk_status code, const char *format, ...) QK_PRINTF(3, 4);

/* The same with an errno, whose text is appended as ": No such file …". ENOSPC and EDQUOT turn
 * `code` into QK_EFULL, ENOMEM into QK_ENOMEM. */
qk_status qk__error_errno(qk_error *err, qk_status code, int system_errno, const char *format, ...)
    QK_PRINTF(4, 5);

#endif
