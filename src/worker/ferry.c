/*
 * The thread that waits for runs in other stores; see ferry.h.
 *
 * Slots put nodes in under the ferry's lock; the thread moves them to a list of its own and never
 * holds the lock while it asks a store. What a store cannot answer now is asked again: the other side
 * may be restarting.
 */
#include "worker/ferry.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "util/error.h"
#include "worker/far_run.h"
#include "worker/worker_internal.h"

#define TICK_US 100000

typedef struct passenger {
    struct passenger *next;
    qk_lease lease;
    char *node;
    qk_id run; /* the node's own; none */
    qk_queue *other;
    qk_id child;
    int64_t timeout_us, deadline_us; /* QK__NEVER */
    bool paused; /* the child, because the node's run is */
} passenger;

struct qk__ferry {
    qk_worker *pool;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    pthread_t thread;
    passenger *arriving; /* guarded by the lock */
    bool finish; /* likewise */
    passenger *waiting; /* the thread's */
    qk__report report; /* likewise */
};

/* Version, variant and the time stay, so it is a UUIDv7 like the node's and sorts beside it. */
qk_id qk__ferry_child(qk_id job)
{
    static const uint8_t mask[8] = { 0x1A, 0xC5, 0x3E, 0x97, 0x60, 0xD8, 0x2B, 0xF4 };
    for (size_t i = 0; i < sizeof(mask); i++)
        job.bytes[8 + i] ^= mask[i];
    return job;
}

static void free_passenger(passenger *p)
{
    free(p->node);
    free(p);
}

static void report(qk__ferry *ferry, const passenger *p, qk_verdict verdict, char *result,
                   char *error)
{
    qk__report *report = &ferry->report;
    if (report->count == QK__REPORT_MAX)
        qk__outbox_put(ferry->pool, report);
    if (verdict == QK_VERDICT_FAIL && !error)
        error = (char *)(uintptr_t)qk__text_no_memory;
    report->outcomes[report->count] = (qk_outcome){ .lease = p->lease,
                                                    .verdict = verdict,
                                                    .result = result,
                                                    .error = error,
                                                    .permanent = verdict == QK_VERDICT_FAIL };
    report->notes[report->count++] = QK__NOTE_FINAL;
}

/* The run there goes the way of the one here. */
static void follow_pause(qk__ferry *ferry, passenger *p)
{
    qk_run_progress here;
    if (qk_id_is_none(p->run) ||
        qk_run_progress_get(&here, ferry->pool->queue, p->run, NULL) != QK_OK)
        return;
    bool paused = here.status == QK_RUN_PAUSED;
    if (paused == p->paused)
        return;
    qk_status rc =
        paused ? qk_run_pause(p->other, p->child, NULL) : qk_run_resume(p->other, p->child, NULL);
    if (rc == QK_OK || rc == QK_ESTATE)
        p->paused = paused;
}

static char *failure(const passenger *p, const qk_run_progress *there)
{
    char text[QK_NAME_MAX + 128];
    snprintf(text, sizeof(text), "sub-DAG '%s' failed: %llu/%llu done, %llu failed", p->node,
             (unsigned long long)there->counts[QK_JOB_DONE], (unsigned long long)there->total,
             (unsigned long long)there->counts[QK_JOB_FAILED]);
    return strdup(text);
}

/* True once it is over. */
static bool look(qk__ferry *ferry, passenger *p)
{
    qk_run_progress there;
    char *result = NULL;
    char text[64];
    qk_status rc = qk_run_progress_get(&there, p->other, p->child, NULL);
    if (rc == QK_ENOTFOUND) {
        report(ferry, p, QK_VERDICT_FAIL, NULL, strdup("its run in the other store is gone"));
        return true;
    }
    if (rc == QK_OK && there.status == QK_RUN_DONE) {
        if (qk__far_result(&result, p->other, p->child, ferry->pool->max_payload, NULL) != QK_OK)
            return false;
        report(ferry, p, QK_VERDICT_ACK, result, NULL);
        return true;
    }
    if (rc == QK_OK && qk_run_status_is_terminal(there.status)) {
        report(ferry, p, QK_VERDICT_FAIL, NULL, failure(p, &there));
        return true;
    }
    if (qk__pool_now(ferry->pool) < p->deadline_us) {
        follow_pause(ferry, p);
        return false;
    }
    rc = qk_run_cancel(p->other, p->child, NULL);
    if (rc != QK_OK && rc != QK_ESTATE)
        return false;
    snprintf(text, sizeof(text), "timeout after %g s", (double)p->timeout_us / 1e6);
    report(ferry, p, QK_VERDICT_FAIL, NULL, strdup(text));
    return true;
}

/* The lease is gone. If the node was cancelled so is its run; if somebody else has claimed the node,
 * they wait for the run. False: it could not be told yet. */
static bool let_go(const qk__ferry *ferry, const passenger *p)
{
    qk_job *job = NULL;
    qk_store *store = ferry->pool->store;
    qk_status rc = store->ops->get(store, &job, p->lease.job, NULL);
    if (rc != QK_OK)
        return rc == QK_ENOTFOUND;
    bool over = qk_job_status_is_terminal(job->status) && job->status != QK_JOB_DONE;
    qk_job_free(job);
    rc = over ? qk_run_cancel(p->other, p->child, NULL) : QK_OK;
    return rc == QK_OK || rc == QK_ESTATE || rc == QK_ENOTFOUND;
}

