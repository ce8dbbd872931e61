/*
 * Runs as people use them; see queuack/run.h. Checks input, then asks the store. Any thread.
 */
#include <queuack/run.h>

#include <stdlib.h>
#include <string.h>

#include "queue/filter.h"
#include "queue/queue_internal.h"
#include "queue/validate.h"
#include "queue/wait.h"
#include "util/error.h"

static const char *const names[] = { "pending", "running", "paused",   "done",
                                     "failed",  NULL,      "cancelled" };
#define NAME_COUNT (sizeof(names) / sizeof(names[0]))

const char *qk_run_status_name(qk_run_status status)
{
    return (unsigned)status < NAME_COUNT ? names[status] : NULL;
}

qk_status qk_run_status_parse(qk_run_status *out, const char *name)
{
    for (size_t i = 0; out && name && i < NAME_COUNT; i++) {
        if (names[i] && strcmp(names[i], name) == 0) {
            *out = (qk_run_status)i;
            return QK_OK;
        }
    }
    return QK_EINVAL;
}

bool qk_run_status_is_terminal(qk_run_status status)
{
    return status == QK_RUN_DONE || status == QK_RUN_FAILED || status == QK_RUN_CANCELLED;
}

static qk_status enter(qk_queue *queue, qk_id run, qk_error *err)
{
    if (qk_id_is_none(run))
        return qk__error(err, QK_EINVAL, "run: the id is empty");
    return qk__queue_enter(queue, err);
}

qk_status qk_run_get(qk_run **out, qk_queue *queue, qk_id id, qk_error *err)
{
    if (!out)
        return qk__error(err, QK_EINVAL, "out: must not be NULL");
    *out = NULL;
    qk_status rc = enter(queue, id, err);
    if (rc)
        return rc;
    rc = qk__queue_store(queue)->ops->run_get(qk__queue_store(queue), out, id, err);
    qk__queue_leave(queue);
    return rc;
}

void qk_run_free(qk_run *run)
{
    free(run);
}

static qk_status check_filter(const qk_run_filter *filter, qk_error *err)
{
    qk_status rc = qk__check_version("run filter", "QK_RUN_FILTER_INIT", filter->version, err);
    if (!rc)
        rc = qk__check_optional_name("name", filter->name, err);
    if (!rc && filter->id_suffix) {
        size_t length = strlen(filter->id_suffix);
        if (length < 6 || length > 32 ||
            strspn(filter->id_suffix, "0123456789abcdefABCDEF") != length)
            rc = qk__error(err, QK_EINVAL, "id_suffix: must be the last 6 to 32 hex digits");
    }
    return rc;
}

qk_status qk_run_list_get(qk_run_list **out, qk_queue *queue, const qk_run_filter *filter,
                          qk_error *err)
{
    static const qk_run_filter all = QK_RUN_FILTER_INIT;
    if (!out)
        return qk__error(err, QK_EINVAL, "out: must not be NULL");
    *out = NULL;
    if (!filter)
        filter = &all;
    qk_status rc = check_filter(filter, err);
    if (!rc)
        rc = qk__queue_enter(queue, err);
    if (rc)
        return rc;
    rc = qk__queue_store(queue)->ops->run_list(qk__queue_store(queue), out, filter, err);
    qk__queue_leave(queue);
    return rc;
}

void qk_run_list_free(qk_run_list *list)
{
    free(list);
}

qk_status qk_run_hierarchy(qk_run_tree **out, qk_queue *queue, qk_id run, qk_error *err)
{
    if (!out)
        return qk__error(err, QK_EINVAL, "out: must not be NULL");
    *out = NULL;
    qk_status rc = enter(queue, run, err);
    if (rc)
        return rc;
    rc = qk__queue_store(queue)->ops->run_tree(qk__queue_store(queue), out, run, err);
    qk__queue_leave(queue);
    return rc;
}

void qk_run_tree_free(qk_run_tree *tree)
{
    free(tree);
}

/* The branches directly below item 0, as a list of runs. */
static qk_status get_children(qk_run_list **out, qk_queue *queue, const qk_run_tree *tree,
                              qk_error *err)
{
    qk_run_filter filter = QK_RUN_FILTER_INIT;
    filter.root_run = tree->items[0].id;
    filter.limit = tree->count + 1;
    qk_run *run = NULL;
    qk_status rc = qk_run_get(&run, queue, tree->items[0].id, err);
    if (rc)
        return rc;
    filter.root_run = run->root_run;
    qk_run_free(run);
    rc = qk_run_list_get(out, queue, &filter, err);
    if (rc)
        return rc;
    size_t kept = 0;
    for (size_t i = 0; i < (*out)->count; i++) {
        for (size_t k = 1; k < tree->count; k++) {
            if (tree->items[k].depth == 1 &&
                qk_id_compare(tree->items[k].id, (*out)->items[i].id) == 0) {
                (*out)->items[kept++] = (*out)->items[i];
                break;
            }
        }
    }
    (*out)->count = kept;
    (*out)->more = false;
    return QK_OK;
}

qk_status qk_run_subdags(qk_run_list **out, qk_queue *queue, qk_id run, qk_error *err)
{
    qk_run_tree *tree = NULL;
    if (!out)
        return qk__error(err, QK_EINVAL, "out: must not be NULL");
    *out = NULL;
    qk_status rc = qk_run_hierarchy(&tree, queue, run, err);
    if (!rc)
        rc = get_children(out, queue, tree, err);
    qk_run_tree_free(tree);
    return rc;
}

qk_status qk_run_parent_job(qk_id *out, qk_queue *queue, qk_id run, qk_error *err)
{
    qk_run *found = NULL;
    if (!out)
        return qk__error(err, QK_EINVAL, "out: must not be NULL");
    qk_status rc = qk_run_get(&found, queue, run, err);
    if (!rc)
        *out = found->parent_job;
    qk_run_free(found);
    return rc;
}

