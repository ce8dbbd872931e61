/*
 * GET runs, runs/{id} and what lies below it; POST runs/{id}/{cancel,pause,resume,retry}.
 *
 * Lists are streamed, one run per line.
 */
#include <microhttpd.h>
#include <stdlib.h>
#include <string.h>

#include "http/fields.h"
#include "http/job_json.h"
#include "http/request.h"
#include "http/run_json.h"
#include "queue/validate.h"
#include "util/error.h"

#define STREAM_AT_ONCE ((size_t)32 << 10)
#define LIMIT_MAX 1000000
#define WAIT_MAX_US INT64_C(60000000)
#define WAIT_STEP_US INT64_C(1000000)

static bool read_statuses(qk__request *request, uint32_t *out)
{
    const char *text = qk__query(request, "status");
    while (text && *text) {
        char name[16] = "";
        size_t length = strcspn(text, ",");
        qk_run_status status;
        if (length < sizeof(name))
            memcpy(name, text, length);
        if (qk_run_status_parse(&status, name) != QK_OK) {
            qk__reply_invalid(request, "status: there is no such status");
            return false;
        }
        *out |= 1u << status;
        text += length + (text[length] == ',');
    }
    return true;
}

/* False after an error reply. */
static bool read_filter(qk__request *request, qk_run_filter *filter)
{
    uint64_t limit = 0, roots = 0;
    const char *suffix = qk__query(request, "id_suffix");
    qk_error err = QK_ERROR_INIT;
    *filter = (qk_run_filter)QK_RUN_FILTER_INIT;
    filter->name = qk__query(request, "name");
    if (!read_statuses(request, &filter->statuses) ||
        !qk__query_id(request, "parent_job", &filter->parent_job) ||
        !qk__query_id(request, "root", &filter->root_run) ||
        !qk__query_id(request, "before", &filter->before) ||
        !qk__query_number(request, "roots_only", 1, &roots) ||
        !qk__query_number(request, "limit", LIMIT_MAX, &limit))
        return false;
    filter->roots_only = roots == 1;
    filter->limit = (size_t)limit;
    filter->id_suffix = suffix;
    size_t length = suffix ? strlen(suffix) : 6;
    if (length < 6 || length > 32 ||
        (suffix && strspn(suffix, "0123456789abcdefABCDEF") != length)) {
        qk__reply_invalid(request, "id_suffix: must be the last 6 to 32 hex digits");
        return false;
    }
    qk_status rc = qk__check_optional_name("name", filter->name, &err);
    if (rc)
        qk__reply_error(request, rc, &err);
    return rc == QK_OK;
}

typedef struct listing {
    qk_run_list *list;
    size_t next;
    bool exact, ended;
} listing;

static void free_listing(void *state)
{
    listing *listing = state;
    qk_run_list_free(listing->list);
    free(listing);
}

static bool produce_runs(void *state, qk__buffer *out)
{
    listing *listing = state;
    const qk_run_list *list = listing->list;
    if (listing->ended)
        return false;
    if (listing->next == 0)
        qk__buffer_printf(out, "{\"more\":%s,\"runs\":[\n", list->more ? "true" : "false");
    while (listing->next < list->count && out->length < STREAM_AT_ONCE && !out->failed) {
        qk__run_json(out, &list->items[listing->next], listing->exact);
        listing->next++;
        qk__buffer_text(out, listing->next < list->count ? ",\n" : "\n");
    }
    if (listing->next == list->count) {
        qk__buffer_text(out, "]}\n");
        listing->ended = true;
    }
    return true;
}

void qk__get_runs(qk__request *request)
{
    qk_store *store = request->http->store;
    qk_error err = QK_ERROR_INIT;
    qk_run_filter filter;
    if (!read_filter(request, &filter))
        return;
    listing *state = calloc(1, sizeof(*state));
    qk_status rc = state ? store->ops->run_list(store, &state->list, &filter, &err)
                         : qk__error(&err, QK_ENOMEM, "out of memory");
    if (rc) {
        free(state);
        qk__reply_error(request, rc, &err);
        return;
    }
    state->exact = qk__wants_exact(request);
    qk__reply_stream(request, produce_runs, state, free_listing);
}

void qk__get_run(qk__request *request)
{
    qk_store *store = request->http->store;
    qk_error err = QK_ERROR_INIT;
    qk_run *run = NULL;
    qk_id id;
    if (!qk__segment_id(request, 3, &id))
        return;
    qk_status rc = store->ops->run_get(store, &run, id, &err);
    if (rc) {
        qk__reply_error(request, rc, &err);
        return;
    }
    qk__run_json(&request->reply, run, qk__wants_exact(request));
    qk__buffer_text(&request->reply, "\n");
    qk_run_free(run);
    qk__reply(request, MHD_HTTP_OK);
}

/* "running,3,0,…": a status, and a count for each status of jobs. Any other status differs from all
 * that can be. False after an error reply. */
