/*
 * Runs as people see them, and what people do to runs: look, wait, cancel, pause, retry.
 */
#include "store/embedded/embedded_internal.h"

#include "store/embedded/embedded_retry.h"
#include "store/embedded/row_run.h"
#include "util/error.h"

#include <queuack/run.h>
#include <stdlib.h>
#include <string.h>

static qk_status no_run(qk_id id, qk_error *err)
{
    char text[QK_ID_TEXT_SIZE];
    return qk__error(err, QK_ENOTFOUND, "no run %s: list the runs to find its id",
                     qk_id_format(text, id));
}

/* From memory, else recounted from the tables. */
static qk_status stand(struct embedded *store, qk__run_look *out, qk_id id, qk_error *err)
{
    qk__run_facts facts = { .id = id };
    qk_status rc = enter(store, err);
    if (rc != QK_OK) {
        return rc;
    }
    qk__engine_tick(store->engine, embedded_now(store));
    announce(store);
    bool live = qk__engine_run_look(store->engine, id, out);
    leave(store);
    if (live || (rc = borrow_database(store, err)) != QK_OK) {
        return rc;
    }
    rc = run_facts(store, &facts, 1, err);
    return_database(store);
    if (rc == QK_OK && !facts.found) {
        return no_run(id, err);
    }
    *out = (qk__run_look){ .status = facts.status, .ended = true };
    memcpy(out->counts, facts.counts, sizeof out->counts);
    return rc;
}

qk_status embedded_run_get(qk_store *base, qk_run **out, qk_id id, qk_error *err)
{
    struct embedded *store = embedded_of(base);
    qk__row_set rows = { NULL, 0, NULL };
    qk__run_look look = { 0 };
    qk_status rc = stand(store, &look, id, err);
    if (rc == QK_OK && (rc = borrow_database(store, err)) == QK_OK) {
        rc = qk__reader_run(store->reader, &rows, id, err);
        return_database(store);
    }
    if (rc == QK_OK && rows.count == 0) {
        rc = no_run(id, err);
    }
    rc = rc == QK_OK ? qk__row_to_run(out, &rows.rows[0], err) : rc;
    if (rc == QK_OK) {
        (*out)->status = (qk_run_status)look.status;
        memcpy((*out)->counts, look.counts, sizeof look.counts);
        if (look.created_us != 0) {
            (*out)->completed_at.us = look.ended ? look.completed_us : 0;
        }
    }
    qk__row_set_dispose(&rows);
    return rc;
}

qk_status embedded_run_list(qk_store *base, qk_run_list **out, const qk_run_filter *filter,
                            qk_error *err)
{
    struct embedded *store = embedded_of(base);
    size_t limit = filter->limit == 0 ? 100 : filter->limit;
    limit = limit > 1000000000 ? 1000000000 : limit;
    qk__row_set rows = { NULL, 0, NULL };
    qk_status rc = borrow_database(store, err);
    if (rc == QK_OK) {
        rc = qk__reader_list_runs(store->reader, &rows, filter, limit + 1, err);
        return_database(store);
    }
    rc = rc == QK_OK ? qk__rows_to_run_list(out, rows.rows, rows.count, limit, err) : rc;
    qk__row_set_dispose(&rows);
    return rc;
}

qk_status embedded_run_tree(qk_store *base, qk_run_tree **out, qk_id run, qk_error *err)
{
    struct embedded *store = embedded_of(base);
    qk__row_set rows = { NULL, 0, NULL };
    qk_status rc = borrow_database(store, err);
    if (rc == QK_OK) {
        rc = qk__reader_hierarchy(store->reader, &rows, run, err);
        return_database(store);
    }
    rc = rc == QK_OK ? qk__rows_to_tree(out, &rows, run, err) : rc;
    qk__row_set_dispose(&rows);
    return rc == QK_ENOTFOUND ? no_run(run, err) : rc;
}

qk_status embedded_run_node(qk_store *base, qk_id *out, qk_id run, const char *node, qk_error *err)
{
    struct embedded *store = embedded_of(base);
    qk__row_set rows = { NULL, 0, NULL };
    char text[QK_ID_TEXT_SIZE];
    qk_status rc = borrow_database(store, err);
    if (rc == QK_OK) {
        rc = qk__reader_node(store->reader, &rows, run, node, err);
        return_database(store);
    }
    if (rc == QK_OK && rows.count == 0) {
        rc = qk__error(err, QK_ENOTFOUND, "no node '%s' in run %s: list its jobs to find the name",
                       node, qk_id_format(text, run));
    }
    if (rc == QK_OK) {
        *out = rows.rows[0].id;
    }
    qk__row_set_dispose(&rows);
    return rc;
}

