/*
 * GET jobs/ID/upstream and jobs/ID/result: what a job's parents left, and what a job did. For
 * workers in other processes; results stand in it as text, exact to the byte.
 */
#include <microhttpd.h>
#include <stdlib.h>

#include "http/job_json.h"
#include "http/request.h"

static void put_node(qk__buffer *out, const qk__upstream_node *node)
{
    qk__buffer_append(out, "{", 1);
    qk__put_id(out, "id", node->id);
    qk__put_text(out, "node_name", node->node);
    qk__put_text(out, "status", qk_job_status_name(node->status));
    qk__put_number(out, "attempt", node->attempt);
    qk__put_text(out, "result_text", node->result);
    qk__put_bool(out, "large", node->large);
    qk__buffer_append(out, "}", 1);
}

void qk__get_upstream(qk__request *request)
{
    qk_store *store = request->http->store;
    qk_error err = QK_ERROR_INIT;
    qk__upstream *upstream = NULL;
    qk_id id;
    if (!qk__segment_id(request, 3, &id))
        return;
    qk_status rc = store->ops->upstream(store, &upstream, id, &err);
    if (rc) {
        qk__reply_error(request, rc, &err);
        return;
    }
    qk__buffer_text(&request->reply, "{\"upstream\":[");
    for (size_t i = 0; i < upstream->count; i++) {
        qk__buffer_text(&request->reply, i ? ",\n" : "\n");
        put_node(&request->reply, &upstream->items[i]);
    }
    qk__buffer_text(&request->reply, "]}\n");
    free(upstream);
    qk__reply(request, MHD_HTTP_OK);
}

void qk__get_result(qk__request *request)
{
    qk_store *store = request->http->store;
    qk_error err = QK_ERROR_INIT;
    char *result = NULL;
    qk_id id;
    if (!qk__segment_id(request, 3, &id))
        return;
    qk_status rc = store->ops->result(store, &result, id, &err);
    if (rc) {
        qk__reply_error(request, rc, &err);
        return;
    }
    qk__buffer_append(&request->reply, "{", 1);
    qk__put_text(&request->reply, "result_text", result);
    qk__buffer_text(&request->reply, "}\n");
    free(result);
    qk__reply(request, MHD_HTTP_OK);
}
