/*
 * POST jobs: one job or an array of them, in one commit.
 */
#include <microhttpd.h>
#include <stdlib.h>

#include "http/job_batch.h"
#include "http/job_json.h"
#include "http/request.h"
#include "util/error.h"

static void write_results(qk__buffer *out, const qk_enqueued *results, size_t count, bool array)
{
    if (array)
        qk__buffer_append(out, "[", 1);
    for (size_t i = 0; i < count; i++) {
        if (i > 0)
            qk__buffer_append(out, ",", 1);
        qk__buffer_append(out, "{", 1);
        qk__put_id(out, "id", results[i].id);
        qk__put_bool(out, "duplicate", results[i].duplicate);
        qk__buffer_append(out, "}", 1);
    }
    qk__buffer_text(out, array ? "]\n" : "\n");
}

void qk__post_jobs(qk__request *request)
{
    qk_store *store = request->http->store;
    qk_error err = QK_ERROR_INIT;
    qk__job_batch batch = { 0 };
    bool array = json_is_array(request->json);
    size_t count = array ? json_array_size(request->json) : 1;
    if (count == 0) {
        qk__buffer_text(&request->reply, "[]\n");
        qk__reply(request, MHD_HTTP_CREATED);
        return;
    }
    qk_enqueued *results = calloc(count, sizeof(*results));
    qk_status rc = results ? qk__job_batch_read(&batch, request, request->json, &err)
                           : qk__error(&err, QK_ENOMEM, "out of memory for %zu jobs", count);
    if (!rc)
        rc = store->ops->enqueue(store, results, batch.jobs, count, &err);
    if (rc) {
        qk__reply_error(request, rc, &err);
    } else {
        write_results(&request->reply, results, count, array);
        qk__reply(request, MHD_HTTP_CREATED);
    }
    qk__job_batch_dispose(&batch);
    free(results);
}
