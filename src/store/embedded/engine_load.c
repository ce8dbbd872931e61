/*
 * Replay: rebuilding the engine from journal rows, and what an owner does with what it found.
 *
 * Rows come in batch order and the last image of an id wins. Parents are connected only at the end,
 * when it is known which of them still live.
 */
#include "store/embedded/engine_internal.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

static char *dup_span(qk__text text)
{
    return text.data == NULL ? NULL : qk__dup_text(text.data, text.length);
}

static int64_t ext_number(const json_t *ext, const char *key, int64_t fallback)
{
    const json_t *value = json_object_get(ext, key);
    return json_is_integer(value) ? (int64_t)json_integer_value(value) : fallback;
}

static char *ext_text(const json_t *ext, const char *key)
{
    const char *value = json_string_value(json_object_get(ext, key));
    return value == NULL ? NULL : strdup(value);
}

static uint32_t load_policy(qk__engine *engine, const qk__row *row, const json_t *ext)
{
    char *kind = dup_span(row->kind);
    if (kind == NULL) {
        return NIL;
    }
    bool built_in = strcmp(kind, "command") == 0 || strcmp(kind, "sql") == 0;
    bool endless = built_in || strcmp(kind, "dag") == 0;
    int64_t timeout = ext_number(ext, "to", endless ? -1 : 300000000);
    const json_t *factor = json_object_get(ext, "bf");
    struct policy policy = {
        .kind = symbol_make(engine, kind, strlen(kind)),
        .route = NIL,
        .queue = queue_make(engine, row->queue.data, row->queue.length),
        .max_attempts = (int32_t)ext_number(ext, "ma", built_in ? 1 : 3),
        .max_lost = (int32_t)ext_number(ext, "ml", 3),
        .timeout_us = timeout < 0 ? INT64_MAX : timeout,
        .backoff_base_us = ext_number(ext, "bb", 1000000),
        .backoff_cap_us = ext_number(ext, "bc", 3600000000),
        .backoff_factor = json_is_number(factor) ? json_number_value(factor) : 2.0,
        .mode = (uint8_t)ext_number(ext, "dm", QK_MODE_ALL),
        .continue_on_failure = json_is_true(json_object_get(ext, "cf")),
    };
    free(kind);
    policy.route = route_make(engine, policy.kind, json_string_value(json_object_get(ext, "fc")));
    return policy.kind == NIL || policy.route == NIL || policy.queue == NIL
               ? NIL
               : policy_make(engine, &policy);
}

static bool needs_extra(const qk__row *row, const json_t *ext)
{
    return row->status != QK_JOB_PENDING || row->node.data != NULL || row->error.data != NULL ||
           row->has_exit_code || row->log_tail.data != NULL || row->execute_after_us != 0 ||
           json_object_size(ext) > 0;
}

static qk_status load_extra(qk__engine *engine, struct job *job, const qk__row *row,
                            const json_t *ext)
{
    struct extra *extra = job_extra(engine, job);
    if (extra == NULL) {
        return QK_ENOMEM;
    }
    extra->execute_after_us = row->execute_after_us;
    extra->claimed_us = row->claimed_us;
    extra->finished_us = row->finished_us;
    extra->has_exit_code = row->has_exit_code;
    extra->exit_code = row->exit_code;
    extra->error = dup_span(row->error);
    extra->result = dup_span(row->result);
    extra->log_tail = dup_span(row->log_tail);
    extra->name = ext_text(ext, "nm");
    extra->node = dup_span(row->node);
    extra->when = ext_text(ext, "wh");
    extra->cause_outside = ext_number(ext, "ox", 0) != 0;
    const char *child = json_string_value(json_object_get(ext, "cr"));
    if (child != NULL) {
        (void)qk_id_parse(&extra->child_run, child);
    }
    job->flags |= ext_number(ext, "wt", 0) != 0 ? JF_WAITING : 0;
    extra->unique_key = ext_text(ext, "uk");
    extra->cause_order = ext_number(ext, "ct", row->finished_us);
    const char *reason = json_string_value(json_object_get(ext, "sr"));
    if (reason != NULL && strncmp(reason, "parent_failed:", 14) == 0) {
        (void)qk_id_parse(&extra->cause, reason + 14);
    }
    if (row->claimed_by.data != NULL) {
        extra->worker = symbol_make(engine, row->claimed_by.data, row->claimed_by.length);
    }
    const json_t *tags = json_object_get(ext, "tg");
    extra->tags = tags == NULL ? NULL : json_dumps(tags, JSON_COMPACT);
    const json_t *progress = json_object_get(ext, "pg");
    extra->progress = json_is_number(progress) ? json_number_value(progress) : -1;
    extra->progress_message = ext_text(ext, "pm");
    extra->holder.peer = (uint64_t)ext_number(ext, "hp", 0);
    extra->holder.token = (uint64_t)ext_number(ext, "ht", 0);
    extra->first_lease_us = ext_number(ext, "hl", 0);
    return QK_OK;
}

