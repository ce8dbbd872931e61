/*
 * POST claims: a long poll. Also what waits for a queue to be empty, and what ends a poll early.
 *
 * A claim that could not be delivered is given back at once, so that the job does not wait for its
 * lease to run out.
 */
#include <microhttpd.h>
#include <stdlib.h>
#include <string.h>

#include "http/fields.h"
#include "http/job_json.h"
#include "http/request.h"
#include "queue/validate.h"

#define LIST_MAX 4096
#define COUNT_MAX 100000
#define WAIT_MAX_US INT64_C(60000000)
#define STEP_US INT64_C(1000000)

typedef struct asked {
    qk__claim_request request;
    const char **queues, **kinds;
} asked;

static void dispose(asked *asked)
{
    free(asked->queues);
    free(asked->kinds);
}

static void check_names(qk__fields *fields, const char *key, const char *const *names, size_t count)
{
    qk_error err = QK_ERROR_INIT;
    for (size_t i = 0; i < count && !fields->rc; i++) {
        if (qk__check_name(key, names[i], &err) != QK_OK)
            fields->rc = qk__error(&fields->err, QK_EINVAL, "%s", err.message);
    }
}

static const char *const known_keys[] = { "queues",        "kinds",  "worker_id", "count", "wait",
                                          "lease_seconds", "strict", "again",     "peer",  "token",
                                          "run",           "exact",  NULL };

/* False after an error reply; otherwise dispose. */
static bool read_claim(qk__request *request, asked *out)
{
    qk__fields fields;
    size_t queue_count = 0, kind_count = 0;
    *out = (asked){ 0 };
    qk__fields_init(&fields, request->json);
    qk__fields_only(&fields, known_keys);
    out->queues = qk__field_texts(&fields, "queues", LIST_MAX, &queue_count);
    out->kinds = qk__field_texts(&fields, "kinds", LIST_MAX, &kind_count);
    check_names(&fields, "queues", out->queues, queue_count);
    check_names(&fields, "kinds", out->kinds, kind_count);
    const char *const *default_queue = (const char *const *)&request->http->default_queue;
    out->request = (qk__claim_request){
        .root_run = qk__field_id(&fields, "run"),
        .queues = queue_count ? out->queues : default_queue,
        .queue_count = queue_count ? queue_count : 1,
        .kinds = kind_count ? out->kinds : NULL,
        .kind_count = kind_count,
        .worker_id = qk__field_text(&fields, "worker_id"),
        .max = (size_t)qk__field_number(&fields, "count", 1, 1, COUNT_MAX),
        .wait_us = qk__field_seconds(&fields, "wait", 0, WAIT_MAX_US),
        .lease_us = qk__field_seconds(&fields, "lease_seconds", 0, 0),
        .strict = true, /* another process must not start what a crash here could forget */
        .again = qk__field_bool(&fields, "again"),
        .holder = { (uint64_t)qk__field_number(&fields, "peer", 1, 1, INT64_MAX),
                    (uint64_t)qk__field_number(&fields, "token", 0, 0, INT64_MAX) },
    };
    (void)qk__field_bool(&fields, "strict");
    if (out->request.wait_us > WAIT_MAX_US)
        out->request.wait_us = WAIT_MAX_US;
    if (!fields.rc)
        fields.rc = qk__check_name("worker_id", out->request.worker_id, &fields.err);
    if (!fields.rc)
        return true;
    dispose(out);
    qk__reply_error(request, fields.rc, &fields.err);
    return false;
}

static void give_back(qk__request *request, bool delivered)
{
    qk_store *store = request->http->store;
    qk_claims *claims = request->settle_state;
    qk_outcome *outcomes = delivered ? NULL : calloc(claims->count, sizeof(*outcomes));
    qk_status *statuses = outcomes ? calloc(claims->count, sizeof(*statuses)) : NULL;
    for (size_t i = 0; statuses && i < claims->count; i++) {
        outcomes[i].lease = claims->items[i].lease;
        outcomes[i].verdict = QK_VERDICT_NACK;
    }
    if (statuses)
        (void)store->ops->complete(store, statuses, outcomes, claims->count, true, NULL);
    free(statuses);
    free(outcomes);
    qk_claims_free(claims);
}

