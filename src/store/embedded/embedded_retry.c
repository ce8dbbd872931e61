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

qk_status embedded_retry(qk_store *base, qk_id job, qk_error *err)
{
    struct embedded *store = embedded_of(base);
    struct ended_job ended = { 0 };
    qk__row row;
    qk_id run = { { 0 } };
    pthread_mutex_lock(&store->cold);
    qk_status rc = enter_to_write(store, err);
    if (rc == QK_OK) {
        /* What ended just now must be durable, or the history would show an older picture. */
        rc = wait_durable(store, present_gate(store), err);
        bool in_memory = qk__engine_get(store->engine, job, &row, NULL);
        run = in_memory ? row.related : run;
        leave(store);
        rc = rc == QK_OK ? borrow_database(store, err) : rc;
        if (rc == QK_OK) {
            rc = read_ended(store, job, in_memory, &ended, err);
            return_database(store);
            run = ended.image.count > 0 ? ended.image.rows[0].related : run;
        }
    }
    bool in_run = rc == QK_OK && !qk_id_is_none(run);
    if (rc == QK_OK && !in_run && (rc = enter_to_write(store, err)) == QK_OK) {
        rc = retry_locked(store, job, &ended, err);
        leave(store);
    }
    pthread_mutex_unlock(&store->cold);
    ended_dispose(&ended);
    if (in_run) {
        return retry_in_run(store, RETRY_NODE, run, job, err);
    }
    if (rc == QK_EMPTY) {
        return qk__error(err, QK_ESTATE, "its parents changed meanwhile: try again");
    }
    return rc == QK_ENOTFOUND ? job_error(err, rc, job, "retried") : rc;
}
