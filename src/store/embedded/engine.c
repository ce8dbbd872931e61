/*
 * Making and freeing an engine, and what can be asked of it without changing anything.
 */
#include "store/embedded/engine_internal.h"

#include <stdlib.h>
#include <string.h>

qk__engine *qk__engine_new(const qk__engine_config *config)
{
    qk__engine *engine = calloc(1, sizeof *engine);
    if (engine == NULL) {
        return NULL;
    }
    engine->config = *config;
    engine->free_head = engine->policy_free = engine->warned_queue = engine->hearer_free = NIL;
    engine->random = config->seed;
    engine->batch = 1;
    return engine;
}

static void free_loose(qk__engine *engine)
{
    for (size_t i = 0; i < engine->loose.count; i++) {
        free(engine->loose.items[i].memory);
    }
    for (size_t i = 0; i < engine->retired.count; i++) {
        free(engine->retired.items[i]);
    }
    for (size_t i = 0; i < engine->workers.count; i++) {
        free(engine->workers.items[i].ext);
    }
    free(engine->loose.items);
    free(engine->retired.items);
    free(engine->workers.items);
}

void qk__engine_free(qk__engine *engine)
{
    if (engine == NULL) {
        return;
    }
    free(engine->map);
    free(engine->hearer_map);
    engine->map = engine->hearer_map = NULL;
    for (uint32_t i = 0; i < engine->chunk_count * CHUNK_JOBS; i++) {
        if (job_at(engine, i)->used) {
            job_release(engine, i);
        }
    }
    for (struct extra *extra = engine->extra_free; extra != NULL;) {
        struct extra *following = extra->free_next;
        free(extra);
        extra = following;
    }
    free_loose(engine);
    runs_free(engine);
    names_free(engine);
    for (uint32_t i = 0; i < engine->chunk_count; i++) {
        free(engine->chunks[i]);
    }
    free(engine->chunks);
    free(engine->leases.items);
    free(engine->delayed.items);
    free(engine->doomed.items);
    free(engine->dirty.items);
    free(engine->fresh.items);
    free(engine->ended.items);
    free(engine->reopened.items);
    free(engine->hearers.items);
    free(engine);
}

static void fix_ext(qk__row *row, const qk__buffer *ext)
{
    if (row->ext.data != NULL) {
        row->ext.data = ext->data + ((uintptr_t)row->ext.data - 1);
    }
}

bool qk__engine_get(const qk__engine *engine, qk_id id, qk__row *row, qk__buffer *ext)
{
    uint32_t index = job_find(engine, id);
    if (index == NIL) {
        return false;
    }
    const struct job *job = job_at(engine, index);
    if (image_row(engine, job, row, ext) != QK_OK) {
        row->ext = (qk__text){ NULL, 0 };
    }
    fix_ext(row, ext);
    if (row->payload.data == NULL && job->payload != NULL) {
        row->payload = (qk__text){ job->payload, job->payload_length };
    }
    return true;
}

void queue_row(const qk__engine *engine, const struct queue *queue, qk__row *row)
{
    const char *name = engine->symbols.text[queue->name];
    *row = (qk__row){ .op = QK__OP_QUEUE,
                      .status = queue->paused,
                      .queue = { name, (uint32_t)strlen(name) } };
    if (queue->settings != NULL) {
        row->ext = (qk__text){ queue->settings, (uint32_t)strlen(queue->settings) };
    }
}

void worker_row(const qk__engine *engine, const struct worker *worker, qk__row *row)
{
    const char *id = engine->symbols.text[worker->id];
    *row = (qk__row){ .op = QK__OP_WORKER,
                      .status = worker->gone,
                      .created_us = worker->started_us,
                      .claimed_us = worker->beat_us,
                      .claimed_by = { id, (uint32_t)strlen(id) },
                      .ext = { worker->ext, (uint32_t)strlen(worker->ext) } };
}

qk_status qk__engine_visit(const qk__engine *engine, qk__engine_visit_fn visit, void *user)
{
    qk__buffer ext;
    qk__row row;
    qk_status rc = QK_OK;
    qk__buffer_init(&ext, 1u << 24);
    for (uint32_t i = 0; rc == QK_OK && i < engine->chunk_count * CHUNK_JOBS; i++) {
        const struct job *job = job_at(engine, i);
        if (!job->used || (job->flags & JF_UNSETTLED_REOPEN) != 0) {
            continue;
        }
        qk__buffer_clear(&ext);
        rc = image_row(engine, job, &row, &ext);
        fix_ext(&row, &ext);
        if (rc == QK_OK) {
            visit(user, &row);
        }
    }
    for (size_t i = 0; rc == QK_OK && i < engine->runs.count; i++) {
        qk__buffer_clear(&ext);
        if (engine->runs.items[i] == NULL) {
            continue;
        }
        rc = run_row(engine->runs.items[i], &row, &ext) ? QK_OK : QK_ENOMEM;
        fix_ext(&row, &ext);
        if (rc == QK_OK) {
            visit(user, &row);
        }
    }
    for (size_t i = 0; rc == QK_OK && i < engine->workers.count; i++) {
        worker_row(engine, &engine->workers.items[i], &row);
        visit(user, &row);
    }
    for (size_t i = 0; rc == QK_OK && i < engine->queues.count; i++) {
        queue_row(engine, engine->queues.items[i], &row);
        visit(user, &row);
    }
    qk__buffer_dispose(&ext);
    return rc;
}

