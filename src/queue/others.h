/*
 * Other stores that a handle was told of by alias: their handles, opened when first asked for.
 *
 * Any thread; the lock is held while a store is opened, so that it is opened once.
 */
#ifndef QK_QUEUE_OTHERS_H
#define QK_QUEUE_OTHERS_H

#include <queuack/queue.h>

typedef struct qk__others qk__others;

/* Copies the options' aliases; *out is NULL if there are none. QK_EINVAL, QK_ECONFLICT, QK_ENOMEM. */
qk_status qk__others_new(qk__others **out, const qk_queue_options *options, qk_error *err);
/* As qk_queue_other; `others` may be NULL. */
qk_status qk__others_get(qk_queue **out, qk__others *others, const char *alias, qk_error *err);
/* Closes what was opened and frees. NULL-safe. */
void qk__others_close(qk__others *others);

#endif
