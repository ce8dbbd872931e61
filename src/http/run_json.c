/*
 * Runs as JSON; see run_json.h. No state; any thread. Failures stay in the buffer.
 */
#include "http/run_json.h"

#include "http/job_json.h"

static void put_counts(qk__buffer *out, const uint64_t *counts)
{
    qk__put_key(out, "counts");
    qk__buffer_append(out, "{", 1);
    for (int s = 0; s < QK_JOB_STATUS_COUNT; s++)
        qk__put_number(out, qk_job_status_name((qk_job_status)s), (int64_t)counts[s]);
    qk__buffer_append(out, "}", 1);
}

void qk__run_json(qk__buffer *out, const qk_run *run, bool exact)
{
    qk__buffer_append(out, "{", 1);
    qk__put_id(out, "id", run->id);
    qk__put_id(out, "parent_job_id", run->parent_job);
    qk__put_id(out, "root_run_id", run->root_run);
    qk__put_text(out, "name", run->name);
    qk__put_text(out, "description", run->description);
    qk__put_time(out, "created_at", run->created_at);
    qk__put_time(out, "completed_at", run->completed_at);
    qk__put_text(out, "status", qk_run_status_name(run->status));
    qk__put_nested(out, "metadata", run->metadata, exact);
    qk__put_nested(out, "params", run->params, exact);
    qk__put_text(out, "trigger", run->trigger);
    qk__put_time(out, "scheduled_for", run->scheduled_for);
    qk__put_nested(out, "definition", run->definition, exact);
    put_counts(out, run->counts);
    qk__buffer_append(out, "}", 1);
}

void qk__run_progress_json(qk__buffer *out, const qk_run_progress *progress)
{
    qk__buffer_append(out, "{", 1);
    qk__put_text(out, "status", qk_run_status_name(progress->status));
    qk__put_number(out, "total", (int64_t)progress->total);
    put_counts(out, progress->counts);
    qk__buffer_text(out, "}\n");
}

void qk__run_tree_json(qk__buffer *out, const qk_run_tree *tree)
{
    int open = 0; /* how many lists of sub-DAGs are */
    for (size_t i = 0; i < tree->count; i++) {
        const qk_run_tree_item *item = &tree->items[i];
        for (; open > item->depth; open--)
            qk__buffer_text(out, "]}");
        qk__buffer_text(out, out->length > 0 && out->data[out->length - 1] != '[' ? ",\n{" : "{");
        qk__put_id(out, "id", item->id);
        qk__put_text(out, "name", item->name);
        qk__put_text(out, "status", qk_run_status_name(item->status));
        qk__put_id(out, "parent_job_id", item->parent_job);
        qk__put_key(out, "subdags");
        qk__buffer_append(out, "[", 1);
        open = item->depth + 1;
    }
    for (; open > 0; open--)
        qk__buffer_text(out, "]}");
    qk__buffer_text(out, "\n");
}
