/*
 * One row of the journal: what the engine emits, what replay reads, what a snapshot shows.
 *
 * An IMAGE is the whole state of a job: the last image of an id is the truth, so replay never
 * interprets events. Text is borrowed; who made the row says for how long it lives.
 */
#ifndef QK_STORE_EMBEDDED_ROW_H
#define QK_STORE_EMBEDDED_ROW_H

#include <queuack/job.h>

typedef enum qk__op {
    QK__OP_IMAGE = 0, /* a job's state */
    QK__OP_REOPEN = 1, /* the same; voids every earlier terminal image of the id */
    QK__OP_ATTEMPT = 2, /* an attempt that ended, its job did not; status: qk__attempt_outcome */
    QK__OP_PAYLOAD = 3, /* a payload too large for images: id and payload */
    QK__OP_QUEUE = 4, /* a queue's settings: queue; status 1: paused */
    QK__OP_EDGE = 5, /* a dependency: id is the child, related the parent */
    /* claimed_by: worker id; ext: host, pid, slots, running, queues; status 1: gone */
    QK__OP_WORKER = 6,
    QK__OP_CLOSE = 7, /* the last row of a clean end */
    QK__OP_PROBE = 8, /* nothing: shows that the disk takes writes again */
    /* A run's state: id, related the parent job, node its name; status a qk_run_status. Its
     * definition is a PAYLOAD row of the same id. */
    QK__OP_RUN = 9,
} qk__op;

/* How an attempt ended; the order is part of the file format. */
typedef enum qk__attempt_outcome {
    QK__ATTEMPT_RUNNING = 0,
    QK__ATTEMPT_DONE = 1,
    QK__ATTEMPT_FAILED = 2,
    QK__ATTEMPT_NACKED = 3,
    QK__ATTEMPT_LOST = 4,
    QK__ATTEMPT_CANCELLED = 5,
} qk__attempt_outcome;

/* NULL: absent (SQL NULL). Not NUL-terminated. */
typedef struct qk__text {
    const char *data;
    uint32_t length;
} qk__text;

typedef struct qk__row {
    uint8_t op; /* qk__op */
    uint8_t status; /* qk_job_status, or as the op says */
    uint8_t priority;
    bool has_exit_code;
    int32_t exit_code;
    int32_t attempts; /* of the budget */
    int32_t attempt; /* number of the last claim */
    uint64_t seq; /* place in its queue */
    qk_id id;
    qk_id related; /* the run; of an EDGE the parent */
    int64_t created_us, execute_after_us, claimed_us, finished_us; /* 0: none */
    qk__text node, kind, queue, payload, claimed_by, result, error, log_tail;
    qk__text ext; /* JSON object of what is rare, see docs/file-format.md; absent when empty */
} qk__row;

#endif
