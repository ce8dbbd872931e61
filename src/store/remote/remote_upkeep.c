/*
 * Counters, histograms and backups of the remote store.
 */
#include "store/remote/remote_internal.h"

#include <string.h>

#include "store/protocol.h"
#include "store/remote/wire.h"

static void read_counters(qk_counters *out, const json_t *json)
{
    int64_t number;
#define TAKE(member)                                                                               \
    if (wire_get_number(&number, json, #member))                                                   \
        out->member = (uint64_t)number;
    QK__COUNTERS(TAKE)
#undef TAKE
}

void remote_counters(qk_store *base, qk_counters *out)
{
    json_t *json = NULL;
    memset(out, 0, sizeof(*out));
    if (remote_get(remote_of(base), "/api/v1/counters", &json, NULL) == QK_OK)
        read_counters(out, json);
    json_decref(json);
}

static void read_histogram(qk_histogram *out, const json_t *json)
{
    int64_t count = 0, sum = 0;
    const json_t *buckets = json_object_get(json, "buckets");
    (void)wire_get_number(&count, json, "count");
    (void)wire_get_number(&sum, json, "sum");
    out->count = (uint64_t)count;
    out->sum = (uint64_t)sum;
    for (size_t i = 0; i < json_array_size(buckets); i++) {
        const json_t *pair = json_array_get(buckets, i);
        json_int_t bucket = json_integer_value(json_array_get(pair, 0));
        if (bucket >= 0 && bucket < QK_HISTOGRAM_BUCKETS)
            out->buckets[bucket] = (uint64_t)json_integer_value(json_array_get(pair, 1));
    }
}

void remote_metrics(qk_store *base, qk_metrics *out)
{
    json_t *json = NULL;
    memset(out, 0, sizeof(*out));
    if (remote_get(remote_of(base), "/api/v1/histograms", &json, NULL) == QK_OK) {
        read_counters(&out->counters, json_object_get(json, "counters"));
#define TAKE(member) read_histogram(&out->member, json_object_get(json, #member));
        QK__HISTOGRAMS(TAKE)
#undef TAKE
    }
    json_decref(json);
}

/* The owner writes the copy, and nobody hears how far it is; so the caller is asked before only. */
qk_status remote_backup(qk_store *base, const char *path, const qk_backup_options *options,
                        qk_error *err)
{
    struct remote *store = remote_of(base);
    qk__buffer body;
    if (options->progress && !options->progress(options->progress_user, 0, 0))
        return qk__error(err, QK_EINTERRUPTED, "interrupted");
    remote_body(store, &body);
    qk__buffer_append(&body, "{", 1);
    wire_text(&body, "path", path);
    wire_true(&body, "overwrite", options->overwrite);
    qk__buffer_append(&body, "}", 1);
    return remote_post(store, "/api/v1/backup", &body, NULL, err);
}