static bool is_lost(const qk__ferry *ferry, const passenger *p)
{
    qk_store *store = ferry->pool->store;
    qk_status status = QK_OK;
    qk_status rc = store->ops->extend(store, &status, &p->lease, 1, 0, NULL);
    return rc == QK_ELEASE || (rc == QK_OK && status == QK_ELEASE);
}

static void round_trip(qk__ferry *ferry)
{
    for (passenger **at = &ferry->waiting; *at;) {
        passenger *p = *at;
        bool over = is_lost(ferry, p) ? let_go(ferry, p) : look(ferry, p);
        if (over) {
            *at = p->next;
            free_passenger(p);
        } else {
            at = &p->next;
        }
    }
    if (ferry->report.count)
        qk__outbox_put(ferry->pool, &ferry->report);
}

/* Takes in who has arrived; sleeps a while if somebody waits, else until somebody arrives. */
static bool board(qk__ferry *ferry)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += (long)TICK_US * 1000;
    until.tv_sec += until.tv_nsec / 1000000000L;
    until.tv_nsec %= 1000000000L;
    pthread_mutex_lock(&ferry->lock);
    while (!ferry->arriving && !ferry->finish) {
        if (!ferry->waiting)
            pthread_cond_wait(&ferry->wake, &ferry->lock);
        else if (pthread_cond_timedwait(&ferry->wake, &ferry->lock, &until) == ETIMEDOUT)
            break;
    }
    while (ferry->arriving) {
        passenger *p = ferry->arriving;
        ferry->arriving = p->next;
        p->next = ferry->waiting;
        ferry->waiting = p;
    }
    bool go_on = !ferry->finish;
    pthread_mutex_unlock(&ferry->lock);
    return go_on;
}

static void *sail(void *arg)
{
    qk__ferry *ferry = arg;
    while (board(ferry))
        round_trip(ferry);
    while (ferry->waiting) {
        passenger *p = ferry->waiting;
        ferry->waiting = p->next;
        report(ferry, p, QK_VERDICT_NACK, NULL, NULL);
        free_passenger(p);
    }
    if (ferry->report.count)
        qk__outbox_put(ferry->pool, &ferry->report);
    return NULL;
}

/* Caller holds the pool's lock. */
static qk_status launch(qk_worker *pool, qk_error *err)
{
    pthread_condattr_t attributes;
    qk__ferry *ferry = calloc(1, sizeof(*ferry));
    if (!ferry)
        return qk__error(err, QK_ENOMEM, "out of memory for the worker");
    ferry->pool = pool;
    pthread_mutex_init(&ferry->lock, NULL);
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&ferry->wake, &attributes);
    pthread_condattr_destroy(&attributes);
    int rc = pthread_create(&ferry->thread, NULL, sail, ferry);
    if (rc) {
        free(ferry);
        return qk__error_errno(err, QK_ENOMEM, rc, "cannot start a thread for other stores");
    }
    pool->ferry = ferry;
    return QK_OK;
}

static passenger *new_passenger(const qk_task *task, qk_queue *other, qk_id child)
{
    const qk_claimed *claim = task->claim;
    qk_worker *pool = task->slot->pool;
    passenger *p = calloc(1, sizeof(*p));
    if (!p)
        return NULL;
    *p = (passenger){ .lease = claim->lease,
                      .node = strdup(claim->node_name ? claim->node_name : "dag"),
                      .run = claim->run_id,
                      .other = other,
                      .child = child,
                      .timeout_us = claim->timeout.us,
                      .deadline_us = QK__NEVER };
    p->lease.worker_id = pool->id;
    int64_t now = qk__pool_now(pool);
    if (claim->timeout.us > 0 && claim->timeout.us < QK__NEVER - now)
        p->deadline_us = now + claim->timeout.us;
    if (!p->node) {
        free(p);
        return NULL;
    }
    return p;
}

qk_status qk__ferry_put(qk_task *task, qk_queue *other, qk_id child, qk_error *err)
{
    qk_worker *pool = task->slot->pool;
    passenger *p = new_passenger(task, other, child);
    if (!p)
        return qk__error(err, QK_ENOMEM, "out of memory for the worker");
    pthread_mutex_lock(&pool->lock);
    qk_status rc = pool->ferry ? QK_OK : launch(pool, err);
    pthread_mutex_unlock(&pool->lock);
    if (rc != QK_OK) {
        free_passenger(p);
        return rc;
    }
    pthread_mutex_lock(&pool->ferry->lock);
    p->next = pool->ferry->arriving;
    pool->ferry->arriving = p;
    pthread_cond_signal(&pool->ferry->wake);
    pthread_mutex_unlock(&pool->ferry->lock);
    return QK_OK;
}

void qk__ferry_finish(qk_worker *pool)
{
    qk__ferry *ferry = pool->ferry;
    if (!ferry)
        return;
    pthread_mutex_lock(&ferry->lock);
    ferry->finish = true;
    pthread_cond_signal(&ferry->wake);
    pthread_mutex_unlock(&ferry->lock);
    pthread_join(ferry->thread, NULL);
    pthread_cond_destroy(&ferry->wake);
    pthread_mutex_destroy(&ferry->lock);
    free(ferry);
    pool->ferry = NULL;
}
