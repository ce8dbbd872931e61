/*
 * A person's retry of a job that ended, in memory or not; see embedded_internal.h.
 *
 * `cold` is held throughout, so that two retries cannot bring the same job back. The caller's thread.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/embedded/embedded_internal.h"
#include "store/embedded/embedded_retry.h"
#include "util/error.h"

struct ended_job {
    qk_id run; /* none: of no run */
    qk_id child; /* of a sub-DAG node of no run, if it has its run */
    qk__row_set image;
    qk_id *parents;
    size_t parent_count;
    qk__cold_set cold;
};

static void ended_dispose(struct ended_job *ended)
{
    qk__row_set_dispose(&ended->image);
    free(ended->parents);
    cold_dispose(&ended->cold);
}

/* The run whose parent the job is. */
static qk_status read_child(struct embedded *store, qk_id job, struct ended_job *ended,
                            qk_error *err)
{
    qk_run_filter filter = QK_RUN_FILTER_INIT;
    qk__row_set rows = { NULL, 0, NULL };
    filter.parent_job = job;
    qk_status rc = qk__reader_list_runs(store->reader, &rows, &filter, 1, err);
    if (rc == QK_OK && rows.count > 0) {
        ended->child = rows.rows[0].id;
    }
    qk__row_set_dispose(&rows);
    return rc;
}

static bool is_subdag(const qk__row *row)
{
    return row->kind.length == 3 && memcmp(row->kind.data, "dag", 3) == 0;
}

/* Everything a retry needs to know of a job that is not in memory. Holds `cold`, not `lock`; has
 * borrowed the database. */
static qk_status read_ended(struct embedded *store, qk_id job, bool in_memory,
                            struct ended_job *ended, qk_error *err)
{
    qk_status rc = QK_OK;
    if (!in_memory) {
        rc = qk__reader_ended(store->reader, &ended->image, job, err);
        if (rc == QK_OK && ended->image.count == 0) {
            rc = QK_ENOTFOUND;
        }
        ended->run = rc == QK_OK ? ended->image.rows[0].related : ended->run;
    }
    bool subdag = ended->image.count > 0 && is_subdag(&ended->image.rows[0]);
    if (rc == QK_OK && subdag && qk_id_is_none(ended->run)) {
        rc = read_child(store, job, ended, err);
    }
    if (rc == QK_OK) {
        rc = cold_parents(store, job, &ended->parents, &ended->parent_count, err);
    }
    if (rc == QK_OK && ended->parent_count > 0) {
        rc = cold_lookup(store, ended->parents, ended->parent_count, &ended->cold, err);
    }
    return rc;
}

static qk_status retry_error(qk_error *err, qk_id job, const qk__refusal *why)
{
    char id[QK_ID_TEXT_SIZE], other[QK_ID_TEXT_SIZE], cause[QK_ID_TEXT_SIZE];
    qk_id_format(id, job);
    qk_id_format(other, why->job);
    qk_id_format(cause, why->cause);
    const char *fault = "the way its parents ended: retry one of them first";
    char text[200] = "";
    switch (why->why) {
    case QK__REFUSED_STATE:
        return job_error(err, QK_ESTATE, job, "retried");
    case QK__REFUSED_PARENT:
        snprintf(text, sizeof text, "since %s failed: retry that, then its parent %s", cause,
                 other);
        if (strcmp(other, cause) == 0) {
            snprintf(text, sizeof text, "since its parent %s failed: retry that first", other);
        }
        break;
    case QK__REFUSED_CONDITION:
        break;
    case QK__REFUSED_PURGED:
        snprintf(text, sizeof text, "since its parent %s was purged: enqueue it anew", other);
        break;
    case QK__REFUSED_UNIQUE:
        snprintf(text, sizeof text, "while job %s has its unique key: wait for its end", other);
        break;
    }
    return qk__error(err, QK_ESTATE, "job %s could not start %s", id, text[0] ? text : fault);
}

static qk_status retry_locked(struct embedded *store, qk_id job, const struct ended_job *ended,
                              qk_error *err)
{
    const qk__row *image = ended->image.count > 0 ? &ended->image.rows[0] : NULL;
    qk__refusal why;
    qk_status rc = qk__engine_retry(store->engine, embedded_now(store), job, image, ended->parents,
                                    ended->parent_count, &ended->cold, &why);
    qk__upstream_cache_free(&store->upstreams);
    if (rc == QK_OK && image != NULL) {
        char queue[QK_NAME_MAX + 1];
        size_t length = image->queue.length > QK_NAME_MAX ? QK_NAME_MAX : image->queue.length;
        memcpy(queue, image->queue.data, length);
        queue[length] = '\0';
        base_forget(store, queue, image->status);
    }
    announce(store);
    if (rc == QK_ESTATE) {
        return retry_error(err, job, &why);
    }
    return rc == QK_OK ? wait_durable(store, present_gate(store), err)
                       : job_error(err, rc, job, "retried");
}

/* What stands about the job. Ends with the database returned and `lock` not held. */
static qk_status look_up(struct embedded *store, qk_id job, struct ended_job *ended, qk_error *err)
{
    qk__row row;
    qk_status rc = enter_to_write(store, err);
    if (rc != QK_OK) {
        return rc;
    }
    /* What ended just now must be durable, or the history would show an older picture. */
    rc = wait_durable(store, present_gate(store), err);
    bool in_memory = qk__engine_get(store->engine, job, &row, NULL);
    ended->run = in_memory ? row.related : ended->run;
    leave(store);
    rc = rc == QK_OK ? borrow_database(store, err) : rc;
    if (rc == QK_OK) {
        rc = read_ended(store, job, in_memory, ended, err);
        return_database(store);
    }
    return rc;
}

/* Nodes are opened with what depends on them; so is the run of a sub-DAG that is no node. */
qk_status embedded_retry(qk_store *base, qk_id job, qk_error *err)
{
    struct embedded *store = embedded_of(base);
    struct ended_job ended = { 0 };
    pthread_mutex_lock(&store->cold);
    qk_status rc = look_up(store, job, &ended, err);
    qk_id run = ended.run;
    qk_id child = ended.child;
    bool in_run = rc == QK_OK && (!qk_id_is_none(run) || !qk_id_is_none(child));
    if (rc == QK_OK && !in_run && (rc = enter_to_write(store, err)) == QK_OK) {
        rc = retry_locked(store, job, &ended, err);
        leave(store);
    }
    pthread_mutex_unlock(&store->cold);
    ended_dispose(&ended);
    if (in_run) {
        return qk_id_is_none(run) ? retry_in_run(store, RETRY_RUN, child, job, err)
                                  : retry_in_run(store, RETRY_NODE, run, job, err);
    }
    if (rc == QK_EMPTY) {
        return qk__error(err, QK_ESTATE, "its parents changed meanwhile: try again");
    }
    return rc == QK_ENOTFOUND ? job_error(err, rc, job, "retried") : rc;
}
