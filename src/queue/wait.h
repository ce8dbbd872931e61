/*
 * Waits that end when the handle closes, on any store.
 *
 * A store with a `stop` operation is given the whole wait at once. One without gets it in steps,
 * and between two steps the handle is looked at; a step that ends early was ended on purpose.
 */
#ifndef QK_QUEUE_WAIT_H
#define QK_QUEUE_WAIT_H

#include <queuack/queue.h>

typedef struct qk__wait_steps {
    const qk_queue *queue;
    int64_t left_us; /* INT64_MAX: for ever */
    int64_t step_us, step_began_us;
    bool whole;
} qk__wait_steps;

qk__wait_steps qk__wait_begin(qk_queue *queue, int64_t wait_us);
/* The length of the next step. */
int64_t qk__wait_step(qk__wait_steps *steps);
/* Whether another step should follow one that ended with nothing. */
bool qk__wait_more(qk__wait_steps *steps);

#endif
