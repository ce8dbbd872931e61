/*
 * POST jobs: one job or an array of them, in one commit.
 */
#include <microhttpd.h>
#include <stdlib.h>
#include <string.h>

#include "http/fields.h"
#include "http/job_json.h"
#include "http/request.h"
#include "queue/spec.h"

#define NEEDS_MAX 1000000

/* What the specs of a request borrow from. */
typedef struct batch {
    size_t count;
    qk_job_spec *specs;
    qk_job_options *options;
    char **payloads; /* dumped here */
    const char ***tags;
    qk_id **needs;
    bool *fresh; /* the caller has just made the id: nothing can be stored under it */
    qk__new_job *jobs;
    qk_enqueued *results;
    qk__spec_memory memory;
} batch;

static bool batch_init(batch *batch, size_t count)
{
    *batch = (struct batch){ .count = count };
    batch->specs = calloc(count, sizeof(*batch->specs));
    batch->options = calloc(count, sizeof(*batch->options));
    batch->payloads = calloc(count, sizeof(*batch->payloads));
    batch->tags = calloc(count, sizeof(*batch->tags));
    batch->needs = calloc(count, sizeof(*batch->needs));
    batch->fresh = calloc(count, sizeof(*batch->fresh));
    batch->jobs = calloc(count, sizeof(*batch->jobs));
    batch->results = calloc(count, sizeof(*batch->results));
    return batch->specs && batch->options && batch->payloads && batch->tags && batch->needs &&
           batch->fresh && batch->jobs && batch->results;
}

static void batch_dispose(batch *batch)
{
    for (size_t i = 0; i < batch->count; i++) {
        if (batch->payloads)
            free(batch->payloads[i]);
        if (batch->tags)
            free(batch->tags[i]);
        if (batch->needs)
            free(batch->needs[i]);
    }
    qk__spec_memory_dispose(&batch->memory);
    free(batch->specs);
    free(batch->options);
    free(batch->payloads);
    free(batch->tags);
    free(batch->needs);
    free(batch->fresh);
    free(batch->jobs);
    free(batch->results);
}

static const char *const known_keys[] = { "id",
                                          "fresh",
                                          "kind",
                                          "payload",
                                          "payload_text",
                                          "command",
                                          "queue",
                                          "priority",
                                          "delay_seconds",
                                          "execute_after",
                                          "max_attempts",
                                          "max_lost",
                                          "timeout_seconds",
                                          "backoff",
                                          "unique",
                                          "unique_key",
                                          "needs",
                                          "mode",
                                          "dependency_mode",
                                          "continue_on_failure",
                                          "tags",
                                          "name",
                                          "ignore_backpressure",
                                          "strict",
                                          NULL };

static const char *either(qk__fields *fields, const char *key, const char *other)
{
    const char *text = qk__field_text(fields, key);
    return text ? text : qk__field_text(fields, other);
}

static void read_backoff(qk__fields *fields, qk_backoff *backoff)
{
    static const char *const keys[] = { "base_seconds", "factor", "cap_seconds", NULL };
    const json_t *value = fields->rc ? NULL : json_object_get(fields->object, "backoff");
    qk__fields inner;
    if (!value)
        return;
    qk__fields_init(&inner, value);
    qk__fields_only(&inner, keys);
    backoff->base.us = qk__field_seconds(&inner, "base_seconds", backoff->base.us, 0);
    backoff->factor = qk__field_real(&inner, "factor", backoff->factor);
    backoff->cap.us = qk__field_seconds(&inner, "cap_seconds", backoff->cap.us, QK_FOREVER_US);
    if (inner.rc)
        qk__fields_fail(fields, "backoff", inner.err.message);
}

static void read_options(qk__fields *fields, batch *batch, size_t i)
{
    qk_job_options *options = &batch->options[i];
    *options = (qk_job_options)QK_JOB_OPTIONS_INIT;
    options->id = qk__field_id(fields, "id");
    options->queue = qk__field_text(fields, "queue");
    options->priority =
        (int)qk__field_number(fields, "priority", QK_PRIORITY_DEFAULT, 0, QK_PRIORITY_MAX);
    options->delay.us = qk__field_seconds(fields, "delay_seconds", 0, 0);
    options->execute_after = qk__field_time(fields, "execute_after");
    options->max_attempts = (int)qk__field_number(fields, "max_attempts", 0, 0, INT32_MAX);
    options->max_lost = (int)qk__field_number(fields, "max_lost", 0, 0, INT32_MAX);
    options->timeout.us = qk__field_seconds(fields, "timeout_seconds", 0, QK_FOREVER_US);
    read_backoff(fields, &options->backoff);
    options->unique_key = either(fields, "unique_key", "unique");
    options->name = qk__field_text(fields, "name");
    options->continue_on_failure = qk__field_bool(fields, "continue_on_failure");
    options->ignore_backpressure = qk__field_bool(fields, "ignore_backpressure");
    options->strict = qk__field_bool(fields, "strict");
    const char *mode = either(fields, "dependency_mode", "mode");
    if (mode && qk_dependency_mode_parse(&options->mode, mode) != QK_OK)
        qk__fields_fail(fields, "dependency_mode", "there is no such mode");
    batch->tags[i] = qk__field_texts(fields, "tags", QK_TAGS_MAX, &options->tag_count);
    options->tags = batch->tags[i];
    batch->needs[i] = qk__field_ids(fields, "needs", NEEDS_MAX, &options->needs_count);
    options->needs = batch->needs[i];
}

