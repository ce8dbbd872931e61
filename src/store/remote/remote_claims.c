/*
 * Claims and outcomes of the remote store.
 */
#include "store/remote/remote_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/remote/wire.h"

#define AT_ONCE ((size_t)8 << 20) /* bytes of outcomes in a request, about */

static void put_texts(qk__buffer *body, const char *key, const char *const *texts, size_t count)
{
    wire_key(body, key);
    qk__buffer_append(body, "[", 1);
    for (size_t i = 0; i < count; i++) {
        if (i)
            qk__buffer_append(body, ",", 1);
        qk__buffer_json_string(body, texts[i], strlen(texts[i]));
    }
    qk__buffer_append(body, "]", 1);
}

static void put_request(const struct remote *store, qk__buffer *body,
                        const qk__claim_request *request, int64_t wait_us, bool again)
{
    remote_body(store, body);
    qk__buffer_append(body, "{", 1);
    put_texts(body, "queues", request->queues, request->queue_count);
    if (request->kinds)
        put_texts(body, "kinds", request->kinds, request->kind_count);
    wire_text(body, "worker_id", request->worker_id);
    wire_number(body, "count", request->max > 0 ? (int64_t)request->max : 1);
    wire_seconds(body, "wait", wait_us);
    wire_seconds(body, "lease_seconds", request->lease_us);
    wire_number(body, "peer", (int64_t)store->peer);
    wire_number(body, "token", (int64_t)request->holder.token);
    if (!qk_id_is_none(request->root_run))
        wire_id(body, "run", request->root_run);
    wire_true(body, "again", again);
    wire_true(body, "exact", true);
    qk__buffer_append(body, "}", 1);
}

static qk_status claim_once(struct remote *store, qk_claims **out, const qk__claim_request *request,
                            int64_t wait_us, qk_error *err)
{
    qk__buffer body;
    json_t *json = NULL;
    put_request(store, &body, request, wait_us, request->again);
    const qk__call call = {
        .method = "POST", .path = "/api/v1/claims", .body = &body, .late_us = wait_us
    };
    qk_status rc = body.failed ? qk__error(err, QK_ENOMEM, "out of memory")
                               : qk__client_call(store->client, &call, &json, NULL, err);
    qk__buffer_dispose(&body);
    if (!rc && !json)
        return QK_EMPTY;
    if (!rc && !wire_claims(out, json_object_get(json, "claims")))
        rc = remote_nonsense(err);
    else if (!rc && !*out)
        rc = qk__error(err, QK_ENOMEM, "out of memory");
    json_decref(json);
    return rc;
}

static bool enter_claim(struct remote *store, struct claiming *entry)
{
    pthread_mutex_lock(&store->lock);
    bool stopping = store->stopping;
    if (!stopping) {
        entry->next = store->claiming;
        store->claiming = entry;
    }
    pthread_mutex_unlock(&store->lock);
    return !stopping;
}

static bool leave_claim(struct remote *store, const struct claiming *entry)
{
    pthread_mutex_lock(&store->lock);
    struct claiming **link = &store->claiming;
    while (*link != entry)
        link = &(*link)->next;
    *link = entry->next;
    bool stopping = store->stopping;
    pthread_mutex_unlock(&store->lock);
    return stopping;
}

qk_status remote_claim(qk_store *base, qk_claims **out, const qk__claim_request *request,
                       qk_error *err)
{
    struct remote *store = remote_of(base);
    struct claiming entry = { .worker = request->worker_id };
    int64_t start = remote_now(store);
    int64_t step = request->wait_us < ROUND_US ? request->wait_us : ROUND_US;
    *out = NULL;
    if (!enter_claim(store, &entry))
        return qk__error(err, QK_ECLOSED, "the store is being closed");
    qk_status rc = claim_once(store, out, request, step, err);
    bool stopping = leave_claim(store, &entry);
    if (rc == QK_EMPTY && stopping)
        return qk__error(err, QK_ECLOSED, "the store is being closed");
    /* A round that ended early was ended on purpose. */
    if (rc != QK_EMPTY || step == request->wait_us || remote_now(store) - start < step)
        return rc;
    qk__claim_request rest = *request;
    if (rest.wait_us != INT64_MAX)
        rest.wait_us -= step;
    return remote_claim(base, out, &rest, err);
}

