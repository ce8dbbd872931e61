/*
 * Secrets kept out of what commands print: their values become ***, also where one is cut in two by
 * how it was read. Values of less than QK__SECRET_LEAST bytes are not looked for: they would be
 * found everywhere. One thread at a time.
 */
#ifndef QK_WORKER_MASK_H
#define QK_WORKER_MASK_H

#include "util/buffer.h"

#define QK__SECRET_LEAST 4

typedef struct qk__secret {
    char *text;
    size_t length;
} qk__secret;

typedef struct qk__secrets {
    qk__secret *items;
    size_t count;
} qk__secrets;

/* Adds a value, and how JSON writes it if that differs. False: out of memory. */
bool qk__secrets_add(qk__secrets *secrets, const char *value);
void qk__secrets_dispose(qk__secrets *secrets);

/* Appends `data` to `held`, then moves to `out` what is certain: all but an end that a secret may
 * begin with; with `last` everything. False: out of memory; what was held is lost rather than
 * shown. */
bool qk__mask(qk__buffer *out, qk__buffer *held, const qk__secrets *secrets, const char *data,
              size_t length, bool last);

#endif