static qk_status claim(qk__request *request, asked *asked, qk_claims **out, qk_error *err)
{
    qk_store *store = request->http->store;
    int64_t left = asked->request.wait_us;
    qk_status rc;
    do {
        asked->request.wait_us = left < STEP_US ? left : STEP_US;
        rc = store->ops->claim(store, out, &asked->request, err);
        left -= asked->request.wait_us;
    } while (rc == QK_EMPTY && left > 0 && !qk__peer_gone(request));
    return rc;
}

void qk__post_claims(qk__request *request)
{
    qk_error err = QK_ERROR_INIT;
    qk_claims *claims = NULL;
    bool exact = qk__wants_exact(request);
    asked asked;
    if (!read_claim(request, &asked))
        return;
    qk_status rc = claim(request, &asked, &claims, &err);
    dispose(&asked);
    if (rc == QK_EMPTY) {
        qk__reply_empty(request);
        return;
    }
    if (rc) {
        qk__reply_error(request, rc, &err);
        return;
    }
    request->settled = give_back;
    request->settle_state = claims;
    qk__buffer_text(&request->reply, "{\"claims\":[\n");
    for (size_t i = 0; i < claims->count; i++) {
        qk__claim_json(&request->reply, &claims->items[i], exact);
        qk__buffer_text(&request->reply, i + 1 < claims->count ? ",\n" : "\n");
    }
    qk__buffer_text(&request->reply, "]}\n");
    qk__reply(request, MHD_HTTP_OK);
}

void qk__post_backlog(qk__request *request)
{
    qk_store *store = request->http->store;
    qk_error err = QK_ERROR_INIT;
    qk__backlog backlog = { 0 };
    asked asked;
    if (!read_claim(request, &asked))
        return;
    qk_status rc = store->ops->backlog(store, &backlog, &asked.request, &err);
    dispose(&asked);
    if (rc) {
        qk__reply_error(request, rc, &err);
        return;
    }
    qk__buffer_append(&request->reply, "{", 1);
    qk__put_number(&request->reply, "pending", (int64_t)backlog.pending);
    qk__put_number(&request->reply, "delayed", (int64_t)backlog.delayed);
    qk__put_number(&request->reply, "claimed", (int64_t)backlog.claimed);
    qk__put_number(&request->reply, "other_kinds", (int64_t)backlog.other_kinds);
    qk__buffer_text(&request->reply, "}\n");
    qk__reply(request, MHD_HTTP_OK);
}

void qk__post_interrupt(qk__request *request)
{
    qk_store *store = request->http->store;
    qk__fields fields;
    qk__fields_init(&fields, request->json);
    const char *worker = qk__field_text(&fields, "worker_id");
    bool on = qk__field_bool(&fields, "on");
    if (!fields.rc)
        fields.rc = qk__check_name("worker_id", worker, &fields.err);
    if (fields.rc) {
        qk__reply_error(request, fields.rc, &fields.err);
        return;
    }
    store->ops->interrupt(store, worker, on);
    qk__reply_done(request);
}

/* A process that says goodbye gives back what it has claimed. */
void qk__post_release(qk__request *request)
{
    qk_store *store = request->http->store;
    qk__fields fields;
    qk__fields_init(&fields, request->json);
    uint64_t peer = (uint64_t)qk__field_number(&fields, "peer", 0, 2, INT64_MAX);
    if (peer == 0)
        qk__fields_fail(&fields, "peer", "must be given");
    if (!fields.rc)
        fields.rc = store->ops->release(store, peer, &fields.err);
    if (fields.rc)
        qk__reply_error(request, fields.rc, &fields.err);
    else
        qk__reply_done(request);
}