static void load_payload(qk__engine *engine, struct job *job, qk__text payload)
{
    if (payload.data == NULL) {
        job->flags |= JF_LARGE;
        return;
    }
    job->payload = malloc(payload.length + 1u);
    if (job->payload != NULL) {
        memcpy(job->payload, payload.data, payload.length);
        job->payload_length = payload.length;
        if (payload.length > QK__PAYLOAD_INLINE_MAX) {
            job->flags |= JF_LARGE | JF_PAYLOAD_DUE;
            engine->payload_resident += payload.length;
        }
    }
}

qk_status load_job(qk__engine *engine, const qk__row *row, uint32_t *out)
{
    json_t *ext = NULL;
    if (row->ext.data != NULL) {
        ext = json_loadb(row->ext.data, row->ext.length, 0, NULL);
        if (ext == NULL) {
            return QK_EDAMAGED;
        }
    }
    uint32_t index = job_new(engine, row->id);
    qk_status rc = index == NIL ? QK_ENOMEM : QK_OK;
    if (rc == QK_OK) {
        struct job *job = job_at(engine, index);
        job->seq = row->seq;
        job->created_us = row->created_us;
        job->status = row->status;
        job->priority = row->priority > QK_PRIORITY_MAX ? QK_PRIORITY_MAX : row->priority;
        job->attempt = row->attempt;
        job->attempts = row->attempts;
        job->lost = (uint16_t)ext_number(ext, "lo", 0);
        job->flags = ext_number(ext, "st", 0) != 0 ? JF_STRICT : 0;
        job->policy = load_policy(engine, row, ext);
        load_payload(engine, job, row->payload);
        if (job->policy == NIL || (row->payload.data != NULL && job->payload == NULL)) {
            rc = QK_ENOMEM;
        } else if (needs_extra(row, ext)) {
            rc = load_extra(engine, job, row, ext);
        }
        if (rc == QK_OK && !qk_id_is_none(row->related)) {
            struct run *run = run_make(engine, row->related);
            rc = run != NULL && run_attach(engine, run, index, true) ? QK_OK : QK_ENOMEM;
        }
        if (rc != QK_OK) {
            job_release(engine, index);
        } else {
            queue_of(engine, job)->counts[job->status]++;
        }
    }
    json_decref(ext);
    *out = index;
    return rc;
}

static void unload(qk__engine *engine, uint32_t index)
{
    struct job *job = job_at(engine, index);
    queue_of(engine, job)->counts[job->status]--;
    run_count(engine, job, -1);
    job_release(engine, index);
}

