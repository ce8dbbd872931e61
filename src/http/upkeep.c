/*
 * Counters, histograms, backups.
 */
#include <microhttpd.h>
#include <stdlib.h>
#include <string.h>

#include "http/fields.h"
#include "http/job_json.h"
#include "http/request.h"

void qk__get_counters(qk__request *request)
{
    qk_store *store = request->http->store;
    qk_counters counters;
    memset(&counters, 0, sizeof(counters));
    store->ops->counters(store, &counters);
    qk__buffer_append(&request->reply, "{", 1);
#define PUT(member) qk__put_number(&request->reply, #member, (int64_t)counters.member);
    QK__COUNTERS(PUT)
#undef PUT
    qk__buffer_text(&request->reply, "}\n");
    qk__reply(request, MHD_HTTP_OK);
}

/* Only buckets that hold something: [[bucket, count], …]. */
static void put_histogram(qk__buffer *out, const char *name, const qk_histogram *histogram)
{
    bool first = true;
    qk__put_key(out, name);
    qk__buffer_append(out, "{", 1);
    qk__put_number(out, "count", (int64_t)histogram->count);
    qk__put_number(out, "sum", (int64_t)histogram->sum);
    qk__put_key(out, "buckets");
    qk__buffer_append(out, "[", 1);
    for (size_t i = 0; i < QK_HISTOGRAM_BUCKETS; i++) {
        if (histogram->buckets[i] == 0)
            continue;
        qk__buffer_printf(out, "%s[%zu,%llu]", first ? "" : ",", i,
                          (unsigned long long)histogram->buckets[i]);
        first = false;
    }
    qk__buffer_text(out, "]}");
}

void qk__get_histograms(qk__request *request)
{
    qk_store *store = request->http->store;
    qk__buffer *out = &request->reply;
    qk_metrics *metrics = calloc(1, sizeof(*metrics));
    if (!metrics) {
        qk__reply_error(request, QK_ENOMEM, NULL);
        return;
    }
    store->ops->metrics(store, metrics);
    qk__buffer_text(out, "{\"counters\":{");
#define PUT(member) qk__put_number(out, #member, (int64_t)metrics->counters.member);
    QK__COUNTERS(PUT)
#undef PUT
    qk__buffer_append(out, "}", 1);
#define PUT(member) put_histogram(out, #member, &metrics->member);
    QK__HISTOGRAMS(PUT)
#undef PUT
    qk__buffer_text(out, "}\n");
    free(metrics);
    qk__reply(request, MHD_HTTP_OK);
}

void qk__post_backup(qk__request *request)
{
    qk_store *store = request->http->store;
    qk_backup_options options = QK_BACKUP_OPTIONS_INIT;
    qk__fields fields;
    qk__fields_init(&fields, request->json);
    const char *path = qk__field_text(&fields, "path");
    options.overwrite = qk__field_bool(&fields, "overwrite");
    if (!fields.rc && (!path || path[0] != '/'))
        qk__fields_fail(&fields, "path", "must be absolute");
    if (!fields.rc)
        fields.rc = store->ops->backup(store, path, &options, &fields.err);
    if (fields.rc)
        qk__reply_error(request, fields.rc, &fields.err);
    else
        qk__reply_done(request);
}
