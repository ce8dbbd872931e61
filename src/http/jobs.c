/*
 * GET and DELETE jobs, GET jobs/{id}.
 *
 * Lists are streamed, one job per line.
 */
#include <microhttpd.h>
#include <stdlib.h>
#include <string.h>

#include "http/job_json.h"
#include "http/request.h"
#include "queue/filter.h"
#include "util/error.h"

#define STREAM_AT_ONCE ((size_t)32 << 10)
#define WAIT_STEP_US INT64_C(1000000)

static bool read_statuses(qk__request *request, uint32_t *out)
{
    const char *text = qk__query(request, "status");
    while (text && *text) {
        char name[16] = "";
        size_t length = strcspn(text, ",");
        qk_job_status status;
        if (length < sizeof(name))
            memcpy(name, text, length);
        if (qk_job_status_parse(&status, name) != QK_OK) {
            qk__reply_invalid(request, "status: there is no such status");
            return false;
        }
        *out |= 1u << status;
        text += length + (text[length] == ',');
    }
    return true;
}

/* Reads the filter of a query and prepares it; false after an error reply. */
static bool read_filter(qk__request *request, qk_job_filter *out, qk__filter_text *text)
{
    qk_error err = QK_ERROR_INIT;
    qk_job_filter filter = QK_JOB_FILTER_INIT;
    uint64_t limit = 0;
    filter.queue = qk__query(request, "queue");
    filter.kind = qk__query(request, "kind");
    filter.tag = qk__query(request, "tag");
    filter.id_suffix = qk__query(request, "id_suffix");
    if (!read_statuses(request, &filter.statuses) ||
        !qk__query_id(request, "run", &filter.run_id) ||
        !qk__query_id(request, "before", &filter.before) ||
        !qk__query_seconds(request, "older_than", &filter.older_than.us) ||
        !qk__query_number(request, "limit", SIZE_MAX / 2, &limit))
        return false;
    filter.limit = (size_t)limit;
    qk_status rc = qk__filter_prepare(out, text, &filter, &err);
    if (rc)
        qk__reply_error(request, rc, &err);
    return rc == QK_OK;
}

typedef struct listing {
    qk_job_list *list;
    size_t next;
    bool exact, ended;
} listing;

static void free_listing(void *state)
{
    listing *listing = state;
    qk_job_list_free(listing->list);
    free(listing);
}

static bool produce_jobs(void *state, qk__buffer *out)
{
    listing *listing = state;
    const qk_job_list *list = listing->list;
    if (listing->ended)
        return false;
    if (listing->next == 0)
        qk__buffer_printf(out, "{\"more\":%s,\"jobs\":[\n", list->more ? "true" : "false");
    while (listing->next < list->count && out->length < STREAM_AT_ONCE && !out->failed) {
        qk__job_json(out, &list->items[listing->next], listing->exact);
        listing->next++;
        qk__buffer_text(out, listing->next < list->count ? ",\n" : "\n");
    }
    if (listing->next == list->count) {
        qk__buffer_text(out, "]}\n");
        listing->ended = true;
    }
    return true;
}

static void list_jobs(qk__request *request, const qk_job_filter *filter)
{
    qk_store *store = request->http->store;
    qk_error err = QK_ERROR_INIT;
    listing *state = calloc(1, sizeof(*state));
    qk_status rc = state ? store->ops->list(store, &state->list, filter, &err)
                         : qk__error(&err, QK_ENOMEM, "out of memory");
    if (rc) {
        free(state);
        qk__reply_error(request, rc, &err);
        return;
    }
    state->exact = qk__wants_exact(request);
    qk__reply_stream(request, produce_jobs, state, free_listing);
}

void qk__get_jobs(qk__request *request)
{
    qk__filter_text text;
    qk_job_filter filter;
    if (read_filter(request, &filter, &text))
        list_jobs(request, &filter);
}

void qk__get_run_jobs(qk__request *request)
{
    qk__filter_text text;
    qk_job_filter filter;
    if (read_filter(request, &filter, &text) && qk__segment_id(request, 3, &filter.run_id))
        list_jobs(request, &filter);
}

void qk__delete_jobs(qk__request *request)
{
    qk_store *store = request->http->store;
    qk_error err = QK_ERROR_INIT;
    qk__filter_text text;
    qk_job_filter filter;
    size_t count = 0;
    if (!read_filter(request, &filter, &text))
        return;
    if (filter.statuses & ~QK__TERMINAL_STATUSES) {
        qk__reply_invalid(request, "status: only ended jobs can be deleted");
        return;
    }
    if (filter.statuses == 0)
        filter.statuses = QK__TERMINAL_STATUSES;
    qk_status rc = store->ops->purge(store, &count, &filter, &err);
    if (rc) {
        qk__reply_error(request, rc, &err);
        return;
    }
    qk__buffer_printf(&request->reply, "{\"purged\":%zu}\n", count);
    qk__reply(request, MHD_HTTP_OK);
}

/* Waits in steps, between which it is seen whether anybody still wants to know. */
static qk_status wait_for_job(qk__request *request, qk_id id, int64_t wait_us, qk_error *err)
{
    qk_store *store = request->http->store;
    qk_status rc;
    do {
        int64_t step = wait_us < WAIT_STEP_US ? wait_us : WAIT_STEP_US;
        rc = store->ops->wait(store, id, step, err);
        wait_us -= step;
    } while (rc == QK_ETIMEDOUT && wait_us > 0 && !qk__peer_gone(request));
    return rc;
}

void qk__get_job(qk__request *request)
{
    qk_store *store = request->http->store;
    qk_error err = QK_ERROR_INIT;
    int64_t wait_us = -1;
    qk_job *job = NULL;
    qk_id id;
    if (!qk__segment_id(request, 3, &id) || !qk__query_seconds(request, "wait", &wait_us))
        return;
    qk_status rc = wait_us >= 0 ? wait_for_job(request, id, wait_us, &err) : QK_OK;
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