static qk_status load_image(qk__engine *engine, const qk__row *row)
{
    struct links *links = NULL;
    uint32_t index = job_find(engine, row->id);
    engine->seq = row->seq > engine->seq ? row->seq : engine->seq;
    if (index != NIL) {
        struct extra *extra = job_at(engine, index)->extra;
        if (extra != NULL) {
            links = extra->links;
            extra->links = NULL;
        }
        unload(engine, index);
    }
    if (row->status >= QK_JOB_STATUS_COUNT || row->kind.data == NULL || row->queue.data == NULL) {
        links_free(engine, links);
        return QK_EDAMAGED;
    }
    if (qk_job_status_is_terminal(row->status)) {
        links_free(engine, links);
        return QK_OK;
    }
    qk_status rc = load_job(engine, row, &index);
    if (rc == QK_OK && links != NULL) {
        struct extra *extra = job_extra(engine, job_at(engine, index));
        if (extra != NULL) {
            extra->links = links;
            return QK_OK;
        }
        rc = QK_ENOMEM;
    }
    links_free(engine, links);
    return rc;
}

/* Edges come in any order; parents are sorted when they are connected. */
static qk_status load_edge(qk__engine *engine, const qk__row *row)
{
    uint32_t index = job_find(engine, row->id);
    struct extra *extra = index == NIL ? NULL : job_extra(engine, job_at(engine, index));
    if (index == NIL) {
        return QK_OK; /* its child has ended */
    }
    if (extra == NULL ||
        (extra->links == NULL && (extra->links = links_make(engine, NULL, 0)) == NULL)) {
        return QK_ENOMEM;
    }
    struct links *links = extra->links;
    struct link *parents =
        realloc(links->parents, (links->parent_count + 1u) * sizeof *links->parents);
    if (parents == NULL) {
        return QK_ENOMEM;
    }
    memset(&parents[links->parent_count], 0, sizeof *parents);
    parents[links->parent_count++].parent = row->related;
    links->parents = parents;
    return QK_OK;
}

static qk_status load_worker(qk__engine *engine, const qk__row *row)
{
    uint32_t id = symbol_make(engine, row->claimed_by.data, row->claimed_by.length);
    if (id == NIL || !VEC_RESERVE(engine->workers, 1)) {
        return QK_ENOMEM;
    }
    for (size_t i = 0; i < engine->workers.count; i++) {
        if (engine->workers.items[i].id == id) {
            free(engine->workers.items[i].ext);
            engine->workers.items[i] = engine->workers.items[--engine->workers.count];
            break;
        }
    }
    char *ext = row->ext.data == NULL ? strdup("{}") : dup_span(row->ext);
    if (ext == NULL) {
        return QK_ENOMEM;
    }
    engine->workers.items[engine->workers.count++] = (struct worker){ .id = id,
                                                                      .ext = ext,
                                                                      .started_us = row->created_us,
                                                                      .beat_us = row->claimed_us,
                                                                      .gone = row->status != 0 };
    return QK_OK;
}

static qk_status load_queue(qk__engine *engine, const qk__row *row)
{
    uint32_t index = queue_make(engine, row->queue.data, row->queue.length);
    if (index == NIL) {
        return QK_ENOMEM;
    }
    json_t *ext =
        row->ext.data == NULL ? NULL : json_loadb(row->ext.data, row->ext.length, 0, NULL);
    int64_t limit = ext_number(ext, "co", 0);
    json_decref(ext);
    engine->queues.items[index]->paused = row->status != 0;
    return queue_limit(engine->queues.items[index], engine,
                       limit > 0 && limit <= UINT32_MAX ? (uint32_t)limit : 0)
               ? QK_OK
               : QK_ENOMEM;
}

qk_status qk__engine_load(qk__engine *engine, const qk__row *row, uint64_t batch)
{
    struct run *run = NULL;
    if (batch >= engine->batch) {
        engine->batch = batch + 1;
    }
    switch (row->op) {
    case QK__OP_IMAGE:
    case QK__OP_REOPEN:
        return load_image(engine, row);
    case QK__OP_RUN:
        return run_load(engine, row, &run);
    case QK__OP_EDGE:
        return load_edge(engine, row);
    case QK__OP_WORKER:
        return row->claimed_by.data == NULL ? QK_EDAMAGED : load_worker(engine, row);
    case QK__OP_QUEUE:
        return row->queue.data == NULL ? QK_EDAMAGED : load_queue(engine, row);
    default:
        return row->op <= QK__OP_RUN ? QK_OK : QK_EDAMAGED;
    }
}
