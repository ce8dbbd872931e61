/*
 * Outcomes on their way to being durable.
 *
 * A slot reports outcomes to the store without waiting for the disk, then leaves them here. The
 * reporter thread flushes the store and only then lets go of them; after a failure it reports
 * everything it holds again, with growing pauses, until that worked. Nothing is dropped as long as
 * the pool lives.
 */
#ifndef QK_WORKER_OUTBOX_H
#define QK_WORKER_OUTBOX_H

#include <pthread.h>
#include <stdatomic.h>

#include <queuack/job.h>

#define QK__REPORT_MAX 256 /* outcomes gathered before they are reported */
#define QK__OUTBOX_MAX 65536 /* outcomes held; slots wait when it is full */
#define QK__OUTBOX_SPARE 4096 /* more, for the keeper, which must not wait */

#define QK__NOTE_FINAL 1u /* a failure of this attempt ends the job */
#define QK__NOTE_COUNTED 2u /* in the statistics */
#define QK__NOTE_LOGGED 4u /* has an output file, which goes once the outcome is durable */

/* Outcomes with their notes. Texts (result, error, log_tail) are malloc'd and owned, or NULL; the
 * one exception is qk__text_no_memory. */
typedef struct qk__report {
    size_t count;
    qk_outcome outcomes[QK__REPORT_MAX];
    uint8_t notes[QK__REPORT_MAX];
} qk__report;

typedef struct qk__pile {
    qk_outcome *outcomes;
    uint8_t *notes;
    size_t count;
    bool again; /* must be reported again before a flush counts */
} qk__pile;

typedef struct qk__outbox {
    pthread_mutex_t lock;
    pthread_cond_t work; /* reporter: something came, or finish */
    pthread_cond_t room; /* slots: it is no longer full */
    qk__pile fresh; /* guarded by lock */
    qk__pile sent; /* reporter only; its count is read under the lock */
    atomic_ullong epoch; /* failures so far: what was reported before one may be forgotten */
    uint64_t commit_failures; /* reporter: the store's counter when it last looked */
    bool finish, hurry, abandoned; /* guarded by lock */
    /* Once the reporter has ended: outcomes given up, and the last failure. */
    size_t left;
    qk_error error;
    pthread_t thread;
    int logs_dir; /* of the output files; -1: none */
} qk__outbox;

extern const char qk__text_no_memory[];

typedef struct qk_worker qk_worker;

qk_status qk__outbox_init(qk__outbox *outbox);
void qk__outbox_dispose(qk__outbox *outbox);
void *qk__outbox_main(void *pool);
/* Reports and keeps everything in `report`, which is then empty. Waits while the outbox is full. */
void qk__outbox_put(qk_worker *pool, qk__report *report);
/* The same for the keeper; when even the spare room is used up, `report` stays as it is. */
void qk__outbox_try_put(qk_worker *pool, qk__report *report);
/* The reporter ends once all is durable. After half a minute without success, or with hurry a few
 * seconds, it gives up, saying so: their leases run out and the jobs run again. */
void qk__outbox_finish(qk__outbox *outbox, bool hurry);
void qk__outcome_dispose(qk_outcome *outcome);

#endif
