/*
 * What workers tell of themselves, and when they are taken for gone.
 */
#include "store/embedded/engine_internal.h"

#include "util/buffer.h"

#include <stdlib.h>
#include <string.h>

#define SILENT_US INT64_C(60000000) /* they beat every ten seconds */

static struct worker *worker_find(qk__engine *engine, uint32_t id)
{
    for (size_t i = 0; i < engine->workers.count; i++) {
        if (engine->workers.items[i].id == id) {
            return &engine->workers.items[i];
        }
    }
    return NULL;
}

static char *worker_ext(const qk__worker_info *worker)
{
    qk__buffer text;
    qk__buffer_init(&text, 1u << 20);
    qk__buffer_text(&text, "{\"host\":");
    qk__buffer_json_string(&text, worker->host, strlen(worker->host));
    qk__buffer_printf(&text, ",\"pid\":%d,\"slots\":%d,\"running\":%d,\"queues\":%s}", worker->pid,
                      worker->slots, worker->running, worker->queues);
    char *ext = qk__buffer_take(&text);
    qk__buffer_dispose(&text);
    return ext;
}

qk_status qk__engine_worker(qk__engine *engine, qk__now now, const qk__worker_info *info, bool gone)
{
    workers_tick(engine, now);
    uint32_t id = symbol_make(engine, info->id, strlen(info->id));
    char *ext = worker_ext(info);
    if (id == NIL || ext == NULL || !VEC_RESERVE(engine->workers, 1) ||
        !retire_reserve(engine, 1)) {
        free(ext);
        return QK_ENOMEM;
    }
    struct worker *worker = worker_find(engine, id);
    if (worker == NULL) {
        worker = &engine->workers.items[engine->workers.count++];
        *worker = (struct worker){ .id = id, .started_us = now.wall_us };
    }
    retire(engine, worker->ext);
    worker->ext = ext;
    worker->beat_us = now.wall_us;
    worker->heard_us = now.mono_us;
    worker->gone = gone;
    worker->due = true;
    return QK_OK;
}

static void end_worker(struct worker *worker)
{
    worker->gone = worker->due = true;
}

void qk__engine_end_workers(qk__engine *engine, qk__now now,
                            bool (*is_dead)(void *user, const char *told), void *user)
{
    for (size_t i = 0; i < engine->workers.count; i++) {
        struct worker *worker = &engine->workers.items[i];
        worker->heard_us = now.mono_us;
        if (!worker->gone && is_dead(user, worker->ext)) {
            end_worker(worker);
        }
    }
}

void workers_tick(qk__engine *engine, qk__now now)
{
    if (engine->workers.count == 0 || now.mono_us < engine->workers_due_us) {
        return;
    }
    engine->workers_due_us = now.mono_us + SILENT_US / 4;
    for (size_t i = 0; i < engine->workers.count; i++) {
        struct worker *worker = &engine->workers.items[i];
        if (!worker->gone && now.mono_us - worker->heard_us >= SILENT_US) {
            end_worker(worker);
        }
    }
}

/* Those that are gone are not carried: with the other journal their last rows go. */
void workers_carry(qk__engine *engine)
{
    size_t kept = 0;
    for (size_t i = 0; i < engine->workers.count; i++) {
        struct worker *worker = &engine->workers.items[i];
        if (worker->gone && !worker->due && retire_reserve(engine, 1)) {
            retire(engine, worker->ext);
            continue;
        }
        worker->due = true;
        engine->workers.items[kept++] = *worker;
    }
    engine->workers.count = kept;
}