qk_status qk_run_jobs(qk_job_list **out, qk_queue *queue, qk_id run, size_t limit, qk_error *err)
{
    qk_job_filter filter = QK_JOB_FILTER_INIT;
    if (qk_id_is_none(run))
        return qk__error(err, QK_EINVAL, "run: the id is empty");
    filter.run_id = run;
    filter.limit = limit ? limit : QK__LIST_MAX;
    return qk_job_list_get(out, queue, &filter, err);
}

static qk_status find_node(qk_id *out, qk_queue *queue, qk_id run, const char *node, qk_error *err)
{
    qk_status rc = qk__check_name("node", node, err);
    if (rc)
        return rc;
    return qk__queue_store(queue)->ops->run_node(qk__queue_store(queue), out, run, node, err);
}

qk_status qk_run_node(qk_job **out, qk_queue *queue, qk_id run, const char *node, qk_error *err)
{
    qk_id id;
    if (!out)
        return qk__error(err, QK_EINVAL, "out: must not be NULL");
    *out = NULL;
    qk_status rc = enter(queue, run, err);
    if (rc)
        return rc;
    rc = find_node(&id, queue, run, node, err);
    if (!rc)
        rc = qk__queue_store(queue)->ops->get(qk__queue_store(queue), out, id, err);
    qk__queue_leave(queue);
    return rc;
}

qk_status qk_run_progress_get(qk_run_progress *out, qk_queue *queue, qk_id run, qk_error *err)
{
    static const qk_run_progress never = { (qk_run_status)-1, 0, { 0 } }; /* differs from all */
    if (!out)
        return qk__error(err, QK_EINVAL, "out: must not be NULL");
    qk_status rc = enter(queue, run, err);
    if (rc)
        return rc;
    rc = qk__queue_store(queue)->ops->run_wait(qk__queue_store(queue), out, run, &never, 0, err);
    qk__queue_leave(queue);
    return rc;
}

struct waiting {
    qk_run_progress seen;
    qk_run_progress_fn progress;
    void *user;
};

/* QK_OK: ended; QK_EMPTY: told of a change, go on. */
static qk_status wait_step(qk_queue *queue, qk_id run, int64_t timeout_us, struct waiting *w,
                           qk_error *err)
{
    qk_store *store = qk__queue_store(queue);
    qk_run_progress now;
    qk_status rc =
        store->ops->run_wait(store, &now, run, w->progress ? &w->seen : NULL, timeout_us, err);
    if (rc)
        return rc;
    w->seen = now;
    if (w->progress && !w->progress(w->user, &now) && !qk_run_status_is_terminal(now.status))
        return qk__error(err, QK_EINTERRUPTED, "the wait was given up: wait again");
    return qk_run_status_is_terminal(now.status) ? QK_OK : QK_EMPTY;
}

qk_status qk_run_wait(qk_run_progress *out, qk_queue *queue, qk_id run, qk_duration timeout,
                      qk_run_progress_fn progress, void *user, qk_error *err)
{
    struct waiting waiting = { { (qk_run_status)-1, 0, { 0 } }, progress, user };
    qk_status rc = qk__check_duration("timeout", timeout, true, err);
    if (!rc)
        rc = enter(queue, run, err);
    if (rc)
        return rc;
    qk__wait_steps steps = qk__wait_begin(queue, timeout.us);
    do {
        rc = wait_step(queue, run, qk__wait_step(&steps), &waiting, err);
    } while (rc == QK_EMPTY || (rc == QK_ETIMEDOUT && qk__wait_more(&steps)));
    if (rc == QK_ETIMEDOUT && qk__queue_closing(queue))
        rc = qk__error(err, QK_ECLOSED, "the queue handle is being closed");
    qk__queue_leave(queue);
    if (!rc && out)
        *out = waiting.seen;
    return rc;
}

qk_status qk_run_cancel(qk_queue *queue, qk_id run, qk_error *err)
{
    qk_status rc = enter(queue, run, err);
    if (rc)
        return rc;
    rc = qk__queue_store(queue)->ops->run_cancel(qk__queue_store(queue), run, err);
    qk__queue_leave(queue);
    return rc;
}

static qk_status pause(qk_queue *queue, qk_id run, bool paused, qk_error *err)
{
    qk_status rc = enter(queue, run, err);
    if (rc)
        return rc;
    rc = qk__queue_store(queue)->ops->run_pause(qk__queue_store(queue), run, paused, err);
    qk__queue_leave(queue);
    return rc;
}

qk_status qk_run_pause(qk_queue *queue, qk_id run, qk_error *err)
{
    return pause(queue, run, true, err);
}

qk_status qk_run_resume(qk_queue *queue, qk_id run, qk_error *err)
{
    return pause(queue, run, false, err);
}

static qk_status retry(qk_queue *queue, qk_id run, const char *node, qk_error *err)
{
    qk_id from;
    qk_store *store = qk__queue_store(queue);
    qk_status rc = enter(queue, run, err);
    if (rc)
        return rc;
    if (node)
        rc = find_node(&from, queue, run, node, err);
    if (!rc)
        rc = store->ops->run_retry(store, run, node ? &from : NULL, err);
    qk__queue_leave(queue);
    return rc;
}

qk_status qk_run_retry(qk_queue *queue, qk_id run, qk_error *err)
{
    return retry(queue, run, NULL, err);
}

qk_status qk_run_retry_from(qk_queue *queue, qk_id run, const char *node, qk_error *err)
{
    if (!node)
        return qk__error(err, QK_EINVAL, "node: must not be NULL");
    return retry(queue, run, node, err);
}
