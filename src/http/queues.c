/*
 * Queues, statistics, counters, workers.
 */
#include <microhttpd.h>
#include <stdlib.h>
#include <string.h>

#include "http/fields.h"
#include "http/job_json.h"
#include "http/request.h"
#include "http/rows_json.h"
#include "queue/validate.h"
#include "queue/view.h"

#define COUNT_MAX 1000000

static void reply_view(qk__request *request, const char *view)
{
    qk_error err = QK_ERROR_INIT;
    qk_rows *rows = NULL;
    qk_status rc = qk__view_open(&rows, request->http->store, view, &err);
    if (rc)
        qk__reply_error(request, rc, &err);
    else
        qk__reply_objects(request, rows);
}

void qk__get_queues(qk__request *request)
{
    reply_view(request, "queues");
}

void qk__get_workers(qk__request *request)
{
    reply_view(request, "workers");
}

static qk_status set_limit(qk__request *request, const char *queue, qk_error *err)
{
    qk_store *store = request->http->store;
    qk__fields fields;
    qk__fields_init(&fields, request->json);
    int64_t limit = qk__field_number(&fields, "concurrency", -1, 0, UINT32_MAX);
    if (limit < 0)
        qk__fields_fail(&fields, "concurrency", "must be given");
    if (!fields.rc)
        return store->ops->limit(store, queue, (uint32_t)limit, err);
    *err = fields.err;
    return fields.rc;
}

void qk__post_queue(qk__request *request)
{
    qk_store *store = request->http->store;
    qk_error err = QK_ERROR_INIT;
    const char *verb = request->segments[4];
    bool pause = strcmp(verb, "pause") == 0, limit = strcmp(verb, "limit") == 0;
    qk_status rc = qk__check_name("queue", request->segments[3], &err);
    if (!rc && !pause && !limit && strcmp(verb, "resume") != 0)
        rc = qk__error(&err, QK_ENOTFOUND, "a queue takes pause, resume and limit");
    if (!rc && limit)
        rc = set_limit(request, request->segments[3], &err);
    else if (!rc)
        rc = store->ops->pause(store, request->segments[3], pause, &err);
    if (rc)
        qk__reply_error(request, rc, &err);
    else
        qk__reply_done(request);
}

static bool is_list(const json_t *value)
{
    for (size_t i = 0; i < json_array_size(value); i++) {
        if (!json_is_string(json_array_get(value, i)))
            return false;
    }
    return json_is_array(value);
}

void qk__post_worker(qk__request *request)
{
    qk_store *store = request->http->store;
    qk__fields fields;
    qk__fields_init(&fields, request->json);
    const json_t *queues = json_object_get(request->json, "queues");
    char *text = is_list(queues) ? json_dumps(queues, JSON_COMPACT) : strdup("[]");
    qk__worker_info info = {
        .id = qk__field_text(&fields, "id"),
        .host = qk__field_text(&fields, "host"),
        .queues = text,
        .pid = (int)qk__field_number(&fields, "pid", 0, 0, INT32_MAX),
        .slots = (int)qk__field_number(&fields, "slots", 0, 0, COUNT_MAX),
        .running = (int)qk__field_number(&fields, "running", 0, 0, COUNT_MAX),
    };
    bool gone = qk__field_bool(&fields, "gone");
    if (!fields.rc)
        fields.rc = qk__check_name("id", info.id, &fields.err);
    if (!fields.rc)
        fields.rc = qk__check_name("host", info.host, &fields.err);
    if (!fields.rc && !text)
        fields.rc = qk__error(&fields.err, QK_ENOMEM, "out of memory");
    if (!fields.rc)
        fields.rc = store->ops->worker_beat(store, &info, gone, &fields.err);
    free(text);
    if (fields.rc)
        qk__reply_error(request, fields.rc, &fields.err);
    else
        qk__reply_done(request);
}

static void put_queue(qk__buffer *out, const qk_queue_stats *queue)
{
    qk__put_key(out, queue->name);
    qk__buffer_append(out, "{", 1);
    for (int s = 0; s < QK_JOB_STATUS_COUNT; s++)
        qk__put_number(out, qk_job_status_name((qk_job_status)s), (int64_t)queue->counts[s]);
    qk__put_bool(out, "paused", queue->paused);
    qk__buffer_append(out, "}", 1);
}

void qk__get_stats(qk__request *request)
{
    qk_store *store = request->http->store;
    qk_error err = QK_ERROR_INIT;
    qk_stats *stats = NULL;
    qk__buffer *out = &request->reply;
    qk_status rc = store->ops->stats(store, &stats, &err);
    if (rc) {
        qk__reply_error(request, rc, &err);
        return;
    }
    qk__buffer_text(out, "{\"queues\":{");
    for (size_t i = 0; i < stats->count; i++)
        put_queue(out, &stats->queues[i]);
    qk__buffer_text(out, "}}\n");
    qk_stats_free(stats);
    qk__reply(request, MHD_HTTP_OK);
}
