/*
 * A job as a row: what the journal stores and what snapshots show.
 */
#include "store/embedded/engine_internal.h"

#include <string.h>

static qk__text text_of(const char *text)
{
    return (qk__text){ text, text == NULL ? 0 : (uint32_t)strlen(text) };
}

static void put_number(qk__buffer *out, const char *key, int64_t value)
{
    qk__buffer_printf(out, "%c\"%s\":%lld", out->data[out->length - 1] == '{' ? ' ' : ',', key,
                      (long long)value);
}

static void put_text(qk__buffer *out, const char *key, const char *text)
{
    if (text != NULL) {
        qk__buffer_printf(out, "%c\"%s\":", out->data[out->length - 1] == '{' ? ' ' : ',', key);
        qk__buffer_json_string(out, text, strlen(text));
    }
}

static bool is_built_in(const char *kind)
{
    return strcmp(kind, "command") == 0 || strcmp(kind, "sql") == 0;
}

static void put_policy(const qk__engine *engine, const struct policy *policy, qk__buffer *out)
{
    const char *kind = engine->symbols.text[policy->kind];
    bool built_in = is_built_in(kind);
    bool endless = built_in || strcmp(kind, "dag") == 0;
    if (policy->route != policy->kind) {
        put_text(out, "fc", engine->symbols.text[policy->route] + 4);
    }
    if (policy->max_attempts != (built_in ? 1 : 3)) {
        put_number(out, "ma", policy->max_attempts);
    }
    if (policy->max_lost != 3) {
        put_number(out, "ml", policy->max_lost);
    }
    if (policy->timeout_us != (endless ? INT64_MAX : 300000000)) {
        put_number(out, "to", policy->timeout_us == INT64_MAX ? -1 : policy->timeout_us);
    }
    if (policy->backoff_base_us != 1000000) {
        put_number(out, "bb", policy->backoff_base_us);
    }
    if (policy->backoff_factor != 2.0) {
        qk__buffer_printf(out, "%c\"bf\":%.17g", out->data[out->length - 1] == '{' ? ' ' : ',',
                          policy->backoff_factor);
    }
    if (policy->backoff_cap_us != 3600000000) {
        put_number(out, "bc", policy->backoff_cap_us);
    }
    if (policy->mode != QK_MODE_ALL) {
        put_number(out, "dm", policy->mode);
    }
    if (policy->continue_on_failure) {
        qk__buffer_text(out, out->data[out->length - 1] == '{' ? "\"cf\":true" : ",\"cf\":true");
    }
}

static void put_skip(const struct job *job, qk__buffer *out)
{
    char reason[QK_ID_TEXT_SIZE + 16] = "condition";
    const struct extra *extra = job->extra;
    put_number(out, "sk", extra->finished_us);
    if (extra->cause_outside && !qk_id_is_none(extra->cause)) {
        put_number(out, "ox", 1);
    }
    if (!qk_id_is_none(extra->cause)) {
        memcpy(reason, "parent_failed:", 14);
        qk_id_format(reason + 14, extra->cause);
        put_number(out, "ct", extra->cause_order);
    }
    put_text(out, "sr", reason);
}

/* When it failed, unless the time of its end says so. */
static void put_failure(const struct job *job, qk__buffer *out)
{
    if (job->extra->cause_order != job->extra->finished_us) {
        put_number(out, "ct", job->extra->cause_order);
    }
}

static void put_extra(const struct job *job, qk__buffer *out)
{
    const struct extra *extra = job->extra;
    char child[QK_ID_TEXT_SIZE];
    put_text(out, "nm", extra->name);
    put_text(out, "wh", extra->when);
    if (!qk_id_is_none(extra->child_run)) {
        put_text(out, "cr", qk_id_format(child, extra->child_run));
    }
    if ((job->flags & JF_WAITING) != 0) {
        put_number(out, "wt", 1);
    }
    put_text(out, "uk", extra->unique_key);
    if (extra->tags != NULL) {
        qk__buffer_text(out, out->data[out->length - 1] == '{' ? "\"tg\":" : ",\"tg\":");
        qk__buffer_text(out, extra->tags);
    }
    if (job->status == QK_JOB_SKIPPED) {
        put_skip(job, out);
    } else if (job->status == QK_JOB_FAILED || job->status == QK_JOB_CANCELLED) {
        put_failure(job, out);
    }
    if (job->status == QK_JOB_CLAIMED && extra->holder.peer != 0) {
        put_number(out, "hp", (int64_t)extra->holder.peer);
        put_number(out, "ht", (int64_t)extra->holder.token);
        put_number(out, "hl", extra->first_lease_us);
    }
    if (extra->progress >= 0) {
        qk__buffer_printf(out, "%c\"pg\":%.6g", out->data[out->length - 1] == '{' ? ' ' : ',',
                          extra->progress);
        put_text(out, "pm", extra->progress_message);
    }
}

static void put_ext(const qk__engine *engine, const struct job *job, qk__row *row, qk__buffer *ext)
{
    size_t start = ext->length;
    qk__buffer_text(ext, "{");
    if (ext->failed) {
        return;
    }
    put_policy(engine, policy_of(engine, job), ext);
    if ((job->flags & JF_STRICT) != 0) {
        put_number(ext, "st", 1);
    }
    if (job->lost > 0) {
        put_number(ext, "lo", job->lost);
    }
    if (job->extra != NULL) {
        put_extra(job, ext);
    }
    if (ext->failed) {
        return;
    }
    if (ext->length == start + 1) {
        ext->length = start; /* nothing rare */
        return;
    }
    qk__buffer_text(ext, "}");
    row->ext = (qk__text){ (const char *)(uintptr_t)(start + 1), (uint32_t)(ext->length - start) };
}

static void fill_extra(const qk__engine *engine, const struct extra *extra, qk__row *row)
{
    row->node = text_of(extra->node);
    row->execute_after_us = extra->execute_after_us;
    row->claimed_us = extra->claimed_us;
    row->finished_us = extra->finished_us;
    row->has_exit_code = extra->has_exit_code;
    row->exit_code = extra->exit_code;
    row->error = text_of(extra->error);
    row->result = text_of(extra->result);
    row->log_tail = text_of(extra->log_tail);
    if (extra->claimed_us != 0 && extra->worker != NIL) {
        row->claimed_by = text_of(engine->symbols.text[extra->worker]);
    }
}

qk_status image_row(const qk__engine *engine, const struct job *job, qk__row *row, qk__buffer *ext)
{
    const struct policy *policy = policy_of(engine, job);
    memset(row, 0, sizeof *row);
    row->op = (job->flags & JF_REOPENED) != 0 ? QK__OP_REOPEN : QK__OP_IMAGE;
    row->status = job->status;
    row->priority = job->priority;
    row->attempts = job->attempts;
    row->attempt = job->attempt;
    row->seq = job->seq;
    row->id = job->id;
    row->created_us = job->created_us;
    row->kind = text_of(engine->symbols.text[policy->kind]);
    row->queue = text_of(engine->symbols.text[engine->queues.items[policy->queue]->name]);
    if ((job->flags & JF_LARGE) == 0) {
        row->payload = (qk__text){ job->payload, job->payload_length };
    }
    if (job->run != NIL) {
        row->related = run_of(engine, job)->id;
    }
    if (job->extra != NULL) {
        fill_extra(engine, job->extra, row);
    }
    if (ext != NULL) {
        put_ext(engine, job, row, ext);
        return ext->failed ? QK_ENOMEM : QK_OK;
    }
    return QK_OK;
}
