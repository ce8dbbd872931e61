/*
 * Reading a JSON object that came from outside. The first problem is kept and names the field; what
 * is read after it has its default. Texts are borrowed from the object.
 */
#ifndef QK_HTTP_FIELDS_H
#define QK_HTTP_FIELDS_H

#include <jansson.h>
#include <stdbool.h>

#include <queuack/types.h>

#include "util/error.h"

typedef struct qk__fields {
    const json_t *object;
    qk_status rc;
    qk_error err;
} qk__fields;

/* Not an object: QK_EINVAL at once. */
void qk__fields_init(qk__fields *fields, const json_t *object);
/* Keys outside the NULL-terminated list are refused, so that a misspelt one is not ignored. */
void qk__fields_only(qk__fields *fields, const char *const *keys);
const char *qk__field_text(qk__fields *fields, const char *key); /* NULL: absent or null */
int64_t qk__field_number(qk__fields *fields, const char *key, int64_t absent, int64_t least,
                         int64_t most);
double qk__field_real(qk__fields *fields, const char *key, double absent);
bool qk__field_bool(qk__fields *fields, const char *key);
/* Seconds, as microseconds; null is `null_us`. */
int64_t qk__field_seconds(qk__fields *fields, const char *key, int64_t absent, int64_t null_us);
qk_time qk__field_time(qk__fields *fields, const char *key);
qk_id qk__field_id(qk__fields *fields, const char *key);
/* The array's texts, malloc'd (NULL if there are none); absent: count 0. */
const char **qk__field_texts(qk__fields *fields, const char *key, size_t most, size_t *count);
qk_id *qk__field_ids(qk__fields *fields, const char *key, size_t most, size_t *count);
void qk__fields_fail(qk__fields *fields, const char *key, const char *what);

#endif
