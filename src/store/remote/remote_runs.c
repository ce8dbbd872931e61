/*
 * Runs of the remote store: handing in, expanding, changing. Any thread.
 */
#include "store/remote/remote_internal.h"

#include <stdio.h>

#include "store/remote/wire.h"
#include "util/error.h"

qk_status remote_submit_run(qk_store *base, qk_enqueued *out, const qk__new_run *run,
                            const qk__new_job *jobs, size_t count, qk_error *err)
{
    struct remote *store = remote_of(base);
    qk__buffer body;
    json_t *json = NULL;
    remote_body(store, &body);
    wire_new_run(&body, run, jobs, count, store->max_body);
    if (body.length > store->max_body)
        return remote_too_large(store, &body, count, err);
    qk_status rc = remote_post(store, "/api/v1/runs", &body, &json, err);
    if (!rc && (!wire_get_id(&out->id, json, "id") || qk_id_is_none(out->id)))
        rc = remote_nonsense(err);
    if (!rc)
        out->duplicate = json_is_true(json_object_get(json, "duplicate"));
    json_decref(json);
    return rc;
}

static void begin_claim(struct remote *store, char path[PATH_ROOM], qk__buffer *body,
                        const qk_lease *lease, const char *verb)
{
    char id[QK_ID_TEXT_SIZE];
    snprintf(path, PATH_ROOM, "/api/v1/claims/%s/%d/%s", qk_id_format(id, lease->job),
             (int)lease->attempt, verb);
    remote_body(store, body);
    qk__buffer_append(body, "{", 1);
    wire_text(body, "worker_id", lease->worker_id);
}

qk_status remote_expand(qk_store *base, qk_id *child, const qk_lease *lease, const qk__new_run *run,
                        const qk__new_job *jobs, size_t count, qk_error *err)
{
    struct remote *store = remote_of(base);
    char path[PATH_ROOM];
    qk__buffer body;
    json_t *json = NULL;
    begin_claim(store, path, &body, lease, "expand");
    if (run) {
        wire_key(&body, "run");
        wire_new_run(&body, run, jobs, count, store->max_body);
    }
    qk__buffer_append(&body, "}", 1);
    if (body.length > store->max_body)
        return remote_too_large(store, &body, count, err);
    qk_status rc = remote_post(store, path, &body, &json, err);
    if (!rc && (!wire_get_id(child, json, "run_id") || qk_id_is_none(*child)))
        rc = remote_nonsense(err);
    json_decref(json);
    return rc;
}

qk_status remote_add_nodes(qk_store *base, const qk_lease *lease, const qk__new_job *jobs,
                           size_t count, qk_error *err)
{
    struct remote *store = remote_of(base);
    char path[PATH_ROOM];
    qk__buffer body;
    begin_claim(store, path, &body, lease, "nodes");
    wire_key(&body, "jobs");
    wire_new_jobs(&body, jobs, count, store->max_body);
    qk__buffer_append(&body, "}", 1);
    if (body.length > store->max_body)
        return remote_too_large(store, &body, count, err);
    return remote_post(store, path, &body, NULL, err);
}

static void run_path(char path[PATH_ROOM], qk_id run, const char *rest)
{
    char id[QK_ID_TEXT_SIZE];
    snprintf(path, PATH_ROOM, "/api/v1/runs/%s%s", qk_id_format(id, run), rest);
}

qk_status remote_run_cancel(qk_store *base, qk_id run, qk_error *err)
{
    char path[PATH_ROOM];
    run_path(path, run, "/cancel");
    return remote_post(remote_of(base), path, NULL, NULL, err);
}

qk_status remote_run_pause(qk_store *base, qk_id run, bool paused, qk_error *err)
{
    char path[PATH_ROOM];
    run_path(path, run, paused ? "/pause" : "/resume");
    return remote_post(remote_of(base), path, NULL, NULL, err);
}

qk_status remote_run_retry(qk_store *base, qk_id run, const qk_id *from, qk_error *err)
{
    struct remote *store = remote_of(base);
    char path[PATH_ROOM];
    qk__buffer body;
    run_path(path, run, "/retry");
    remote_body(store, &body);
    qk__buffer_append(&body, "{", 1);
    if (from)
        wire_id(&body, "from_job_id", *from);
    qk__buffer_append(&body, "}", 1);
    return remote_post(store, path, &body, NULL, err);
}
