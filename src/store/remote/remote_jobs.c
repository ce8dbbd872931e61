/*
 * Jobs of the remote store: handing in, looking up, listing, purging.
 */
#include "store/remote/remote_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/remote/wire.h"
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

static void put_job(qk__buffer *body, const qk__new_job *job)
{
    qk__buffer_append(body, "{", 1);
    wire_id(body, "id", job->id);
    wire_true(body, "fresh", !job->id_given);
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
    qk__buffer_append(body, "}", 1);
}

static bool read_results(qk_enqueued *out, const json_t *json, size_t count)
{
    if (json_array_size(json) != count)
        return false;
    for (size_t i = 0; i < count; i++) {
        const json_t *entry = json_array_get(json, i);
        if (!wire_get_id(&out[i].id, entry, "id"))
            return false;
        out[i].duplicate = json_is_true(json_object_get(entry, "duplicate"));
    }
    return true;
}

qk_status remote_enqueue(qk_store *base, qk_enqueued *out, const qk__new_job *jobs, size_t count,
                         qk_error *err)
{
    struct remote *store = remote_of(base);
    qk__buffer body;
    json_t *json = NULL;
    qk__buffer_init(&body, SIZE_MAX / 2);
    for (size_t i = 0; i < count && !body.failed && body.length <= store->max_body; i++) {
        qk__buffer_append(&body, i ? "," : "[", 1);
        put_job(&body, &jobs[i]);
    }
    qk__buffer_append(&body, "]", 1);
    if (body.length > store->max_body) {
        qk__buffer_dispose(&body);
        return qk__error(err, QK_ETOOLARGE,
                         "a batch of %zu jobs is larger than the %zu bytes that fit into one "
                         "request to the store's owner: make it smaller",
                         count, store->max_body);
    }
    qk_status rc = remote_post(store, "/api/v1/jobs", &body, &json, err);
    if (!rc && !read_results(out, json, count))
        rc = remote_nonsense(err);
    json_decref(json);
    return rc;
}

/* Appends a filter as query parameters. */
static void put_filter(qk__buffer *path, const qk_job_filter *filter)
{
    char text[QK_ID_TEXT_SIZE], number[32], statuses[128] = "";
    for (int s = 0; s < QK_JOB_STATUS_COUNT; s++) {
        if (filter->statuses & (1u << s)) {
            strcat(statuses, *statuses ? "," : "");
            strcat(statuses, qk_job_status_name((qk_job_status)s));
        }
    }
    wire_query(path, "status", *statuses ? statuses : NULL);
    wire_query(path, "queue", filter->queue);
    wire_query(path, "kind", filter->kind);
    wire_query(path, "tag", filter->tag);
    wire_query(path, "id_suffix", filter->id_suffix);
    wire_query(path, "run",
               qk_id_is_none(filter->run_id) ? NULL : qk_id_format(text, filter->run_id));
    wire_query(path, "before",
               qk_id_is_none(filter->before) ? NULL : qk_id_format(text, filter->before));
    if (filter->older_than.us)
        wire_query_seconds(path, "older_than", filter->older_than.us);
    snprintf(number, sizeof(number), "%zu", filter->limit);
    wire_query(path, "limit", number);
}

qk_status remote_purge(qk_store *base, size_t *out, const qk_job_filter *filter, qk_error *err)
{
    struct remote *store = remote_of(base);
    qk__buffer path;
    json_t *json = NULL;
    int64_t count = 0;
    remote_body(store, &path);
    qk__buffer_text(&path, "/api/v1/jobs");
    put_filter(&path, filter);
    const qk__call call = { .method = "DELETE", .path = path.data };
    qk_status rc = path.failed ? qk__error(err, QK_ENOMEM, "out of memory")
                               : qk__client_call(store->client, &call, &json, NULL, err);
    qk__buffer_dispose(&path);
    if (!rc && !wire_get_number(&count, json, "purged"))
        rc = remote_nonsense(err);
    if (!rc)
        *out = (size_t)count;
    json_decref(json);
    return rc;
}