static bool read_seen(qk__request *request, const char *text, qk_run_progress *out)
{
    char name[16] = "";
    size_t length = strcspn(text, ",");
    *out = (qk_run_progress){ .status = (qk_run_status)-1 };
    if (length < sizeof(name))
        memcpy(name, text, length);
    (void)qk_run_status_parse(&out->status, name);
    for (int s = 0; s < QK_JOB_STATUS_COUNT && text[length] == ','; s++) {
        char *end;
        text += length + 1;
        out->counts[s] = strtoull(text, &end, 10);
        length = (size_t)(end - text);
        out->total += out->counts[s];
    }
    if (text[length])
        qk__reply_invalid(request, "seen: must be a status and the counts of jobs, with commas");
    return !text[length];
}

/* Waits in steps, between which it is seen whether anybody still wants to know. */
void qk__get_run_progress(qk__request *request)
{
    qk_store *store = request->http->store;
    qk_error err = QK_ERROR_INIT;
    qk_run_progress seen, now = { 0 };
    const char *text = qk__query(request, "seen");
    int64_t left = 0;
    qk_status rc;
    qk_id id;
    if (!qk__segment_id(request, 3, &id) || !qk__query_seconds(request, "wait", &left) ||
        (text && !read_seen(request, text, &seen)))
        return;
    left = left < WAIT_MAX_US ? left : WAIT_MAX_US;
    do {
        int64_t step = left < WAIT_STEP_US ? left : WAIT_STEP_US;
        rc = store->ops->run_wait(store, &now, id, text ? &seen : NULL, step, &err);
        left -= step;
    } while (rc == QK_ETIMEDOUT && left > 0 && !qk__peer_gone(request));
    if (rc) {
        qk__reply_error(request, rc, &err);
        return;
    }
    qk__run_progress_json(&request->reply, &now);
    qk__reply(request, MHD_HTTP_OK);
}

void qk__get_run_tree(qk__request *request)
{
    qk_store *store = request->http->store;
    qk_error err = QK_ERROR_INIT;
    qk_run_tree *tree = NULL;
    qk_id id;
    if (!qk__segment_id(request, 3, &id))
        return;
    qk_status rc = store->ops->run_tree(store, &tree, id, &err);
    if (rc) {
        qk__reply_error(request, rc, &err);
        return;
    }
    qk__run_tree_json(&request->reply, tree);
    qk_run_tree_free(tree);
    qk__reply(request, MHD_HTTP_OK);
}

void qk__get_run_node(qk__request *request)
{
    qk_store *store = request->http->store;
    qk_error err = QK_ERROR_INIT;
    qk_job *job = NULL;
    qk_id run, id;
    if (!qk__segment_id(request, 3, &run))
        return;
    qk_status rc = qk__check_name("node", request->segments[5], &err);
    if (!rc)
        rc = store->ops->run_node(store, &id, run, request->segments[5], &err);
    if (!rc)
        rc = store->ops->get(store, &job, id, &err);
    if (rc) {
        qk__reply_error(request, rc, &err);
        return;
    }
    qk__job_json(&request->reply, job, qk__wants_exact(request));
    qk__buffer_text(&request->reply, "\n");
    qk_job_free(job);
    qk__reply(request, MHD_HTTP_OK);
}

static void reply_change(qk__request *request, qk_status rc, const qk_error *err)
{
    if (rc)
        qk__reply_error(request, rc, err);
    else
        qk__reply_done(request);
}

void qk__cancel_run(qk__request *request)
{
    qk_store *store = request->http->store;
    qk_error err = QK_ERROR_INIT;
    qk_id id;
    if (qk__segment_id(request, 3, &id))
        reply_change(request, store->ops->run_cancel(store, id, &err), &err);
}

static void pause_run(qk__request *request, bool paused)
{
    qk_store *store = request->http->store;
    qk_error err = QK_ERROR_INIT;
    qk_id id;
    if (qk__segment_id(request, 3, &id))
        reply_change(request, store->ops->run_pause(store, id, paused, &err), &err);
}

void qk__pause_run(qk__request *request)
{
    pause_run(request, true);
}

void qk__resume_run(qk__request *request)
{
    pause_run(request, false);
}

/* The body may be left out: then all that is unfinished is opened. */
void qk__retry_run(qk__request *request)
{
    static const char *const keys[] = { "from", "from_job_id", NULL };
    qk_store *store = request->http->store;
    qk__fields fields;
    qk_id run, from;
    json_t *empty = request->json ? NULL : json_object();
    if (qk__segment_id(request, 3, &run)) {
        qk__fields_init(&fields, request->json ? request->json : empty);
        qk__fields_only(&fields, keys);
        const char *node = qk__field_text(&fields, "from");
        from = qk__field_id(&fields, "from_job_id");
        if (!fields.rc && node)
            fields.rc = qk__check_name("from", node, &fields.err);
        if (!fields.rc && node)
            fields.rc = store->ops->run_node(store, &from, run, node, &fields.err);
        if (!fields.rc)
            fields.rc =
                store->ops->run_retry(store, run, qk_id_is_none(from) ? NULL : &from, &fields.err);
        reply_change(request, fields.rc, &fields.err);
    }
    json_decref(empty);
}
