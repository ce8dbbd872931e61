/*
 * Handing a DAG to a queue; see queuack/run.h.
 */
#include <queuack/run.h>

#include <string.h>

#include "dag/submission.h"
#include "queue/queue_internal.h"
#include "util/error.h"

#define TRIGGER_MAX 255

static qk_status check(const qk_submit_options *options, qk_error *err)
{
    if (options->version != 1)
        return qk__error(err, QK_EINVAL,
                         "submit options must start from QK_SUBMIT_OPTIONS_INIT: use it");
    if (options->trigger && (!*options->trigger || strlen(options->trigger) > TRIGGER_MAX))
        return qk__error(err, QK_EINVAL, "trigger: must be 1 to %d bytes", TRIGGER_MAX);
    if (options->scheduled_for.us < 0)
        return qk__error(err, QK_EINVAL, "scheduled_for: lies before 1970");
    return QK_OK;
}

static qk_status submit(qk_id *out, qk_queue *queue, qk_dag *dag, const qk_submit_options *options,
                        qk_error *err)
{
    qk__submission submission = { 0 };
    qk_enqueued result = { { { 0 } }, false };
    qk_store *store = qk__queue_store(queue);
    qk_status rc = qk__submission_make(&submission, queue, dag, false, NULL, err);
    if (rc == QK_OK) {
        submission.run.id_given = !qk_id_is_none(options->id);
        if (submission.run.id_given)
            submission.run.id = options->id;
        submission.run.trigger = options->trigger;
        submission.run.scheduled_for_us = options->scheduled_for.us;
        rc = store->ops->submit_run(store, &result, &submission.run, submission.jobs,
                                    submission.count, err);
    }
    if (rc == QK_OK && out)
        *out = result.id;
    qk__submission_dispose(&submission);
    return rc;
}

qk_status qk_run_submit(qk_id *out, qk_queue *queue, qk_dag *dag, const qk_submit_options *options,
                        qk_error *err)
{
    static const qk_submit_options defaults = QK_SUBMIT_OPTIONS_INIT;
    if (!options)
        options = &defaults;
    if (!dag)
        return qk__error(err, QK_EINVAL, "dag: must not be NULL");
    qk_status rc = check(options, err);
    if (rc == QK_OK)
        rc = qk__queue_enter(queue, err);
    if (rc != QK_OK)
        return rc;
    rc = submit(out, queue, dag, options, err);
    qk__queue_leave(queue);
    return rc;
}
