/*
 * A descriptor that becomes readable when a store says that something changed, for stores that can
 * only be asked. The thread that asks starts with the first call of qk__wait_pump_fd.
 */
#ifndef QK_STORE_REMOTE_WAIT_PUMP_H
#define QK_STORE_REMOTE_WAIT_PUMP_H

#include <pthread.h>

#include "store/store.h"

typedef struct qk__wait_pump {
    qk_store *store;
    pthread_mutex_t lock;
    pthread_cond_t ended; /* stop was called: pauses end */
    pthread_t thread;
    bool runs, stop; /* guarded by lock */
    int fd;
} qk__wait_pump;

/* Makes the descriptor, no thread. False: out of resources. */
bool qk__wait_pump_init(qk__wait_pump *pump, qk_store *store);
int qk__wait_pump_fd(qk__wait_pump *pump);
/* The store's waits must have been ended. Idempotent. */
void qk__wait_pump_dispose(qk__wait_pump *pump);

#endif
