/*
 * Runs of the remote store: looking and waiting. Any thread.
 */
#include "store/remote/remote_internal.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "store/remote/wire.h"
#include "util/error.h"

static void put_path(struct remote *store, qk__buffer *path, qk_id run, const char *rest)
{
    char id[QK_ID_TEXT_SIZE];
    remote_body(store, path);
    qk__buffer_text(path, "/api/v1/runs/");
    qk__buffer_text(path, qk_id_format(id, run));
    qk__buffer_text(path, rest);
}

/* Disposes of `path`. */
static qk_status get(struct remote *store, qk__buffer *path, json_t **json, qk_error *err)
{
    qk_status rc = path->failed ? qk__error(err, QK_ENOMEM, "out of memory")
                                : remote_get(store, path->data, json, err);
    qk__buffer_dispose(path);
    return rc;
}

qk_status remote_run_get(qk_store *base, qk_run **out, qk_id run, qk_error *err)
{
    struct remote *store = remote_of(base);
    qk__buffer path;
    json_t *json = NULL;
    void *block = NULL;
    put_path(store, &path, run, "?exact=1");
    qk_status rc = get(store, &path, &json, err);
    if (!rc) {
        const json_t *one = json;
        if (!wire_runs(&block, out, 0, &one, 1))
            rc = remote_nonsense(err);
        else if (!block)
            rc = qk__error(err, QK_ENOMEM, "out of memory");
    }
    json_decref(json);
    return rc;
}

static void put_filter(qk__buffer *path, const qk_run_filter *filter)
{
    char text[QK_ID_TEXT_SIZE], number[32], statuses[128] = "";
    for (int s = 0; s <= QK_RUN_CANCELLED; s++) {
        const char *name = qk_run_status_name((qk_run_status)s);
        if (name && (filter->statuses & (1u << s))) {
            strcat(statuses, *statuses ? "," : "");
            strcat(statuses, name);
        }
    }
    wire_query(path, "status", *statuses ? statuses : NULL);
    wire_query(path, "name", filter->name);
    wire_query(path, "parent_job",
               qk_id_is_none(filter->parent_job) ? NULL : qk_id_format(text, filter->parent_job));
    wire_query(path, "root",
               qk_id_is_none(filter->root_run) ? NULL : qk_id_format(text, filter->root_run));
    wire_query(path, "before",
               qk_id_is_none(filter->before) ? NULL : qk_id_format(text, filter->before));
    wire_query(path, "roots_only", filter->roots_only ? "1" : NULL);
    wire_query(path, "id_suffix", filter->id_suffix);
    snprintf(number, sizeof(number), "%zu", filter->limit);
    wire_query(path, "limit", number);
}

qk_status remote_run_list(qk_store *base, qk_run_list **out, const qk_run_filter *filter,
                          qk_error *err)
{
    struct remote *store = remote_of(base);
    struct remote_lines list;
    qk__buffer path;
    void *block = NULL;
    qk_run *items = NULL;
    remote_body(store, &path);
    qk__buffer_text(&path, "/api/v1/runs?exact=1");
    put_filter(&path, filter);
    qk_status rc = remote_read_lines(store, &list, &path, err);
    if (!rc && !wire_runs(&block, &items, sizeof(qk_run_list), (const json_t *const *)list.items,
                          list.count))
        rc = remote_nonsense(err);
    else if (!rc && !block)
        rc = qk__error(err, QK_ENOMEM, "out of memory for a list of %zu runs", list.count);
    if (!rc) {
        *out = block;
        **out = (qk_run_list){ list.count, items, list.more };
    }
    remote_lines_dispose(&list);
    return rc;
}

qk_status remote_run_tree(qk_store *base, qk_run_tree **out, qk_id run, qk_error *err)
{
    struct remote *store = remote_of(base);
    qk__buffer path;
    json_t *json = NULL;
    put_path(store, &path, run, "/tree");
    qk_status rc = get(store, &path, &json, err);
    if (!rc && !wire_run_tree(out, json))
        rc = remote_nonsense(err);
    else if (!rc && !*out)
        rc = qk__error(err, QK_ENOMEM, "out of memory");
    json_decref(json);
    return rc;
}

qk_status remote_run_node(qk_store *base, qk_id *out, qk_id run, const char *node, qk_error *err)
{
    struct remote *store = remote_of(base);
    qk__buffer path;
    json_t *json = NULL;
    put_path(store, &path, run, "/nodes/");
    for (; *node; node++)
        qk__buffer_printf(&path, "%%%02X", (unsigned char)*node);
    qk_status rc = get(store, &path, &json, err);
    if (!rc && (!wire_get_id(out, json, "id") || qk_id_is_none(*out)))
        rc = remote_nonsense(err);
    json_decref(json);
    return rc;
}

/* One round of a wait. */
static qk_status wait_round(struct remote *store, qk_run_progress *out, qk_id run,
                            const qk_run_progress *seen, int64_t step, qk_error *err)
{
    char text[16 + QK_JOB_STATUS_COUNT * 21];
    qk__buffer path;
    json_t *json = NULL;
    put_path(store, &path, run, "/progress");
    wire_query_seconds(&path, "wait", step);
    if (seen) {
        const char *name = qk_run_status_name(seen->status);
        size_t length = (size_t)snprintf(text, sizeof(text), "%s", name ? name : "none");
        for (int s = 0; s < QK_JOB_STATUS_COUNT; s++)
            length += (size_t)snprintf(text + length, sizeof(text) - length, ",%" PRIu64,
                                       seen->counts[s]);
        wire_query(&path, "seen", text);
    }
    const qk__call call = {
        .method = "GET", .path = path.data, .late_us = step, .waits = step > 0
    };
    qk_status rc = path.failed ? qk__error(err, QK_ENOMEM, "out of memory")
                               : qk__client_call(store->client, &call, &json, NULL, err);
    qk__buffer_dispose(&path);
    if (!rc && !wire_run_progress(out, json))
        rc = remote_nonsense(err);
    json_decref(json);
    return rc;
}

qk_status remote_run_wait(qk_store *base, qk_run_progress *out, qk_id run,
                          const qk_run_progress *seen, int64_t timeout_us, qk_error *err)
{
    struct remote *store = remote_of(base);
    int64_t start = remote_now(store);
    qk_status rc;
    do {
        int64_t gone = remote_now(store) - start;
        int64_t left = timeout_us == INT64_MAX ? INT64_MAX
                       : timeout_us > gone     ? timeout_us - gone
                                               : 0;
        rc = wait_round(store, out, run, seen, left < ROUND_US ? left : ROUND_US, err);
    } while (rc == QK_ETIMEDOUT &&
             (timeout_us == INT64_MAX || remote_now(store) - start < timeout_us));
    return rc;
}
