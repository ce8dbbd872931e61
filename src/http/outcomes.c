/*
 * How claims ended, heartbeats, progress: POST claims/{job}/{attempt}/{ack,fail,nack,heartbeat,
 * progress}, and many at once with claims/outcomes and claims/heartbeats.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <microhttpd.h>

#include "http/fields.h"
#include "http/job_json.h"
#include "http/request.h"
#include "queue/queue_internal.h"
#include "queue/text.h"
#include "queue/validate.h"

#define MAX_PROGRESS_MESSAGE 1024
#define BATCH_MAX 1000000

typedef struct outcomes {
    size_t count;
    qk_outcome *raw, *fit;
    qk__outcome_scratch *scratch;
    char **results; /* dumped here */
    qk_status *statuses;
} outcomes;

static bool outcomes_init(outcomes *all, size_t count)
{
    size_t room = count ? count : 1;
    *all = (outcomes){ .count = count };
    all->raw = calloc(room, sizeof(*all->raw));
    all->fit = calloc(room, sizeof(*all->fit));
    all->scratch = calloc(room, sizeof(*all->scratch));
    all->results = calloc(room, sizeof(*all->results));
    all->statuses = calloc(room, sizeof(*all->statuses));
    return all->raw && all->fit && all->scratch && all->results && all->statuses;
}

static void outcomes_dispose(outcomes *all)
{
    for (size_t i = 0; i < all->count; i++) {
        if (all->scratch)
            qk__outcome_scratch_dispose(&all->scratch[i]);
        if (all->results)
            free(all->results[i]);
    }
    free(all->raw);
    free(all->fit);
    free(all->scratch);
    free(all->results);
    free(all->statuses);
}

static void read_lease(qk__fields *fields, qk_lease *lease)
{
    lease->job = qk__field_id(fields, "job_id");
    lease->attempt = (int32_t)qk__field_number(fields, "attempt", 0, 0, INT32_MAX);
    lease->worker_id = qk__field_text(fields, "worker_id");
}

static const char *read_result(qk__fields *fields, char **dumped)
{
    const json_t *result = json_object_get(fields->object, "result");
    const char *text = qk__field_text(fields, "result_text");
    if (!result || fields->rc)
        return text;
    *dumped = json_dumps(result, JSON_COMPACT | JSON_ENCODE_ANY);
    if (!*dumped)
        fields->rc = qk__error(&fields->err, QK_ENOMEM, "out of memory");
    return *dumped;
}

/* Everything but lease and verdict. */
static void read_outcome(qk__fields *fields, outcomes *all, size_t i)
{
    qk_outcome *outcome = &all->raw[i];
    outcome->result = read_result(fields, &all->results[i]);
    outcome->error = qk__field_text(fields, "error");
    outcome->permanent = qk__field_bool(fields, "permanent");
    outcome->has_exit_code = json_is_integer(json_object_get(fields->object, "exit_code"));
    outcome->exit_code = (int)qk__field_number(fields, "exit_code", 0, INT32_MIN, INT32_MAX);
    outcome->log_tail = qk__field_text(fields, "log_tail");
    outcome->delay.us = qk__field_seconds(fields, "delay_seconds", 0, 0);
    outcome->no_requeue = json_is_false(json_object_get(fields->object, "requeue"));
}

static bool read_verdict(qk_verdict *out, const char *name)
{
    static const char *const names[] = { "ack", "fail", "nack" };
    for (int i = 0; name && i < 3; i++) {
        if (strcmp(names[i], name) == 0) {
            *out = (qk_verdict)i;
            return true;
        }
    }
    return false;
}

static qk_status fit(const qk__request *request, outcomes *all, size_t i, qk_error *err)
{
    return qk__outcome_fit(&all->fit[i], &all->scratch[i], request->http->max_payload, &all->raw[i],
                           err);
}