void remote_interrupt(qk_store *base, const char *worker_id, bool on)
{
    struct remote *store = remote_of(base);
    qk__buffer body;
    remote_body(store, &body);
    qk__buffer_append(&body, "{", 1);
    wire_text(&body, "worker_id", worker_id);
    wire_true(&body, "on", on);
    qk__buffer_append(&body, "}", 1);
    const qk__call call = {
        .method = "POST", .path = "/api/v1/claims/interrupt", .body = &body, .hasty = true
    };
    if (!body.failed)
        (void)qk__client_call(store->client, &call, NULL, NULL, NULL);
    qk__buffer_dispose(&body);
}

qk_status remote_release(qk_store *base, uint64_t peer, qk_error *err)
{
    struct remote *store = remote_of(base);
    qk__buffer body;
    remote_body(store, &body);
    qk__buffer_append(&body, "{", 1);
    wire_number(&body, "peer", (int64_t)peer);
    qk__buffer_append(&body, "}", 1);
    return remote_post(store, "/api/v1/claims/release", &body, NULL, err);
}

qk_status remote_backlog(qk_store *base, qk__backlog *out, const qk__claim_request *request,
                         qk_error *err)
{
    struct remote *store = remote_of(base);
    qk__buffer body;
    json_t *json = NULL;
    int64_t numbers[4];
    put_request(store, &body, request, 0, false);
    qk_status rc = remote_post(store, "/api/v1/claims/backlog", &body, &json, err);
    if (!rc && !(wire_get_number(&numbers[0], json, "pending") &&
                 wire_get_number(&numbers[1], json, "delayed") &&
                 wire_get_number(&numbers[2], json, "claimed") &&
                 wire_get_number(&numbers[3], json, "other_kinds")))
        rc = remote_nonsense(err);
    if (!rc)
        *out = (qk__backlog){ (uint64_t)numbers[0], (uint64_t)numbers[1], (uint64_t)numbers[2],
                              (uint64_t)numbers[3] };
    json_decref(json);
    return rc;
}

static void put_lease(qk__buffer *body, const qk_lease *lease)
{
    wire_id(body, "job_id", lease->job);
    wire_number(body, "attempt", lease->attempt);
    wire_text(body, "worker_id", lease->worker_id);
}

static void put_outcome(qk__buffer *body, const qk_outcome *outcome)
{
    static const char *const verdicts[] = { "ack", "fail", "nack" };
    qk__buffer_append(body, "{", 1);
    put_lease(body, &outcome->lease);
    wire_text(body, "verdict", verdicts[outcome->verdict]);
    wire_text(body, "result_text", outcome->result);
    wire_text(body, "error", outcome->error);
    wire_true(body, "permanent", outcome->permanent);
    if (outcome->has_exit_code)
        wire_number(body, "exit_code", outcome->exit_code);
    wire_text(body, "log_tail", outcome->log_tail);
    if (outcome->delay.us)
        wire_seconds(body, "delay_seconds", outcome->delay.us);
    if (outcome->no_requeue) {
        wire_key(body, "requeue");
        qk__buffer_text(body, "false");
    }
    qk__buffer_append(body, "}", 1);
}

static bool read_statuses(qk_status *statuses, const json_t *json, size_t count)
{
    const json_t *list = json_object_get(json, "statuses");
    if (json_array_size(list) != count)
        return false;
    for (size_t i = 0; i < count; i++) {
        const char *name = json_string_value(json_array_get(list, i));
        if (!name)
            return false;
        statuses[i] = strcmp(name, "ok") == 0           ? QK_OK
                      : strcmp(name, "lease_lost") == 0 ? QK_ELEASE
                                                        : QK_EINTERNAL;
    }
    return true;
}

