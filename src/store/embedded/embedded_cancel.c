/*
 * Cancelling jobs, and what an answer about a job means to people. The caller's thread; no lock is
 * held at the beginning.
 */
#include "store/embedded/embedded_internal.h"

#include "util/error.h"

#include <stdlib.h>

qk_status job_error(qk_error *err, qk_status rc, qk_id job, const char *verb)
{
    char id[QK_ID_TEXT_SIZE];
    qk_id_format(id, job);
    switch (rc) {
    case QK_ENOTFOUND:
        return qk__error(err, rc, "no job %s: list the jobs to find its id", id);
    case QK_ESTATE:
        return qk__error(err, rc, "job %s cannot be %s in its present state: look at its status",
                         id, verb);
    case QK_ENOMEM:
        return no_memory(err);
    default:
        return rc;
    }
}

/* Those that are not in memory ended long ago (QK_ESTATE), or never were. `unknown` has room for all.
 * Without `lock`. */
static void tell_unknown(struct embedded *store, qk_status *statuses, const qk_id *jobs,
                         size_t count, qk_id *unknown, qk_error *err)
{
    qk__cold_set cold = { NULL, 0 };
    size_t asked = 0;
    for (size_t i = 0; i < count; i++) {
        if (statuses[i] == QK_ENOTFOUND) {
            unknown[asked++] = jobs[i];
        }
    }
    qk_status rc = asked == 0 ? QK_EMPTY : borrow_database(store, err);
    if (rc == QK_OK) {
        rc = cold_lookup(store, unknown, asked, &cold, err);
        return_database(store);
    }
    for (size_t i = 0; rc != QK_EMPTY && i < count; i++) {
        if (statuses[i] == QK_ENOTFOUND && rc != QK_OK) {
            statuses[i] = rc; /* the others are cancelled all the same */
        } else if (statuses[i] == QK_ENOTFOUND && cold_has(&cold, jobs[i])) {
            statuses[i] = QK_ESTATE;
        }
    }
    cold_dispose(&cold);
}

static qk_status cancel_all(struct embedded *store, qk_status *statuses, const qk_id *jobs,
                            size_t count, qk_error *err)
{
    bool any = false;
    qk_status rc = enter_to_write(store, err);
    if (rc != QK_OK) {
        return rc;
    }
    qk__now now = embedded_now(store);
    for (size_t i = 0; i < count; i++) {
        statuses[i] = qk__engine_cancel(store->engine, now, jobs[i]);
        any = any || statuses[i] == QK_OK;
    }
    announce(store);
    rc = any ? wait_durable(store, present_gate(store), err) : QK_OK;
    leave(store);
    return rc;
}

qk_status embedded_cancel(qk_store *base, qk_status *statuses, const qk_id *jobs, size_t count,
                          qk_error *err)
{
    struct embedded *store = embedded_of(base);
    qk_id *unknown = malloc((count + 1) * sizeof *unknown);
    if (unknown == NULL) { /* before anything has happened */
        return no_memory(err);
    }
    qk_status rc = cancel_all(store, statuses, jobs, count, err);
    if (rc == QK_OK) {
        tell_unknown(store, statuses, jobs, count, unknown, err);
    }
    free(unknown);
    for (size_t i = 0; rc == QK_OK && i < count; i++) {
        if (statuses[i] != QK_OK) {
            (void)job_error(err, statuses[i], jobs[i], "cancelled");
            break;
        }
    }
    return rc == QK_OK && count == 1 ? statuses[0] : rc;
}