/* The body of a request about one claim may be left out. */
static bool read_one(qk__request *request, qk__fields *fields, json_t **empty, qk_lease *lease)
{
    uint64_t attempt = 0;
    const char *text = request->segments[4];
    char *end;
    *empty = request->json ? NULL : json_object();
    qk__fields_init(fields, request->json ? request->json : *empty);
    attempt = strtoull(text, &end, 10);
    if (*text < '0' || *text > '9' || *end || attempt > INT32_MAX) {
        qk__reply_invalid(request, "the path holds no attempt where one is expected");
        return false;
    }
    lease->attempt = (int32_t)attempt;
    lease->worker_id = qk__field_text(fields, "worker_id");
    return qk__segment_id(request, 3, &lease->job);
}

static void heartbeat_one(qk__request *request, qk__fields *fields, const qk_lease *lease)
{
    qk_store *store = request->http->store;
    qk_status status = QK_OK;
    int64_t extend = qk__field_seconds(fields, "extend_seconds", 0, 0);
    if (!fields->rc)
        fields->rc = qk__check_lease(lease, &fields->err);
    if (!fields->rc)
        fields->rc = store->ops->extend(store, &status, lease, 1, extend, &fields->err);
    if (!fields->rc)
        fields->rc = status;
}

static void report_one(qk__request *request, qk__fields *fields, const qk_lease *lease,
                       qk_verdict verdict)
{
    qk_store *store = request->http->store;
    outcomes one;
    if (!outcomes_init(&one, 1))
        fields->rc = qk__error(&fields->err, QK_ENOMEM, "out of memory");
    if (!fields->rc) {
        read_outcome(fields, &one, 0);
        one.raw[0].lease = *lease;
        one.raw[0].verdict = verdict;
    }
    if (!fields->rc)
        fields->rc = fit(request, &one, 0, &fields->err);
    if (!fields->rc)
        fields->rc = store->ops->complete(store, one.statuses, one.fit, 1, true, &fields->err);
    if (!fields->rc)
        fields->rc = one.statuses[0];
    outcomes_dispose(&one);
}

void qk__post_outcome(qk__request *request)
{
    qk__fields fields;
    qk_lease lease = { 0 };
    json_t *empty = NULL;
    qk_verdict verdict;
    bool heartbeat = strcmp(request->segments[5], "heartbeat") == 0;
    if (!heartbeat && !read_verdict(&verdict, request->segments[5])) {
        qk_error err = QK_ERROR_INIT;
        qk__error(&err, QK_ENOTFOUND, "a claim takes ack, fail, nack, heartbeat, progress");
        qk__reply_error(request, QK_ENOTFOUND, &err);
        return;
    }
    if (read_one(request, &fields, &empty, &lease)) {
        if (heartbeat)
            heartbeat_one(request, &fields, &lease);
        else
            report_one(request, &fields, &lease, verdict);
        if (fields.rc)
            qk__reply_error(request, fields.rc, &fields.err);
        else
            qk__reply_done(request);
    }
    json_decref(empty);
}

void qk__post_progress(qk__request *request)
{
    qk_store *store = request->http->store;
    qk__fields fields;
    qk_lease lease = { 0 };
    json_t *empty = NULL;
    char *cleaned = NULL;
    if (read_one(request, &fields, &empty, &lease)) {
        double fraction = qk__field_real(&fields, "progress", NAN);
        const char *message = qk__field_text(&fields, "message");
        if (!(fraction >= 0.0 && fraction <= 1.0))
            qk__fields_fail(&fields, "progress", "must be within 0 and 1");
        if (!fields.rc)
            fields.rc = qk__check_lease(&lease, &fields.err);
        if (!fields.rc)
            fields.rc = qk__text_clean(&cleaned, message, MAX_PROGRESS_MESSAGE, &fields.err);
        if (!fields.rc)
            fields.rc = store->ops->progress(store, &lease, fraction, cleaned ? cleaned : message,
                                             &fields.err);
        if (fields.rc)
            qk__reply_error(request, fields.rc, &fields.err);
        else
            qk__reply_done(request);
    }
    free(cleaned);
    json_decref(empty);
}

