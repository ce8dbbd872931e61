/*
 * From a row to a qk_job; see row_job.h and docs/file-format.md for `ext` and its defaults.
 *
 * Two passes over the rows: the first parses ext and adds up the text, the second writes. No state;
 * any thread.
 */
#include "store/embedded/row_job.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "store/embedded/reader.h"
#include "util/error.h"

#define TIMEOUT_DEFAULT_US INT64_C(300000000)

typedef struct draft {
    json_t *ext; /* NULL: none */
    char *tags; /* JSON text, or NULL */
} draft;

static size_t text_size(qk__text text)
{
    return text.data ? (size_t)text.length + 1 : 0;
}

static size_t ext_size(const json_t *ext, const char *key)
{
    const json_t *value = json_object_get(ext, key);
    return json_is_string(value) ? json_string_length(value) + 1 : 0;
}

static qk_status parse(draft *out, size_t *size, const qk__row *row, qk_error *err)
{
    if (row->ext.data && row->ext.length) {
        out->ext = json_loadb(row->ext.data, row->ext.length, 0, NULL);
        if (!json_is_object(out->ext))
            return qk__error(err, QK_EDAMAGED, "a row of the store cannot be read: see `doctor`");
    }
    const json_t *tags = json_object_get(out->ext, "tg");
    if (tags) {
        out->tags = json_dumps(tags, JSON_COMPACT | JSON_ENCODE_ANY);
        if (!out->tags)
            return qk__error(err, QK_ENOMEM, "out of memory");
        *size += strlen(out->tags) + 1;
    }
    *size += text_size(row->node) + text_size(row->kind) + text_size(row->queue) +
             text_size(row->payload) + text_size(row->claimed_by) + text_size(row->result) +
             text_size(row->error) + ext_size(out->ext, "sr") + ext_size(out->ext, "nm") +
             ext_size(out->ext, "uk") + ext_size(out->ext, "pm");
    return QK_OK;
}

static const char *put(char **at, const char *text, size_t length)
{
    char *start = *at;
    memcpy(start, text, length);
    start[length] = '\0';
    *at += length + 1;
    return start;
}

static const char *put_text(char **at, qk__text text)
{
    return text.data ? put(at, text.data, text.length) : NULL;
}

static const char *put_ext(char **at, const json_t *ext, const char *key)
{
    const json_t *value = json_object_get(ext, key);
    return json_is_string(value) ? put(at, json_string_value(value), json_string_length(value))
                                 : NULL;
}

static int64_t ext_number(const json_t *ext, const char *key, int64_t absent)
{
    const json_t *value = json_object_get(ext, key);
    return json_is_integer(value) ? json_integer_value(value) : absent;
}

static bool text_is(qk__text text, const char *other)
{
    return text.data && text.length == strlen(other) && memcmp(text.data, other, text.length) == 0;
}

static void fill_ext(qk_job *job, const qk__row *row, const draft *d, char **at)
{
    bool once = text_is(row->kind, "command") || text_is(row->kind, "sql");
    bool endless = once || text_is(row->kind, "dag");
    int64_t timeout = ext_number(d->ext, "to", endless ? -1 : TIMEOUT_DEFAULT_US);
    const json_t *progress = json_object_get(d->ext, "pg");
    job->mode = (qk_dependency_mode)ext_number(d->ext, "dm", QK_MODE_ALL);
    job->max_attempts = (int32_t)ext_number(d->ext, "ma", once ? 1 : 3);
    job->timeout = timeout < 0 ? qk_forever() : qk_us(timeout);
    job->skipped_at.us = ext_number(d->ext, "sk", 0);
    job->skip_reason = put_ext(at, d->ext, "sr");
    job->skipped_by = row->status == QK_JOB_SKIPPED ? "queuack" : NULL;
    job->tags = d->tags ? put(at, d->tags, strlen(d->tags)) : NULL;
    job->name = put_ext(at, d->ext, "nm");
    job->unique_key = put_ext(at, d->ext, "uk");
    job->progress = json_is_number(progress) ? json_number_value(progress) : -1.0;
    job->progress_message = put_ext(at, d->ext, "pm");
    job->map_index = (int32_t)ext_number(d->ext, "mi", -1);
}

static void fill(qk_job *job, const qk__row *row, const draft *d, char **at)
{
    job->id = row->id;
    job->run_id = row->related;
    job->node_name = put_text(at, row->node);
    job->kind = put_text(at, row->kind);
    job->payload = put_text(at, row->payload);
    job->queue = put_text(at, row->queue);
    job->status = (qk_job_status)row->status;
    job->priority = row->priority;
    job->created_at.us = row->created_us;
    job->execute_after.us = row->execute_after_us;
    job->claimed_at.us = row->claimed_us;
    job->claimed_by = put_text(at, row->claimed_by);
    job->completed_at.us = row->finished_us;
    job->attempts = row->attempts;
    job->result = put_text(at, row->result);
    job->error = put_text(at, row->error);
    job->has_exit_code = row->has_exit_code;
    job->exit_code = row->has_exit_code ? row->exit_code : 0;
    fill_ext(job, row, d, at);
}

qk_status qk__rows_to_jobs(void **block, qk_job **items, size_t head, const qk__row *rows,
                           size_t count, qk_error *err)
{
    qk_status rc = QK_OK;
    char *memory = NULL;
    size_t text = 0;
    draft *drafts = calloc(count ? count : 1, sizeof(*drafts));
    if (!drafts)
        return qk__error(err, QK_ENOMEM, "out of memory");
    for (size_t i = 0; i < count && !rc; i++)
        rc = parse(&drafts[i], &text, &rows[i], err);
    if (rc)
        goto out;
    memory = calloc(1, head + count * sizeof(qk_job) + text + 1);
    if (!memory) {
        rc = qk__error(err, QK_ENOMEM, "out of memory");
        goto out;
    }
    qk_job *jobs = (qk_job *)(void *)(memory + head);
    char *at = (char *)(jobs + count);
    for (size_t i = 0; i < count; i++)
        fill(&jobs[i], &rows[i], &drafts[i], &at);
    *items = jobs;
    *block = memory;
out:
    for (size_t i = 0; i < count; i++) {
        json_decref(drafts[i].ext);
        free(drafts[i].tags);
    }
    free(drafts);
    return rc;
}

qk_status qk__row_to_job(qk_job **out, const qk__row *row, qk_error *err)
{
    void *block;
    return qk__rows_to_jobs(&block, out, 0, row, 1, err);
}