static bool differs(const qk_run_progress *seen, const qk_run_progress *now)
{
    return seen->status != now->status ||
           memcmp(seen->counts, now->counts, sizeof now->counts) != 0;
}

static void to_progress(qk_run_progress *out, const qk__run_look *look)
{
    *out = (qk_run_progress){ .status = (qk_run_status)look->status };
    memcpy(out->counts, look->counts, sizeof out->counts);
    for (int s = 0; s < QK_JOB_STATUS_COUNT; s++) {
        out->total += look->counts[s];
    }
}

/* QK_EMPTY: not in memory. With `lock` held. */
static qk_status wait_live(struct embedded *store, qk_run_progress *out, qk_id id,
                           const qk_run_progress *seen, int64_t end_us, qk_error *err)
{
    for (;;) {
        qk__run_look look;
        if (store->stopping) {
            return qk__error(err, QK_ECLOSED, "the store is being closed");
        }
        if (store->broken) {
            return qk__error(err, store->trouble.code, "%s", store->trouble.message);
        }
        if (!qk__engine_run_look(store->engine, id, &look)) {
            return QK_EMPTY;
        }
        to_progress(out, &look);
        if (look.ended) {
            return wait_durable(store, present_gate(store), err);
        }
        if (seen != NULL && differs(seen, out)) {
            return QK_OK;
        }
        int64_t left = end_us == INT64_MAX ? INT64_MAX : end_us - embedded_now(store).mono_us;
        if (left <= 0) {
            char text[QK_ID_TEXT_SIZE];
            return qk__error(err, QK_ETIMEDOUT, "run %s has not ended yet: wait longer",
                             qk_id_format(text, id));
        }
        wait_some(store, &store->ready, left);
    }
}

qk_status embedded_run_wait(qk_store *base, qk_run_progress *out, qk_id id,
                            const qk_run_progress *seen, int64_t timeout_us, qk_error *err)
{
    struct embedded *store = embedded_of(base);
    qk__run_look look = { 0 };
    qk_status rc = enter(store, err);
    if (rc != QK_OK) {
        return rc;
    }
    int64_t now = embedded_now(store).mono_us;
    int64_t end_us = timeout_us > INT64_MAX - now ? INT64_MAX : now + timeout_us;
    rc = wait_live(store, out, id, seen, end_us, err);
    leave(store);
    if (rc == QK_EMPTY) {
        rc = stand(store, &look, id, err);
        to_progress(out, &look);
    }
    return rc;
}

/* Changes of a run in memory; one that is not there has ended, or never was. */
static qk_status change(struct embedded *store, qk_id id, const char *verb, int paused,
                        qk_error *err)
{
    char text[QK_ID_TEXT_SIZE];
    qk__run_look look = { 0 };
    qk_status rc = enter_to_write(store, err);
    if (rc != QK_OK) {
        return rc;
    }
    qk__now now = embedded_now(store);
    rc = paused < 0 ? qk__engine_cancel_run(store->engine, now, id)
                    : qk__engine_pause_run(store->engine, now, id, paused != 0);
    announce(store);
    qk_status done = rc == QK_OK ? wait_durable(store, present_gate(store), err) : QK_OK;
    leave(store);
    if (rc == QK_ENOTFOUND) {
        rc = stand(store, &look, id, err);
        rc = rc == QK_OK ? QK_ESTATE : rc;
    }
    if (rc == QK_ESTATE) {
        return qk__error(err, rc, "run %s cannot be %s in its present state: look at its status",
                         qk_id_format(text, id), verb);
    }
    return rc == QK_OK ? done : rc;
}

qk_status embedded_run_cancel(qk_store *base, qk_id run, qk_error *err)
{
    return change(embedded_of(base), run, "cancelled", -1, err);
}

qk_status embedded_run_pause(qk_store *base, qk_id run, bool paused, qk_error *err)
{
    return change(embedded_of(base), run, paused ? "paused" : "resumed", paused, err);
}

qk_status embedded_run_retry(qk_store *base, qk_id run, const qk_id *from, qk_error *err)
{
    return retry_in_run(embedded_of(base), from == NULL ? RETRY_RUN : RETRY_FROM, run, from,
                        from != NULL, err);
}
