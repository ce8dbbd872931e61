/*
 * Status codes and error reports.
 *
 * Every fallible call returns a qk_status: 0 or a negative code. A call that can explain itself
 * also takes a qk_error, which belongs to the caller, has a fixed size, and is never allocated,
 * so that reporting works when memory does not. NULL is allowed wherever a qk_error is taken.
 * One table holds code, JSON code, HTTP status and exit code of the program.
 */
#ifndef QUEUACK_ERROR_H
#define QUEUACK_ERROR_H

#include <queuack/version.h>

#ifdef __cplusplus
extern "C" {
#endif

/* X(name, value, JSON code, HTTP status, exit code, what it means) */
#define QK_STATUS_MAP(X)                                                                           \
    X(OK, 0, "ok", 200, 0, "no error")                                                             \
    X(EMPTY, -1, "empty", 204, 0, "nothing to hand out")                                           \
    X(EINVAL, -2, "invalid", 400, 2, "an argument is not acceptable")                              \
    X(ENOTFOUND, -3, "not_found", 404, 3, "no such job, run or queue")                             \
    X(EBACKPRESSURE, -4, "backpressure", 429, 4, "the queue is full")                              \
    X(ECONFLICT, -5, "conflict", 409, 4, "it contradicts what is stored")                          \
    X(ELEASE, -6, "lease_lost", 409, 4, "the lease is no longer held")                             \
    X(ESTATE, -7, "invalid_state", 409, 4, "not possible in the present state")                    \
    X(EREFUSED, -8, "refused", 403, 4, "not allowed")                                              \
    X(EBUSY, -9, "store_busy", 503, 5, "another process owns the store")                           \
    X(ESTORE, -10, "store_unreachable", 503, 5, "the store cannot be reached")                     \
    X(EDAMAGED, -11, "store_damaged", 500, 5, "the store is damaged")                              \
    X(EVERSION, -12, "store_version", 500, 5, "the store is of another version")                   \
    X(EFULL, -13, "disk_full", 507, 5, "no space to write")                                        \
    X(EIO, -14, "io", 500, 5, "reading or writing failed")                                         \
    X(ENOMEM, -15, "out_of_memory", 500, 5, "out of memory")                                       \
    X(ETIMEDOUT, -16, "timeout", 408, 6, "a wait timed out")                                       \
    X(ETOOLARGE, -17, "too_large", 413, 2, "larger than the limit")                                \
    X(ECLOSED, -18, "closed", 503, 5, "the handle is being closed")                                \
    X(EFORKED, -19, "forked", 500, 2, "the handle was opened before a fork")                       \
    X(EJOBFAILED, -20, "job_failed", 200, 1, "the job failed")                                     \
    X(EINTERRUPTED, -21, "interrupted", 503, 130, "interrupted")                                   \
    X(EUNSUPPORTED, -22, "unsupported", 501, 2, "not supported by this store or build")            \
    X(EINTERNAL, -23, "internal", 500, 5, "a bug in Queuack")

typedef enum qk_status {
#define QK_STATUS_ENUM(name, value, json, http, exit_code, text) QK_##name = (value),
    QK_STATUS_MAP(QK_STATUS_ENUM)
#undef QK_STATUS_ENUM
} qk_status;

#define QK_ERROR_MESSAGE_SIZE 504

typedef struct qk_error {
    qk_status code;
    int system_errno; /* 0, or the errno behind the failure */
    char message[QK_ERROR_MESSAGE_SIZE]; /* one line: what is wrong and what to do; never NULL */
} qk_error;

/* clang-format off */
#define QK_ERROR_INIT { QK_OK, 0, { 0 } }
/* clang-format on */

/* All four accept any value, have no side effects and may be called from any thread. The strings
 * are static. Unknown codes are treated as QK_EINTERNAL. */
QK_API const char *qk_status_text(qk_status status);
QK_API const char *qk_status_json_code(qk_status status);
QK_API int qk_status_http(qk_status status);
QK_API int qk_status_exit_code(qk_status status);

#ifdef __cplusplus
}
#endif
#endif