size_t qk__engine_queue_count(const qk__engine *engine)
{
    return engine->queues.count;
}

void qk__engine_queue_at(const qk__engine *engine, size_t index, qk__engine_queue *out)
{
    const struct queue *queue = engine->queues.items[index];
    out->name = engine->symbols.text[queue->name];
    out->paused = queue->paused;
    memcpy(out->counts, queue->counts, sizeof out->counts);
}

static bool kind_asked(const qk__engine *engine, uint32_t kind, const qk__claim_request *request)
{
    for (size_t i = 0; request->kinds != NULL && i < request->kind_count; i++) {
        if (strcmp(engine->symbols.text[kind], request->kinds[i]) == 0) {
            return true;
        }
    }
    return request->kinds == NULL;
}

static void backlog_add(const qk__engine *engine, const struct job *job,
                        const qk__claim_request *request, qk__backlog *out)
{
    if (!kind_asked(engine, policy_of(engine, job)->route, request)) {
        out->other_kinds += job->status == QK_JOB_PENDING;
        return;
    }
    out->pending += job->status == QK_JOB_PENDING;
    out->delayed += job->status == QK_JOB_DELAYED;
    out->claimed += job->status == QK_JOB_CLAIMED;
}

void qk__engine_backlog(const qk__engine *engine, const qk__claim_request *request,
                        qk__backlog *out)
{
    memset(out, 0, sizeof *out);
    for (size_t i = 0; !qk_id_is_none(request->root_run) && i < engine->runs.count; i++) {
        const struct run *run = engine->runs.items[i];
        for (size_t k = 0;
             run != NULL && memcmp(run->root.bytes, request->root_run.bytes, 16) == 0 &&
             k < run->node_count;
             k++) {
            const struct job *job = job_at(engine, run->nodes[k]);
            if (job->used && job->run == run->index) {
                backlog_add(engine, job, request, out);
            }
        }
    }
    /* A claim within a run takes from any queue, and nothing else from those that are named. */
    for (size_t i = 0; qk_id_is_none(request->root_run) && i < request->queue_count; i++) {
        const struct queue *queue = queue_find(engine, request->queues[i]);
        if (queue == NULL || queue->counts[QK_JOB_PENDING] + queue->counts[QK_JOB_DELAYED] +
                                     queue->counts[QK_JOB_CLAIMED] ==
                                 0) {
            continue;
        }
        for (uint32_t j = 0; j < engine->chunk_count * CHUNK_JOBS; j++) {
            const struct job *job = job_at(engine, j);
            if (job->used && queue_of(engine, job) == queue) {
                backlog_add(engine, job, request, out);
            }
        }
    }
}

qk_status qk__engine_pinned(const qk__engine *engine, qk_id **out, size_t *count)
{
    VEC(qk_id) ids = { 0 };
    for (uint32_t i = 0; i < engine->chunk_count * CHUNK_JOBS; i++) {
        const struct job *job = job_at(engine, i);
        const struct links *links = job->used && job->extra != NULL ? job->extra->links : NULL;
        if (links == NULL || qk_job_status_is_terminal(job->status)) {
            continue;
        }
        if (!VEC_RESERVE(ids, links->parent_count)) {
            free(ids.items);
            return QK_ENOMEM;
        }
        for (uint32_t j = 0; j < links->parent_count; j++) {
            uint32_t parent = job_find(engine, links->parents[j].parent);
            if (parent == NIL || qk_job_status_is_terminal(job_at(engine, parent)->status)) {
                ids.items[ids.count++] = links->parents[j].parent;
            }
        }
    }
    *out = ids.items;
    *count = ids.count;
    return QK_OK;
}

static int compare_ids(const void *a, const void *b)
{
    return memcmp(a, b, sizeof(qk_id));
}

qk_status qk__engine_live_roots(const qk__engine *engine, qk_id **out, size_t *count)
{
    qk_id *roots = malloc((engine->run_count + 1) * sizeof *roots);
    size_t found = 0;
    size_t kept = 0;
    for (size_t i = 0; roots != NULL && i < engine->runs.count; i++) {
        if (engine->runs.items[i] != NULL) {
            roots[found++] = engine->runs.items[i]->root;
        }
    }
    if (found > 0) {
        qsort(roots, found, sizeof *roots, compare_ids);
    }
    for (size_t i = 0; i < found; i++) {
        if (i == 0 || compare_ids(&roots[i], &roots[i - 1]) != 0) {
            roots[kept++] = roots[i];
        }
    }
    *out = roots;
    *count = kept;
    return roots == NULL ? QK_ENOMEM : QK_OK;
}

size_t qk__engine_live(const qk__engine *engine)
{
    return engine->used;
}

size_t qk__engine_weight(const qk__engine *engine)
{
    return engine->used + engine->edges + 2 * (size_t)engine->run_count;
}

bool qk__engine_take_warning(qk__engine *engine, const char **queue, uint64_t *waiting)
{
    if (engine->warned_queue == NIL) {
        return false;
    }
    const struct queue *full = engine->queues.items[engine->warned_queue];
    *queue = engine->symbols.text[full->name];
    *waiting = full->counts[QK_JOB_PENDING] + full->counts[QK_JOB_DELAYED];
    engine->warned_queue = NIL;
    return true;
}

uint64_t qk__engine_changes(const qk__engine *engine)
{
    return engine->changes;
}
