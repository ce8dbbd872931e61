/*
 * Jobs to be enqueued, and runs to be submitted, as the protocol's JSON; see wire.h. No state; any
 * thread.
 */
#include "store/remote/wire.h"

#include <string.h>

#include "util/time_text.h"

static void put_backoff(qk__buffer *body, const qk__new_job *job)
{
    if (job->backoff_base_us == 1000000 && job->backoff_factor == 2.0 &&
        job->backoff_cap_us == 3600000000)
        return;
    qk__buffer_text(body, ",\"backoff\":{");
    wire_seconds(body, "base_seconds", job->backoff_base_us);
    wire_seconds(body, "cap_seconds", job->backoff_cap_us);
    wire_key(body, "factor");
    qk__buffer_printf(body, "%.17g}", job->backoff_factor);
}

static void put_needs(qk__buffer *body, const qk__new_job *job)
{
    char text[QK_ID_TEXT_SIZE];
    if (job->needs_count == 0)
        return;
    wire_key(body, "needs");
    for (size_t i = 0; i < job->needs_count; i++) {
        qk__buffer_text(body, i ? ",\"" : "[\"");
        qk__buffer_text(body, qk_id_format(text, job->needs[i]));
        qk__buffer_append(body, "\"", 1);
    }
    qk__buffer_append(body, "]", 1);
}

static void put_rare(qk__buffer *body, const qk__new_job *job)
{
    if (job->priority != QK_PRIORITY_DEFAULT)
        wire_number(body, "priority", job->priority);
    if (job->delay_us)
        wire_seconds(body, "delay_seconds", job->delay_us);
    if (job->execute_after_us) {
        char text[QK__TIME_TEXT_SIZE];
        wire_text(body, "execute_after", qk__time_format(text, (qk_time){ job->execute_after_us }));
    }
    if (job->mode != QK_MODE_ALL)
        wire_text(body, "dependency_mode", qk_dependency_mode_name((qk_dependency_mode)job->mode));
    wire_true(body, "continue_on_failure", job->continue_on_failure);
    wire_true(body, "ignore_backpressure", job->ignore_backpressure);
    wire_true(body, "strict", job->strict);
    wire_text(body, "unique_key", job->unique_key);
    wire_text(body, "name", job->name);
    if (job->tags) {
        wire_key(body, "tags");
        qk__buffer_text(body, job->tags);
    }
}

void wire_new_job(qk__buffer *body, const qk__new_job *job)
{
    qk__buffer_append(body, "{", 1);
    wire_id(body, "id", job->id);
    wire_true(body, "fresh", !job->id_given && !job->node);
    wire_text(body, "kind", job->kind);
    wire_text(body, "queue", job->queue);
    wire_key(body, "payload_text");
    qk__buffer_json_string(body, job->payload, job->payload_length);
    wire_number(body, "max_attempts", job->max_attempts);
    wire_number(body, "max_lost", job->max_lost);
    wire_seconds(body, "timeout_seconds", job->timeout_us);
    put_backoff(body, job);
    put_needs(body, job);
    put_rare(body, job);
    wire_text(body, "node_name", job->node);
    wire_text(body, "when", job->when);
    wire_text(body, "factory", job->factory);
    qk__buffer_append(body, "}", 1);
}

void wire_new_jobs(qk__buffer *body, const qk__new_job *jobs, size_t count, size_t most)
{
    qk__buffer_append(body, "[", 1);
    for (size_t i = 0; i < count && !body->failed && body->length <= most; i++) {
        if (i)
            qk__buffer_append(body, ",", 1);
        wire_new_job(body, &jobs[i]);
    }
    qk__buffer_append(body, "]", 1);
}

void wire_new_run(qk__buffer *body, const qk__new_run *run, const qk__new_job *jobs, size_t count,
                  size_t most)
{
    qk__buffer_append(body, "{", 1);
    wire_id(body, "id", run->id);
    wire_true(body, "fresh", !run->id_given);
    wire_text(body, "name", run->name);
    wire_text(body, "description", run->description);
    wire_text(body, "trigger", run->trigger);
    if (run->scheduled_for_us) {
        char text[QK__TIME_TEXT_SIZE];
        wire_text(body, "scheduled_for", qk__time_format(text, (qk_time){ run->scheduled_for_us }));
    }
    wire_text(body, "metadata_text", run->metadata);
    wire_text(body, "params_text", run->params);
    if (run->definition) {
        wire_key(body, "definition_text");
        qk__buffer_json_string(body, run->definition, run->definition_length);
    }
    wire_key(body, "jobs");
    wire_new_jobs(body, jobs, count, most);
    qk__buffer_append(body, "}", 1);
}
