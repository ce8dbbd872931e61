/*
 * Jobs as JSON; see job_json.h. No state; any thread. Failures stay in the buffer.
 */
#include "http/job_json.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "util/time_text.h"

void qk__put_key(qk__buffer *out, const char *key)
{
    if (out->length > 0 && out->data[out->length - 1] != '{')
        qk__buffer_append(out, ",", 1);
    qk__buffer_json_string(out, key, strlen(key));
    qk__buffer_append(out, ":", 1);
}

void qk__put_text(qk__buffer *out, const char *key, const char *text)
{
    qk__put_key(out, key);
    if (text)
        qk__buffer_json_string(out, text, strlen(text));
    else
        qk__buffer_text(out, "null");
}

void qk__put_id(qk__buffer *out, const char *key, qk_id id)
{
    char text[QK_ID_TEXT_SIZE];
    qk__put_text(out, key, qk_id_is_none(id) ? NULL : qk_id_format(text, id));
}

void qk__put_time(qk__buffer *out, const char *key, qk_time time)
{
    char text[QK__TIME_TEXT_SIZE];
    qk__put_text(out, key, time.us == 0 || !*qk__time_format(text, time) ? NULL : text);
}

void qk__put_number(qk__buffer *out, const char *key, int64_t number)
{
    char text[24];
    int length = snprintf(text, sizeof(text), "%" PRId64, number);
    qk__put_key(out, key);
    qk__buffer_append(out, text, (size_t)length);
}

void qk__put_bool(qk__buffer *out, const char *key, bool value)
{
    qk__put_key(out, key);
    qk__buffer_text(out, value ? "true" : "false");
}

void qk__put_seconds(qk__buffer *out, const char *key, qk_duration duration)
{
    char text[40];
    qk__put_key(out, key);
    if (duration.us == QK_FOREVER_US) {
        qk__buffer_text(out, "null");
        return;
    }
    int length = snprintf(text, sizeof(text), "%" PRId64 ".%06d", duration.us / 1000000,
                          (int)(duration.us % 1000000));
    while (text[length - 1] == '0')
        length--;
    length -= text[length - 1] == '.';
    qk__buffer_append(out, text, (size_t)length);
}

void qk__put_nested(qk__buffer *out, const char *key, const char *json, bool exact)
{
    char name[40];
    if (exact) {
        snprintf(name, sizeof(name), "%s_text", key);
        qk__put_text(out, name, json);
        return;
    }
    qk__put_key(out, key);
    qk__buffer_text(out, json ? json : "null");
}

static void put_times(qk__buffer *out, const qk_job *job)
{
    qk__put_time(out, "created_at", job->created_at);
    qk__put_time(out, "execute_after", job->execute_after);
    qk__put_time(out, "claimed_at", job->claimed_at);
    qk__put_text(out, "claimed_by", job->claimed_by);
    qk__put_time(out, "completed_at", job->completed_at);
}

static void put_progress(qk__buffer *out, const qk_job *job)
{
    qk__put_key(out, "progress");
    if (job->progress >= 0 && isfinite(job->progress))
        qk__buffer_printf(out, "%.17g", job->progress);
    else
        qk__buffer_text(out, "null");
    qk__put_text(out, "progress_message", job->progress_message);
}

static void put_rare(qk__buffer *out, const qk_job *job)
{
    qk__put_time(out, "skipped_at", job->skipped_at);
    qk__put_text(out, "skip_reason", job->skip_reason);
    qk__put_text(out, "skipped_by", job->skipped_by);
    qk__put_key(out, "tags");
    qk__buffer_text(out, job->tags ? job->tags : "null");
    qk__put_text(out, "name", job->name);
    qk__put_text(out, "unique_key", job->unique_key);
    put_progress(out, job);
    if (job->map_index >= 0)
        qk__put_number(out, "map_index", job->map_index);
    else
        qk__put_text(out, "map_index", NULL);
    if (job->has_exit_code)
        qk__put_number(out, "exit_code", job->exit_code);
    else
        qk__put_text(out, "exit_code", NULL);
}

void qk__job_json(qk__buffer *out, const qk_job *job, bool exact)
{
    qk__buffer_append(out, "{", 1);
    qk__put_id(out, "id", job->id);
    qk__put_id(out, "dag_run_id", job->run_id);
    qk__put_text(out, "node_name", job->node_name);
    qk__put_text(out, "dependency_mode", qk_dependency_mode_name(job->mode));
    qk__put_text(out, "kind", job->kind);
    qk__put_nested(out, "payload", job->payload, exact);
    qk__put_text(out, "queue", job->queue);
    qk__put_text(out, "status", qk_job_status_name(job->status));
    qk__put_number(out, "priority", job->priority);
    put_times(out, job);
    qk__put_number(out, "attempts", job->attempts);
    qk__put_number(out, "max_attempts", job->max_attempts);
    qk__put_seconds(out, "timeout_seconds", job->timeout);
    qk__put_nested(out, "result", job->result, exact);
    qk__put_text(out, "error", job->error);
    put_rare(out, job);
    qk__buffer_append(out, "}", 1);
}

void qk__claim_json(qk__buffer *out, const qk_claimed *claim, bool exact)
{
    qk__buffer_append(out, "{", 1);
    qk__put_id(out, "job_id", claim->lease.job);
    qk__put_number(out, "attempt", claim->lease.attempt);
    qk__put_text(out, "worker_id", claim->lease.worker_id);
    qk__put_text(out, "kind", claim->kind);
    qk__put_text(out, "queue", claim->queue);
    qk__put_nested(out, "payload", claim->payload, exact);
    qk__put_text(out, "name", claim->name);
    qk__put_id(out, "dag_run_id", claim->run_id);
    qk__put_text(out, "node_name", claim->node_name);
    qk__put_number(out, "run_depth", claim->run_depth);
    qk__put_number(out, "attempts", claim->attempts);
    qk__put_number(out, "max_attempts", claim->max_attempts);
    qk__put_seconds(out, "timeout_seconds", claim->timeout);
    qk__put_time(out, "claimed_at", claim->claimed_at);
    qk__put_bool(out, "strict", claim->strict);
    qk__buffer_append(out, "}", 1);
}
