/*
 * Runs in other stores; see far_run.h. Asks in SQL where no call answers: it is the same for every
 * kind of store.
 */
#include "worker/far_run.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dag/submission.h"
#include "queue/queue_internal.h"
#include "util/buffer.h"
#include "util/error.h"

qk_status qk__far_submit(qk_queue *other, qk_dag *dag, qk_id child, qk_id node, qk_error *err)
{
    qk__submission submission = { 0 };
    qk_enqueued made;
    qk_status rc = qk__queue_enter(other, err);
    if (rc != QK_OK)
        return rc;
    qk_store *store = qk__queue_store(other);
    rc = qk__submission_make(&submission, other, dag, true, NULL, err);
    submission.run.id = child;
    submission.run.id_given = true;
    submission.run.parent_job = node;
    if (rc == QK_OK)
        rc = store->ops->submit_run(store, &made, &submission.run, submission.jobs,
                                    submission.count, err);
    qk__submission_dispose(&submission);
    qk__queue_leave(other);
    return rc;
}

/* The node has failed after the run there had ended; or was cancelled, and the run with it. */
static qk_status has_ended_since(bool *out, qk_queue *own, qk_id node, const qk_run *run,
                                 qk_error *err)
{
    qk_rows *rows = NULL;
    char id[QK_ID_TEXT_SIZE];
    char sql[256];
    snprintf(sql, sizeof(sql),
             "SELECT 1 FROM job_attempts WHERE job_id = '%s' AND (%s OR outcome = 'failed' AND "
             "epoch_us(finished_at) >= %lld) LIMIT 1",
             qk_id_format(id, node),
             run->status == QK_RUN_CANCELLED ? "outcome = 'cancelled'" : "false",
             (long long)run->completed_at.us);
    qk_status rc = qk_rows_open(&rows, own, sql, qk_us(0), err);
    if (rc != QK_OK)
        return rc;
    rc = qk_rows_next(rows, err);
    *out = rc == QK_OK;
    qk_rows_close(rows);
    return rc == QK_EMPTY ? QK_OK : rc;
}

qk_status qk__far_find(bool *found, qk_queue *own, qk_queue *other, qk_id child, qk_id node,
                       qk_error *err)
{
    qk_run *run = NULL;
    bool since = false;
    *found = false;
    qk_status rc = qk_run_get(&run, other, child, err);
    if (rc == QK_ENOTFOUND)
        return QK_OK;
    if (rc != QK_OK)
        return rc;
    *found = true;
    bool badly = qk_run_status_is_terminal(run->status) && run->status != QK_RUN_DONE;
    bool held = run->status == QK_RUN_PAUSED; /* the run here is not, or the node had not started */
    if (badly)
        rc = has_ended_since(&since, own, node, run, err);
    qk_run_free(run);
    if (rc == QK_OK && since)
        rc = qk_run_retry(other, child, err);
    else if (rc == QK_OK && held)
        rc = qk_run_resume(other, child, err);
    return rc == QK_ESTATE ? QK_OK : rc;
}

/* A leaf that is a sub-DAG node itself has a reference, which its store resolves. */
static qk_status put_leaf(qk__buffer *text, qk_queue *other, const qk_rows *rows, qk_error *err)
{
    const char *result = qk_rows_text(rows, 2);
    char *map = NULL;
    qk_id id;
    qk_status rc = QK_OK;
    if (result && strncmp(result, "{\"$run\"", 7) == 0) {
        rc = qk_id_parse(&id, qk_rows_text(rows, 0));
        rc = rc == QK_OK ? qk_result(&map, other, id, err) : rc;
        result = map;
    }
    qk__buffer_json_string(text, qk_rows_text(rows, 1), qk_rows_length(rows, 1));
    qk__buffer_text(text, ":");
    qk__buffer_text(text, result ? result : "null");
    free(map);
    return rc;
}

static qk_status put_leaves(qk__buffer *text, qk_queue *other, qk_id child, qk_error *err)
{
    qk_rows *rows = NULL;
    char id[QK_ID_TEXT_SIZE];
    char sql[512];
    qk_id_format(id, child);
    snprintf(sql, sizeof(sql),
             "SELECT id, node_name, result FROM jobs WHERE dag_run_id = '%s' AND status = 'done' "
             "AND id NOT IN (SELECT parent_job_id FROM job_dependencies WHERE child_job_id IN "
             "(SELECT id FROM jobs WHERE dag_run_id = '%s')) ORDER BY id",
             id, id);
    qk_status rc = qk_rows_open(&rows, other, sql, qk_us(0), err);
    if (rc != QK_OK)
        return rc;
    bool first = true;
    while ((rc = qk_rows_next(rows, err)) == QK_OK) {
        qk__buffer_text(text, first ? "" : ",");
        first = false;
        rc = put_leaf(text, other, rows, err);
        if (rc != QK_OK)
            break;
    }
    qk_rows_close(rows);
    return rc == QK_EMPTY ? QK_OK : rc;
}

qk_status qk__far_result(char **out, qk_queue *other, qk_id child, size_t limit, qk_error *err)
{
    qk__buffer text;
    char id[QK_ID_TEXT_SIZE];
    qk__buffer_init(&text, limit + 2);
    qk__buffer_text(&text, "{");
    qk_status rc = put_leaves(&text, other, child, err);
    qk__buffer_text(&text, "}");
    if (rc == QK_OK && (text.failed || text.length > limit)) {
        qk__buffer_dispose(&text);
        qk__buffer_init(&text, 128);
        qk__buffer_printf(&text, "{\"$store_run\":\"%s\"}", qk_id_format(id, child));
    }
    *out = rc == QK_OK ? qk__buffer_take(&text) : NULL;
    qk__buffer_dispose(&text);
    if (rc == QK_OK && !*out)
        rc = qk__error(err, QK_ENOMEM, "out of memory for a result");
    return rc;
}