static void write_statuses(qk__request *request, const qk_status *statuses, size_t count)
{
    qk__buffer_text(&request->reply, "{\"statuses\":[");
    for (size_t i = 0; i < count; i++)
        qk__buffer_printf(&request->reply, "%s\"%s\"", i ? "," : "",
                          qk_status_json_code(statuses[i]));
    qk__buffer_text(&request->reply, "]}\n");
    qk__reply(request, MHD_HTTP_OK);
}

/* The entries of a batch; NULL after an error reply. */
static const json_t *entries(qk__request *request, const char *key)
{
    const json_t *list = json_object_get(request->json, key);
    if (json_is_array(list) && json_array_size(list) <= BATCH_MAX)
        return list;
    qk__reply_invalid(request, "%s: must be a list, and not that long", key);
    return NULL;
}

static qk_status read_outcomes(qk__request *request, outcomes *all, const json_t *list,
                               qk_error *err)
{
    for (size_t i = 0; i < all->count; i++) {
        qk__fields fields;
        qk__fields_init(&fields, json_array_get(list, i));
        read_lease(&fields, &all->raw[i].lease);
        read_outcome(&fields, all, i);
        if (!read_verdict(&all->raw[i].verdict, qk__field_text(&fields, "verdict")))
            qk__fields_fail(&fields, "verdict", "must be ack, fail or nack");
        if (!fields.rc)
            fields.rc = fit(request, all, i, &fields.err);
        if (fields.rc)
            return qk__error(err, fields.rc, "outcome %zu: %s", i, fields.err.message);
    }
    return QK_OK;
}

void qk__post_outcomes(qk__request *request)
{
    qk_store *store = request->http->store;
    qk_error err = QK_ERROR_INIT;
    outcomes all;
    const json_t *list = entries(request, "outcomes");
    if (!list)
        return;
    qk_status rc = outcomes_init(&all, json_array_size(list))
                       ? read_outcomes(request, &all, list, &err)
                       : qk__error(&err, QK_ENOMEM, "out of memory");
    if (!rc && all.count > 0)
        rc = store->ops->complete(store, all.statuses, all.fit, all.count, true, &err);
    if (rc == QK_ELEASE && all.count == 1) /* a single outcome's fate may be the call's */
        rc = QK_OK;
    if (rc)
        qk__reply_error(request, rc, &err);
    else
        write_statuses(request, all.statuses, all.count);
    outcomes_dispose(&all);
}

void qk__post_heartbeats(qk__request *request)
{
    qk_store *store = request->http->store;
    qk__fields fields;
    const json_t *list = entries(request, "leases");
    if (!list)
        return;
    size_t count = json_array_size(list);
    qk_lease *leases = calloc(count ? count : 1, sizeof(*leases));
    qk_status *statuses = calloc(count ? count : 1, sizeof(*statuses));
    qk__fields_init(&fields, request->json);
    int64_t extend = qk__field_seconds(&fields, "extend_seconds", 0, 0);
    if (!leases || !statuses)
        fields.rc = qk__error(&fields.err, QK_ENOMEM, "out of memory");
    for (size_t i = 0; i < count && !fields.rc; i++) {
        qk__fields entry;
        qk__fields_init(&entry, json_array_get(list, i));
        read_lease(&entry, &leases[i]);
        if (!entry.rc)
            entry.rc = qk__check_lease(&leases[i], &entry.err);
        if (entry.rc)
            fields.rc = qk__error(&fields.err, entry.rc, "lease %zu: %s", i, entry.err.message);
    }
    if (!fields.rc && count > 0)
        fields.rc = store->ops->extend(store, statuses, leases, count, extend, &fields.err);
    if (fields.rc == QK_ELEASE && count == 1)
        fields.rc = QK_OK;
    if (fields.rc)
        qk__reply_error(request, fields.rc, &fields.err);
    else
        write_statuses(request, statuses, count);
    free(leases);
    free(statuses);
}
