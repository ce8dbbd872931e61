/*
 * Changes of many jobs through the owner: cancel, retry.
 */
#include "store/remote/remote_internal.h"

#include <string.h>

#include "store/remote/wire.h"
#include "util/error.h"

#define AT_ONCE 100000 /* ids in a request */

static void put_ids(qk__buffer *body, const qk_id *jobs, size_t count)
{
    char text[QK_ID_TEXT_SIZE];
    qk__buffer_text(body, "{\"ids\":[");
    for (size_t i = 0; i < count; i++) {
        qk__buffer_text(body, i ? ",\"" : "\"");
        qk__buffer_text(body, qk_id_format(text, jobs[i]));
        qk__buffer_append(body, "\"", 1);
    }
    qk__buffer_text(body, "]}");
}

static bool read_statuses(qk_status *statuses, const json_t *json, size_t count)
{
    const json_t *list = json_object_get(json, "statuses");
    if (json_array_size(list) != count)
        return false;
    for (size_t i = 0; i < count; i++) {
        const char *name = json_string_value(json_array_get(list, i));
        if (!name)
            return false;
        statuses[i] = strcmp(name, "ok") == 0 ? QK_OK : qk__client_code(name);
    }
    return true;
}

/* *told: whether the first refusal has been written to err. */
static qk_status change_some(struct remote *store, const char *path, qk_status *statuses,
                             const qk_id *jobs, size_t count, bool *told, qk_error *err)
{
    qk__buffer body;
    json_t *json = NULL;
    remote_body(store, &body);
    put_ids(&body, jobs, count);
    qk_status rc = remote_post(store, path, &body, &json, err);
    if (!rc && !read_statuses(statuses, json, count))
        rc = remote_nonsense(err);
    const json_t *refused = json_object_get(json, "refused");
    const char *message = json_string_value(json_object_get(refused, "message"));
    if (!rc && message && !*told) {
        *told = true;
        (void)qk__error(err, qk__client_code(json_string_value(json_object_get(refused, "code"))),
                        "%s", message);
    }
    json_decref(json);
    return rc;
}

static qk_status change(struct remote *store, const char *path, qk_status *statuses,
                        const qk_id *jobs, size_t count, qk_error *err)
{
    bool told = false;
    for (size_t at = 0; at < count; at += AT_ONCE) {
        size_t some = count - at < AT_ONCE ? count - at : AT_ONCE;
        qk_status rc = change_some(store, path, statuses + at, jobs + at, some, &told, err);
        if (rc && at == 0)
            return rc;
        for (size_t i = at; rc && i < count; i++)
            statuses[i] = rc; /* what went before has happened */
        if (rc)
            break;
    }
    return count == 1 ? statuses[0] : QK_OK;
}

qk_status remote_cancel(qk_store *base, qk_status *statuses, const qk_id *jobs, size_t count,
                        qk_error *err)
{
    return change(remote_of(base), "/api/v1/jobs/cancel", statuses, jobs, count, err);
}

qk_status remote_retry(qk_store *base, qk_status *statuses, const qk_id *jobs, size_t count,
                       qk_error *err)
{
    return change(remote_of(base), "/api/v1/jobs/retry", statuses, jobs, count, err);
}
