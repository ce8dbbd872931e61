/*
 * The queue handle from inside: what src/queue's own files and the layers above it (src/worker)
 * share. Nothing here is exported.
 *
 * Guard: a call runs between qk__queue_enter and qk__queue_leave. Enter refuses once the handle is
 * closing or in a forked child; close waits until every entered call has left, then closes the
 * store. So a store never sees a call during or after its close.
 */
#ifndef QK_QUEUE_QUEUE_INTERNAL_H
#define QK_QUEUE_QUEUE_INTERNAL_H

#include <pthread.h>

#include "queue/spec.h"
#include "store/store.h"
#include "util/log.h"

/* QK_OK, QK_EINVAL (NULL), QK_ECLOSED, QK_EFORKED. After QK_OK leave must follow. Never blocks. */
qk_status qk__queue_enter(qk_queue *queue, qk_error *err);
void qk__queue_leave(qk_queue *queue);
/* True once close has begun: a call that waits in steps gives up. */
bool qk__queue_closing(const qk_queue *queue);

/* All borrow from the handle and are constant for its life. */
qk_store *qk__queue_store(qk_queue *queue);
const char *qk__queue_default_queue(const qk_queue *queue);
const char *qk__queue_worker_id(const qk_queue *queue);
uint32_t qk__queue_workers_num(const qk_queue *queue);
size_t qk__queue_max_payload(const qk_queue *queue);
const qk_clock *qk__queue_clock(const qk_queue *queue);
const qk__log *qk__queue_log(const qk_queue *queue);
const char *qk__queue_temp_dir(const qk_queue *queue);
bool qk__queue_strict(const qk_queue *queue);

/* Called first in qk_queue_close, while calls are still accepted, by the closing thread. May be
 * registered once. */
void qk__queue_on_close(qk_queue *queue, void (*fn)(void *arg), void *arg);

/* Room for the handle's own worker pool, made on first use. Hold the lock while reading or writing
 * the slot; it guards nothing else. */
void **qk__queue_worker_slot(qk_queue *queue);
pthread_mutex_t *qk__queue_worker_lock(qk_queue *queue);

/* Writes a fresh worker id: hostname-pid-xxxxxxxx. */
void qk__worker_id_make(char out[QK_NAME_MAX + 1]);

/*
 * Outcomes made fit for the store: result checked (JSON, size), texts made valid UTF-8 and cut to
 * what is kept. The copy in `out` borrows from `outcome` and from the scratch, which the caller
 * zero-initialises and disposes after the store has taken it.
 */
typedef struct qk__outcome_scratch {
    char *error, *log_tail; /* NULL: the caller's text was fit as it is */
} qk__outcome_scratch;

qk_status qk__outcome_prepare(qk_outcome *out, qk__outcome_scratch *scratch, const qk_queue *queue,
                              const qk_outcome *outcome, qk_error *err);
/* The same without a handle. */
qk_status qk__outcome_fit(qk_outcome *out, qk__outcome_scratch *scratch, size_t max_payload,
                          const qk_outcome *outcome, qk_error *err);
void qk__outcome_scratch_dispose(qk__outcome_scratch *scratch);

/* What specs of this queue are checked against; borrows from the queue. */
qk__spec_limits qk__queue_limits(const qk_queue *queue);

#endif