qk_status remote_get_job(qk_store *base, qk_job **out, qk_id job, qk_error *err)
{
    struct remote *store = remote_of(base);
    char id[QK_ID_TEXT_SIZE], path[PATH_ROOM];
    json_t *json = NULL;
    void *block = NULL;
    snprintf(path, sizeof(path), "/api/v1/jobs/%s?exact=1", qk_id_format(id, job));
    qk_status rc = remote_get(store, path, &json, err);
    if (!rc) {
        const json_t *one = json;
        if (!wire_jobs(&block, out, 0, &one, 1))
            rc = remote_nonsense(err);
        else if (!block)
            rc = qk__error(err, QK_ENOMEM, "out of memory");
    }
    json_decref(json);
    return rc;
}

struct listing {
    json_t **jobs;
    size_t count, capacity;
    bool more;
};

/* One line of the answer: the head, a job, or the end. */
static bool take_line(struct listing *list, const char *line, size_t length, qk_status *rc)
{
    static const char head[] = "{\"more\":true,";
    if (length < 2 || line[0] == ']')
        return true;
    if (length >= 8 && memcmp(line, "{\"more\":", 8) == 0) {
        list->more = strncmp(line, head, sizeof(head) - 1) == 0;
        return true;
    }
    if (list->count == list->capacity) {
        size_t capacity = list->capacity * 2 + 64;
        json_t **grown = realloc(list->jobs, capacity * sizeof(json_t *));
        if (!grown) {
            *rc = QK_ENOMEM;
            return false;
        }
        list->jobs = grown;
        list->capacity = capacity;
    }
    json_t *job = json_loadb(line, length - (line[length - 1] == ','), 0, NULL);
    if (job)
        list->jobs[list->count++] = job;
    return job != NULL;
}

static qk_status read_list(struct listing *list, qk__exchange *exchange, qk_error *err)
{
    const char *line;
    size_t length;
    bool ended = false;
    qk_status rc = QK_OK;
    while (!rc) {
        rc = qk__exchange_line(exchange, &line, &length, err);
        if (rc || !line)
            break;
        ended = length >= 2 && line[0] == ']';
        if (!take_line(list, line, length, &rc))
            return rc ? qk__error(err, rc, "out of memory") : remote_nonsense(err);
    }
    return rc || ended ? rc : remote_nonsense(err);
}

static qk_status make_list(qk_job_list **out, const struct listing *list, qk_error *err)
{
    void *block = NULL;
    qk_job *items = NULL;
    if (!wire_jobs(&block, &items, sizeof(qk_job_list), (const json_t *const *)list->jobs,
                   list->count))
        return remote_nonsense(err);
    if (!block)
        return qk__error(err, QK_ENOMEM, "out of memory for a list of %zu jobs", list->count);
    *out = block;
    **out = (qk_job_list){ list->count, items, list->more };
    return QK_OK;
}

qk_status remote_list(qk_store *base, qk_job_list **out, const qk_job_filter *filter, qk_error *err)
{
    struct remote *store = remote_of(base);
    struct listing list = { 0 };
    qk__exchange *exchange = NULL;
    qk__buffer path;
    remote_body(store, &path);
    qk__buffer_text(&path, "/api/v1/jobs?exact=1");
    put_filter(&path, filter);
    const qk__call call = { .method = "GET", .path = path.data };
    qk_status rc = path.failed ? qk__error(err, QK_ENOMEM, "out of memory")
                               : qk__exchange_open(&exchange, store->client, &call, err);
    qk__buffer_dispose(&path);
    if (!rc) {
        rc = read_list(&list, exchange, err);
        qk__exchange_close(exchange);
    }
    if (!rc)
        rc = make_list(out, &list, err);
    for (size_t i = 0; i < list.count; i++)
        json_decref(list.jobs[i]);
    free(list.jobs);
    return rc;
}