static qk_status lease_lost(const qk_lease *lease, qk_error *err)
{
    char id[QK_ID_TEXT_SIZE];
    return qk__error(err, QK_ELEASE,
                     "lease lost: attempt %d of job %s is no longer held by this worker",
                     (int)lease->attempt, qk_id_format(id, lease->job));
}

/* Always durable when it returns: the owner's commits are shared by all who wait. */
qk_status remote_complete(qk_store *base, qk_status *statuses, const qk_outcome *outcomes,
                          size_t count, bool wait, qk_error *err)
{
    struct remote *store = remote_of(base);
    qk_status *own = calloc(count + 1, sizeof(*own));
    qk_status rc = own ? QK_OK : qk__error(err, QK_ENOMEM, "out of memory");
    (void)wait;
    for (size_t done = 0, some; !rc && done < count; done += some) {
        qk__buffer body;
        json_t *json = NULL;
        remote_body(store, &body);
        qk__buffer_text(&body, "{\"outcomes\":[");
        for (some = 0; done + some < count && body.length < AT_ONCE && !body.failed; some++) {
            if (some)
                qk__buffer_append(&body, ",", 1);
            put_outcome(&body, &outcomes[done + some]);
        }
        qk__buffer_text(&body, "]}");
        rc = remote_post(store, "/api/v1/claims/outcomes", &body, &json, err);
        if (!rc && !read_statuses(own + done, json, some))
            rc = remote_nonsense(err);
        json_decref(json);
    }
    if (!rc && statuses)
        memcpy(statuses, own, count * sizeof(*own));
    if (!rc && count == 1 && own[0] == QK_ELEASE)
        rc = lease_lost(&outcomes[0].lease, err);
    free(own);
    return rc;
}

qk_status remote_extend(qk_store *base, qk_status *statuses, const qk_lease *leases, size_t count,
                        int64_t extend_us, qk_error *err)
{
    struct remote *store = remote_of(base);
    qk__buffer body;
    json_t *json = NULL;
    qk_status *own = calloc(count + 1, sizeof(*own));
    if (!own)
        return qk__error(err, QK_ENOMEM, "out of memory");
    remote_body(store, &body);
    qk__buffer_append(&body, "{", 1);
    wire_seconds(&body, "extend_seconds", extend_us);
    qk__buffer_text(&body, ",\"leases\":[");
    for (size_t i = 0; i < count; i++) {
        qk__buffer_text(&body, i ? ",{" : "{");
        put_lease(&body, &leases[i]);
        qk__buffer_append(&body, "}", 1);
    }
    qk__buffer_text(&body, "]}");
    qk_status rc = remote_post(store, "/api/v1/claims/heartbeats", &body, &json, err);
    if (!rc && !read_statuses(own, json, count))
        rc = remote_nonsense(err);
    if (!rc && statuses)
        memcpy(statuses, own, count * sizeof(*own));
    if (!rc && count == 1 && own[0] == QK_ELEASE)
        rc = lease_lost(&leases[0], err);
    json_decref(json);
    free(own);
    return rc;
}

qk_status remote_progress(qk_store *base, const qk_lease *lease, double fraction,
                          const char *message, qk_error *err)
{
    struct remote *store = remote_of(base);
    char id[QK_ID_TEXT_SIZE], path[PATH_ROOM];
    qk__buffer body;
    remote_body(store, &body);
    qk__buffer_append(&body, "{", 1);
    wire_text(&body, "worker_id", lease->worker_id);
    wire_key(&body, "progress");
    qk__buffer_printf(&body, "%.17g", fraction);
    wire_text(&body, "message", message);
    qk__buffer_append(&body, "}", 1);
    snprintf(path, sizeof(path), "/api/v1/claims/%s/%d/progress", qk_id_format(id, lease->job),
             (int)lease->attempt);
    return remote_post(store, path, &body, NULL, err);
}
