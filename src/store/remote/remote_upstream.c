/*
 * What a job's parents left, asked from the owner. Any thread.
 */
#include "store/remote/remote_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/remote/wire.h"
#include "util/error.h"

static size_t room_for(const json_t *object, const char *key)
{
    const json_t *value = json_object_get(object, key);
    return json_is_string(value) ? json_string_length(value) + 1 : 0;
}

static const char *put(char **at, const json_t *object, const char *key)
{
    const json_t *value = json_object_get(object, key);
    if (!json_is_string(value))
        return NULL;
    char *start = *at;
    memcpy(start, json_string_value(value), json_string_length(value) + 1);
    *at += json_string_length(value) + 1;
    return start;
}

static bool fill_node(qk__upstream_node *node, const json_t *json, char **at)
{
    int64_t attempt;
    const char *status = json_string_value(json_object_get(json, "status"));
    if (!status || qk_job_status_parse(&node->status, status) != QK_OK ||
        !wire_get_id(&node->id, json, "id") || !wire_get_number(&attempt, json, "attempt"))
        return false;
    node->attempt = (int32_t)attempt;
    node->node = put(at, json, "node_name");
    node->result = put(at, json, "result_text");
    node->large = json_is_true(json_object_get(json, "large"));
    return true;
}

static qk_status read_upstream(qk__upstream **out, const json_t *list, qk_error *err)
{
    size_t count = json_array_size(list), text = 0;
    if (!json_is_array(list))
        return remote_nonsense(err);
    for (size_t i = 0; i < count; i++)
        text += room_for(json_array_get(list, i), "node_name") +
                room_for(json_array_get(list, i), "result_text");
    qk__upstream *upstream =
        calloc(1, sizeof(*upstream) + count * sizeof(qk__upstream_node) + text + 1);
    if (!upstream)
        return qk__error(err, QK_ENOMEM, "out of memory");
    upstream->count = count;
    upstream->items = (qk__upstream_node *)(upstream + 1);
    char *at = (char *)(upstream->items + count);
    for (size_t i = 0; i < count; i++) {
        if (!fill_node(&upstream->items[i], json_array_get(list, i), &at)) {
            free(upstream);
            return remote_nonsense(err);
        }
    }
    *out = upstream;
    return QK_OK;
}

qk_status remote_upstream(qk_store *base, qk__upstream **out, qk_id job, qk_error *err)
{
    char path[PATH_ROOM], id[QK_ID_TEXT_SIZE];
    json_t *json = NULL;
    *out = NULL;
    snprintf(path, sizeof(path), "/api/v1/jobs/%s/upstream", qk_id_format(id, job));
    qk_status rc = remote_get(remote_of(base), path, &json, err);
    if (!rc)
        rc = read_upstream(out, json_object_get(json, "upstream"), err);
    json_decref(json);
    return rc;
}

qk_status remote_result(qk_store *base, char **out, qk_id job, qk_error *err)
{
    char path[PATH_ROOM], id[QK_ID_TEXT_SIZE];
    json_t *json = NULL;
    *out = NULL;
    snprintf(path, sizeof(path), "/api/v1/jobs/%s/result", qk_id_format(id, job));
    qk_status rc = remote_get(remote_of(base), path, &json, err);
    const char *text = rc ? NULL : json_string_value(json_object_get(json, "result_text"));
    if (text && !(*out = strdup(text)))
        rc = qk__error(err, QK_ENOMEM, "out of memory");
    json_decref(json);
    return rc;
}
