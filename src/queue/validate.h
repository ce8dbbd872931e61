/*
 * Checks of single values from callers. Each names the field in a one-line message and returns
 * QK_EINVAL (QK_ETOOLARGE for sizes). Pure; any thread.
 */
#ifndef QK_QUEUE_VALIDATE_H
#define QK_QUEUE_VALIDATE_H

#include <queuack/job.h>

/* Longest duration and latest time that arithmetic and RFC 3339 stay clear of: 100 years, and the
 * end of the year 9999. */
#define QK__DURATION_MAX_US (INT64_C(100) * 366 * 86400 * 1000000)
#define QK__TIME_MAX_US (INT64_C(253402300799) * 1000000)

/* 1 to QK_NAME_MAX bytes of UTF-8 without control characters. */
qk_status qk__check_name(const char *field, const char *name, qk_error *err);
/* The same, NULL allowed. */
qk_status qk__check_optional_name(const char *field, const char *name, qk_error *err);
/* 0 to 100 years; forever is allowed only where it is said. */
qk_status qk__check_duration(const char *field, qk_duration duration, bool forever, qk_error *err);
/* JSON within the limit. */
qk_status qk__check_json(const char *field, const char *text, size_t length, size_t limit,
                         qk_error *err);
/* The payload of a command job; already known to be JSON. */
qk_status qk__check_command(const char *payload, size_t length, qk_error *err);
/* `what` names the struct in the message, `init` the macro. */
qk_status qk__check_version(const char *what, const char *init, uint32_t version, qk_error *err);
qk_status qk__check_lease(const qk_lease *lease, qk_error *err);

#endif
