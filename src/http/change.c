/*
 * POST jobs/{id}/{cancel,retry}, and many at once: POST jobs/{cancel,retry} with {"ids":[…]}. The answer is
 * {"statuses":["ok",…]}, and why the first that was refused was: "refused":{"code","message"}.
 */
#include <stdlib.h>
#include <string.h>

#include <microhttpd.h>

#include "http/fields.h"
#include "http/request.h"

#define IDS_MAX 1000000

typedef qk_status (*change_fn)(qk_store *store, qk_status *statuses, const qk_id *jobs,
                               size_t count, qk_error *err);

static void change_one(qk__request *request, change_fn change)
{
    qk_error err = QK_ERROR_INIT;
    qk_status status = QK_OK;
    qk_id id;
    if (!qk__segment_id(request, 3, &id))
        return;
    qk_status rc = change(request->http->store, &status, &id, 1, &err);
    if (rc)
        qk__reply_error(request, rc, &err);
    else
        qk__reply_done(request);
}

static void write_answer(qk__request *request, const qk_status *statuses, size_t count,
                         const qk_error *err)
{
    size_t refused = 0;
    qk__buffer_text(&request->reply, "{\"statuses\":[");
    for (size_t i = 0; i < count; i++)
        qk__buffer_printf(&request->reply, "%s\"%s\"", i ? "," : "",
                          qk_status_json_code(statuses[i]));
    qk__buffer_text(&request->reply, "]");
    while (refused < count && !statuses[refused])
        refused++;
    if (refused < count) {
        const char *message = err->message[0] ? err->message : qk_status_text(statuses[refused]);
        qk__buffer_printf(&request->reply, ",\"refused\":{\"code\":\"%s\",\"message\":",
                          qk_status_json_code(statuses[refused]));
        qk__buffer_json_string(&request->reply, message, strlen(message));
        qk__buffer_text(&request->reply, "}");
    }
    qk__buffer_text(&request->reply, "}\n");
    qk__reply(request, MHD_HTTP_OK);
}

static void change_many(qk__request *request, change_fn change)
{
    static const char *const keys[] = { "ids", NULL };
    qk__fields fields;
    size_t count = 0;
    qk__fields_init(&fields, request->json);
    qk__fields_only(&fields, keys);
    if (!fields.rc && !json_object_get(request->json, "ids"))
        qk__fields_fail(&fields, "ids", "must be a list of ids");
    qk_id *ids = qk__field_ids(&fields, "ids", IDS_MAX, &count);
    qk_status *statuses = calloc(count + 1, sizeof(*statuses));
    if (!fields.rc && !statuses)
        fields.rc = qk__error(&fields.err, QK_ENOMEM, "out of memory");
    if (!fields.rc && count > 0)
        fields.rc = change(request->http->store, statuses, ids, count, &fields.err);
    if (fields.rc && count == 1 && statuses && statuses[0] == fields.rc)
        fields.rc = QK_OK; /* a single job's fate may be the call's */
    if (fields.rc)
        qk__reply_error(request, fields.rc, &fields.err);
    else
        write_answer(request, statuses, count, &fields.err);
    free(ids);
    free(statuses);
}

void qk__cancel_job(qk__request *request)
{
    change_one(request, request->http->store->ops->cancel);
}

void qk__cancel_jobs(qk__request *request)
{
    change_many(request, request->http->store->ops->cancel);
}

void qk__retry_job(qk__request *request)
{
    change_one(request, request->http->store->ops->retry);
}

void qk__retry_jobs(qk__request *request)
{
    change_many(request, request->http->store->ops->retry);
}
