/*
 * Jobs of the remote store: handing in, looking up, listing, purging.
 */
#include "store/remote/remote_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/remote/wire.h"

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

qk_status remote_too_large(const struct remote *store, qk__buffer *body, size_t count,
                           qk_error *err)
{
    qk__buffer_dispose(body);
    return qk__error(err, QK_ETOOLARGE,
                     "a batch of %zu jobs is larger than the %zu bytes that fit into one request "
                     "to the store's owner: make it smaller",
                     count, store->max_body);
}

qk_status remote_enqueue(qk_store *base, qk_enqueued *out, const qk__new_job *jobs, size_t count,
                         qk_error *err)
{
    struct remote *store = remote_of(base);
    qk__buffer body;
    json_t *json = NULL;
    remote_body(store, &body);
    wire_new_jobs(&body, jobs, count, store->max_body);
    if (body.length > store->max_body)
        return remote_too_large(store, &body, count, err);
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

static qk_status make_list(qk_job_list **out, const struct remote_lines *list, qk_error *err)
{
    void *block = NULL;
    qk_job *items = NULL;
    if (!wire_jobs(&block, &items, sizeof(qk_job_list), (const json_t *const *)list->items,
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
    struct remote_lines list;
    qk__buffer path;
    remote_body(store, &path);
    qk__buffer_text(&path, "/api/v1/jobs?exact=1");
    put_filter(&path, filter);
    qk_status rc = remote_read_lines(store, &list, &path, err);
    if (!rc)
        rc = make_list(out, &list, err);
    remote_lines_dispose(&list);
    return rc;
}