/* {"command": […]} is short for the kind command and its payload. */
static const char *command_payload(batch *batch, size_t i, const json_t *command)
{
    char *argv = json_dumps(command, JSON_COMPACT | JSON_ENCODE_ANY);
    qk__buffer text;
    qk__buffer_init(&text, SIZE_MAX / 2);
    qk__buffer_printf(&text, "{\"argv\":%s}", argv ? argv : "");
    if (!argv)
        text.failed = true;
    free(argv);
    batch->payloads[i] = qk__buffer_take(&text);
    return batch->payloads[i];
}

static void read_work(qk__fields *fields, batch *batch, size_t i)
{
    const json_t *command = json_object_get(fields->object, "command");
    const json_t *payload = json_object_get(fields->object, "payload");
    const char *text = qk__field_text(fields, "payload_text");
    qk_job_spec *spec = &batch->specs[i];
    spec->options = &batch->options[i];
    spec->kind = qk__field_text(fields, "kind");
    if ((command != NULL) + (payload != NULL) + (text != NULL) > 1)
        qk__fields_fail(fields, "payload", "give it once only");
    if (fields->rc)
        return;
    if (command && spec->kind && strcmp(spec->kind, "command") != 0)
        qk__fields_fail(fields, "command", "not together with another kind");
    spec->payload = text;
    if (command) {
        spec->kind = "command";
        spec->payload = command_payload(batch, i, command);
    } else if (payload) {
        batch->payloads[i] = json_dumps(payload, JSON_COMPACT | JSON_ENCODE_ANY);
        spec->payload = batch->payloads[i];
    }
    if ((command || payload) && !batch->payloads[i])
        fields->rc = qk__error(&fields->err, QK_ENOMEM, "out of memory");
    batch->fresh[i] = qk__field_bool(fields, "fresh");
}

static qk_status read_batch(batch *batch, const json_t *json, qk_error *err)
{
    for (size_t i = 0; i < batch->count; i++) {
        qk__fields fields;
        qk__fields_init(&fields, json_is_array(json) ? json_array_get(json, i) : json);
        qk__fields_only(&fields, known_keys);
        read_options(&fields, batch, i);
        read_work(&fields, batch, i);
        if (fields.rc)
            return qk__error(err, fields.rc, "job %zu: %s", i, fields.err.message);
    }
    return QK_OK;
}

static qk_status enqueue(const qk__request *request, batch *batch, qk_error *err)
{
    qk_store *store = request->http->store;
    qk__spec_limits limits = { request->http->default_queue, request->http->max_payload };
    qk_error problem = QK_ERROR_INIT;
    size_t bad = 0;
    qk_status rc = read_batch(batch, request->json, err);
    if (rc)
        return rc;
    /* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): qk__post_jobs disposes of the batch */
    rc = qk__spec_prepare(batch->jobs, &bad, &batch->memory, &limits, batch->specs, batch->count,
                          &problem);
    if (rc)
        return qk__error(err, rc, "job %zu: %s", bad, problem.message);
    for (size_t i = 0; i < batch->count; i++)
        batch->jobs[i].id_given = batch->jobs[i].id_given && !batch->fresh[i];
    return store->ops->enqueue(store, batch->results, batch->jobs, batch->count, err);
}

static void write_results(qk__buffer *out, const batch *batch, bool array)
{
    if (array)
        qk__buffer_append(out, "[", 1);
    for (size_t i = 0; i < batch->count; i++) {
        if (i > 0)
            qk__buffer_append(out, ",", 1);
        qk__buffer_append(out, "{", 1);
        qk__put_id(out, "id", batch->results[i].id);
        qk__put_bool(out, "duplicate", batch->results[i].duplicate);
        qk__buffer_append(out, "}", 1);
    }
    qk__buffer_text(out, array ? "]\n" : "\n");
}

void qk__post_jobs(qk__request *request)
{
    qk_error err = QK_ERROR_INIT;
    batch batch;
    bool array = json_is_array(request->json);
    size_t count = array ? json_array_size(request->json) : 1;
    qk_status rc = QK_OK;
    if (count == 0) {
        qk__buffer_text(&request->reply, "[]\n");
        qk__reply(request, MHD_HTTP_CREATED);
        return;
    }
    if (!batch_init(&batch, count))
        rc = qk__error(&err, QK_ENOMEM, "out of memory for %zu jobs", count);
    else
        rc = enqueue(request, &batch, &err);
    if (rc) {
        qk__reply_error(request, rc, &err);
    } else {
        write_results(&request->reply, &batch, array);
        qk__reply(request, MHD_HTTP_CREATED);
    }
    batch_dispose(&batch);
}
