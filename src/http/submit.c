/*
 * POST runs, claims/{job}/{attempt}/expand and claims/{job}/{attempt}/nodes: whole runs, runs of
 * sub-DAG nodes, and nodes that a running task adds.
 *
 * A run comes as its nodes, ready for the store, with ids that its caller has made: so it is
 * recognised when it comes again.
 */
#include <microhttpd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "http/fields.h"
#include "http/job_batch.h"
#include "http/job_json.h"
#include "http/request.h"
#include "queue/validate.h"
#include "util/error.h"

typedef struct submission {
    qk__new_run run;
    qk__job_batch batch;
    char *dumped[3]; /* metadata, params, definition */
} submission;

static void dispose(submission *submission)
{
    qk__job_batch_dispose(&submission->batch);
    for (size_t i = 0; i < 3; i++)
        free(submission->dumped[i]);
}

static const char *const run_keys[] = { "id",         "fresh",
                                        "name",       "description",
                                        "trigger",    "scheduled_for",
                                        "metadata",   "metadata_text",
                                        "params",     "params_text",
                                        "definition", "definition_text",
                                        "jobs",       NULL };

/* JSON, nested under `key` or as text under `<key>_text`. */
static const char *read_nested(qk__fields *fields, const char *key, char **dumped)
{
    char name[32];
    const json_t *value = json_object_get(fields->object, key);
    snprintf(name, sizeof(name), "%s_text", key);
    const char *text = qk__field_text(fields, name);
    if (value && text)
        qk__fields_fail(fields, key, "give it once only");
    if (!fields->rc && text)
        fields->rc = qk__check_json(key, text, strlen(text), SIZE_MAX, &fields->err);
    if (!value || json_is_null(value) || fields->rc)
        return text;
    *dumped = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY);
    if (!*dumped)
        fields->rc = qk__error(&fields->err, QK_ENOMEM, "out of memory");
    return *dumped;
}

static qk_status read_run(submission *out, const json_t *json, qk_error *err)
{
    qk__fields fields;
    qk__new_run *run = &out->run;
    qk__fields_init(&fields, json);
    qk__fields_only(&fields, run_keys);
    run->id = qk__field_id(&fields, "id");
    run->id_given = !qk_id_is_none(run->id) && !qk__field_bool(&fields, "fresh");
    if (qk_id_is_none(run->id))
        run->id = qk_id_new();
    run->name = qk__field_text(&fields, "name");
    run->description = qk__field_text(&fields, "description");
    run->trigger = qk__field_text(&fields, "trigger");
    run->scheduled_for_us = qk__field_time(&fields, "scheduled_for").us;
    run->metadata = read_nested(&fields, "metadata", &out->dumped[0]);
    run->params = read_nested(&fields, "params", &out->dumped[1]);
    run->definition = read_nested(&fields, "definition", &out->dumped[2]);
    run->definition_length = run->definition ? strlen(run->definition) : 0;
    if (!fields.rc)
        fields.rc = qk__check_name("name", run->name, &fields.err);
    if (!fields.rc)
        fields.rc = qk__check_optional_name("trigger", run->trigger, &fields.err);
    return fields.rc ? qk__error(err, fields.rc, "run: %s", fields.err.message) : QK_OK;
}

/* Run and nodes. Dispose in any case. */
static qk_status read_submission(submission *out, const qk__request *request, const json_t *json,
                                 qk_error *err)
{
    qk_status rc = read_run(out, json, err);
    return rc ? rc : qk__node_batch_read(&out->batch, request, json_object_get(json, "jobs"), err);
}

void qk__post_runs(qk__request *request)
{
    qk_store *store = request->http->store;
    qk_error err = QK_ERROR_INIT;
    qk_enqueued result = { { { 0 } }, false };
    submission all = { 0 };
    qk_status rc = read_submission(&all, request, request->json, &err);
    if (!rc)
        rc =
            store->ops->submit_run(store, &result, &all.run, all.batch.jobs, all.batch.count, &err);
    dispose(&all);
    if (rc) {
        qk__reply_error(request, rc, &err);
        return;
    }
    qk__buffer_append(&request->reply, "{", 1);
    qk__put_id(&request->reply, "id", result.id);
    qk__put_bool(&request->reply, "duplicate", result.duplicate);
    qk__buffer_text(&request->reply, "}\n");
    qk__reply(request, MHD_HTTP_CREATED);
}

/* The lease that path and body name. False after an error reply. */
static bool read_lease(qk__request *request, qk_lease *lease)
{
    qk__fields fields;
    char *end;
    const char *text = request->segments[4];
    uint64_t attempt = strtoull(text, &end, 10);
    qk__fields_init(&fields, request->json);
    lease->worker_id = qk__field_text(&fields, "worker_id");
    if (*text < '0' || *text > '9' || *end || attempt > INT32_MAX) {
        qk__reply_invalid(request, "the path holds no attempt where one is expected");
        return false;
    }
    lease->attempt = (int32_t)attempt;
    if (!qk__segment_id(request, 3, &lease->job))
        return false;
    if (!fields.rc)
        fields.rc = qk__check_lease(lease, &fields.err);
    if (fields.rc)
        qk__reply_error(request, fields.rc, &fields.err);
    return fields.rc == QK_OK;
}

/* Another process is told only what a crash here cannot undo: it would wait for a lease that nobody
 * renews any more. */
static qk_status expand(qk_store *store, qk_id *child, const qk_lease *lease,
                        const submission *submission, qk_error *err)
{
    bool given = submission != NULL;
    qk_status rc = store->ops->expand(store, child, lease, given ? &submission->run : NULL,
                                      given ? submission->batch.jobs : NULL,
                                      given ? submission->batch.count : 0, err);
    return rc ? rc : store->ops->flush(store, err);
}

void qk__post_expand(qk__request *request)
{
    const json_t *run = json_object_get(request->json, "run");
    qk_error err = QK_ERROR_INIT;
    submission all = { 0 };
    qk_lease lease = { 0 };
    qk_id child = { { 0 } };
    if (!read_lease(request, &lease))
        return;
    qk_status rc = run ? read_submission(&all, request, run, &err) : QK_OK;
    if (!rc)
        rc = expand(request->http->store, &child, &lease, run ? &all : NULL, &err);
    dispose(&all);
    if (rc) {
        qk__reply_error(request, rc, &err);
        return;
    }
    qk__buffer_append(&request->reply, "{", 1);
    qk__put_id(&request->reply, "run_id", child);
    qk__buffer_text(&request->reply, "}\n");
    qk__reply(request, MHD_HTTP_OK);
}

void qk__post_nodes(qk__request *request)
{
    qk_store *store = request->http->store;
    qk_error err = QK_ERROR_INIT;
    qk__job_batch batch = { 0 };
    qk_lease lease = { 0 };
    if (!read_lease(request, &lease))
        return;
    qk_status rc =
        qk__node_batch_read(&batch, request, json_object_get(request->json, "jobs"), &err);
    if (!rc)
        rc = store->ops->add_nodes(store, &lease, batch.jobs, batch.count, &err);
    qk__job_batch_dispose(&batch);
    if (rc)
        qk__reply_error(request, rc, &err);
    else
        qk__reply_done(request);
}
