/*
 * Jobs out of requests; see job_batch.h. What comes in is checked field by field, then as qk_enqueue
 * checks it. Any thread; no state.
 */
#include "http/job_batch.h"

#include <stdlib.h>
#include <string.h>

#include "dag/condition.h"
#include "http/fields.h"
#include "queue/validate.h"
#include "util/error.h"

#define NEEDS_MAX 1000000

static bool batch_init(qk__job_batch *batch, size_t count)
{
    *batch = (qk__job_batch){ .count = count };
    count = count ? count : 1;
    batch->specs = calloc(count, sizeof(*batch->specs));
    batch->options = calloc(count, sizeof(*batch->options));
    batch->payloads = calloc(count, sizeof(*batch->payloads));
    batch->tags = calloc(count, sizeof(*batch->tags));
    batch->needs = calloc(count, sizeof(*batch->needs));
    batch->fresh = calloc(count, sizeof(*batch->fresh));
    batch->jobs = calloc(count, sizeof(*batch->jobs));
    return batch->specs && batch->options && batch->payloads && batch->tags && batch->needs &&
           batch->fresh && batch->jobs;
}

void qk__job_batch_dispose(qk__job_batch *batch)
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

/* These besides, of nodes. */
static const char *const node_keys[] = { "node_name", "when", "factory" };

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

static void read_options(qk__fields *fields, qk__job_batch *batch, size_t i)
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
static const char *command_payload(qk__job_batch *batch, size_t i, const json_t *command)
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

static void read_work(qk__fields *fields, qk__job_batch *batch, size_t i)
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

/* The keys of jobs; of nodes, the others as well. */
static void check_keys(qk__fields *fields, bool nodes)
{
    const char
        *keys[sizeof(known_keys) / sizeof(*known_keys) + sizeof(node_keys) / sizeof(*node_keys)];
    memcpy(keys, node_keys, sizeof(node_keys));
    memcpy(keys + sizeof(node_keys) / sizeof(*node_keys), known_keys, sizeof(known_keys));
    qk__fields_only(fields, nodes ? keys : known_keys);
}

static qk_status read_batch(qk__job_batch *batch, const json_t *json, bool nodes, qk_error *err)
{
    for (size_t i = 0; i < batch->count; i++) {
        qk__fields fields;
        qk__fields_init(&fields, json_is_array(json) ? json_array_get(json, i) : json);
        check_keys(&fields, nodes);
        read_options(&fields, batch, i);
        read_work(&fields, batch, i);
        if (fields.rc)
            return qk__error(err, fields.rc, "job %zu: %s", i, fields.err.message);
    }
    return QK_OK;
}

static qk_status prepare(qk__job_batch *batch, const qk__request *request, qk_error *err)
{
    qk__spec_limits limits = { request->http->default_queue, request->http->max_payload };
    qk_error problem = QK_ERROR_INIT;
    size_t bad = 0;
    /* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): the caller disposes of the batch */
    qk_status rc = qk__spec_prepare(batch->jobs, &bad, &batch->memory, &limits, batch->specs,
                                    batch->count, &problem);
    return rc ? qk__error(err, rc, "job %zu: %s", bad, problem.message) : QK_OK;
}

qk_status qk__job_batch_read(qk__job_batch *batch, const qk__request *request, const json_t *json,
                             qk_error *err)
{
    size_t count = json_is_array(json) ? json_array_size(json) : 1;
    if (!batch_init(batch, count))
        return qk__error(err, QK_ENOMEM, "out of memory for %zu jobs", count);
    qk_status rc = read_batch(batch, json, false, err);
    if (!rc)
        rc = prepare(batch, request, err);
    for (size_t i = 0; !rc && i < count; i++)
        batch->jobs[i].id_given = batch->jobs[i].id_given && !batch->fresh[i];
    return rc;
}

static void check_condition(qk__fields *fields, const char *when)
{
    qk_error problem = QK_ERROR_INIT;
    qk__condition *condition = NULL;
    qk_status rc = qk__condition_parse(&condition, when, strlen(when), &problem);
    qk__condition_free(condition);
    if (rc && !fields->rc)
        fields->rc = qk__error(&fields->err, rc, "when: %s", problem.message);
}

/* What a job has as the node of a run. */
static qk_status read_node(qk__new_job *job, const json_t *json, qk_error *err)
{
    qk__fields fields;
    qk__fields_init(&fields, json);
    job->node = qk__field_text(&fields, "node_name");
    job->when = qk__field_text(&fields, "when");
    job->factory = qk__field_text(&fields, "factory");
    if (!fields.rc)
        fields.rc = qk__check_name("node_name", job->node, &fields.err);
    if (!fields.rc)
        fields.rc = qk__check_optional_name("factory", job->factory, &fields.err);
    if (!fields.rc && job->factory && strcmp(job->kind, "dag") != 0)
        qk__fields_fail(&fields, "factory", "only nodes of kind dag have one");
    if (!fields.rc && job->when)
        check_condition(&fields, job->when);
    job->id_given = false;
    return fields.rc ? qk__error(err, fields.rc, "%s", fields.err.message) : QK_OK;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static int by_id(const void *a, const void *b)
{
    return qk_id_compare(*(const qk_id *)a, *(const qk_id *)b);
}

/* A name or an id that is there twice would make two jobs one. */
static qk_status check_unique(const qk__job_batch *batch, qk_error *err)
{
    qk_status rc = QK_OK;
    size_t count = batch->count;
    const char **names = calloc(count + 1, sizeof(*names));
    qk_id *ids = calloc(count + 1, sizeof(*ids));
    for (size_t i = 0; names && ids && i < count; i++) {
        names[i] = batch->jobs[i].node;
        ids[i] = batch->jobs[i].id;
    }
    if (!names || !ids) {
        rc = qk__error(err, QK_ENOMEM, "out of memory for %zu nodes", count);
    } else {
        qsort(names, count, sizeof(*names), by_name);
        qsort(ids, count, sizeof(*ids), by_id);
    }
    for (size_t i = 1; !rc && i < count; i++) {
        if (strcmp(names[i - 1], names[i]) == 0)
            rc = qk__error(err, QK_EINVAL, "node '%.64s' is there twice: rename one", names[i]);
        else if (qk_id_compare(ids[i - 1], ids[i]) == 0)
            rc = qk__error(err, QK_EINVAL, "two nodes have the same id: make one for each");
    }
    free(names);
    free(ids);
    return rc;
}

qk_status qk__node_batch_read(qk__job_batch *batch, const qk__request *request, const json_t *json,
                              qk_error *err)
{
    qk_error problem = QK_ERROR_INIT;
    if (json && !json_is_array(json))
        return qk__error(err, QK_EINVAL, "jobs: must be a list");
    size_t count = json_array_size(json);
    if (!batch_init(batch, count))
        return qk__error(err, QK_ENOMEM, "out of memory for %zu nodes", count);
    qk_status rc = read_batch(batch, json, true, err);
    if (!rc)
        rc = prepare(batch, request, err);
    for (size_t i = 0; !rc && i < count; i++) {
        rc = read_node(&batch->jobs[i], json_array_get(json, i), &problem);
        if (rc)
            rc = qk__error(err, rc, "job %zu: %s", i, problem.message);
    }
    return rc ? rc : check_unique(batch, err);
}
