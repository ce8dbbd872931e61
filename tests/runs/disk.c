/*
 * The disk of the comparison: every row ever committed, in order; the last image of an id counts.
 */
#include "world.h"

#include <stdlib.h>
#include <string.h>

#define TEXTS 9

static qk__text *text_at(qk__row *row, int which)
{
    qk__text *texts[TEXTS] = { &row->node,    &row->kind,       &row->queue,
                               &row->payload, &row->claimed_by, &row->result,
                               &row->error,   &row->log_tail,   &row->ext };
    return texts[which];
}

static void store(struct world *world, const qk__row *row, uint64_t batch)
{
    if (world->row_count == world->row_capacity) {
        world->row_capacity = world->row_capacity * 2 + 64;
        world->rows = realloc(world->rows, world->row_capacity * sizeof *world->rows);
        if (world->rows == NULL)
            abort();
    }
    struct stored *own = &world->rows[world->row_count++];
    *own = (struct stored){ .row = *row, .batch = batch };
    size_t size = 1;
    for (int i = 0; i < TEXTS; i++)
        size += text_at(&own->row, i)->length;
    char *at = own->text = malloc(size);
    if (at == NULL)
        abort();
    for (int i = 0; i < TEXTS; i++) {
        qk__text *text = text_at(&own->row, i);
        if (text->data != NULL) {
            memcpy(at, text->data, text->length);
            text->data = at;
            at += text->length;
        }
    }
}

void disk_free(struct world *world)
{
    for (size_t i = 0; i < world->row_count; i++)
        free(world->rows[i].text);
    free(world->rows);
}

void disk_commit(struct world *world)
{
    while (qk__engine_dirty(world->engine)) {
        qk__cut *cut = qk__engine_cut(world->engine);
        if (cut == NULL)
            abort();
        for (size_t i = 0; i < cut->count; i++)
            store(world, &cut->rows[i], cut->batch);
        qk__engine_finish(world->engine, cut);
        world->commits++;
    }
    world->durable = world->model;
}

static const qk__row *last_row(const struct world *world, qk_id id, bool run)
{
    for (size_t i = world->row_count; i-- > 0;) {
        const qk__row *row = &world->rows[i].row;
        bool wanted = run ? row->op == QK__OP_RUN : row->op <= QK__OP_REOPEN;
        if (wanted && qk_id_compare(row->id, id) == 0)
            return row;
    }
    return NULL;
}

const qk__row *disk_job(const struct world *world, qk_id id)
{
    return last_row(world, id, false);
}

const qk__row *disk_run(const struct world *world, qk_id id)
{
    return last_row(world, id, true);
}

bool disk_has(const qk__row *row, const char *text)
{
    return row->ext.data != NULL && memmem(row->ext.data, row->ext.length, text, strlen(text));
}

qk__run_facts disk_facts(const struct world *world, qk_id run)
{
    const qk__row *image = disk_run(world, run);
    qk__run_facts facts = { .id = run, .found = image != NULL };
    facts.status = image == NULL ? 0 : image->status;
    for (int i = 0; i < world->model.job_count; i++) {
        const qk__row *row = disk_job(world, world->jobs[i]);
        if (row == NULL || qk_id_compare(row->related, run) != 0 ||
            !qk_job_status_is_terminal(row->status))
            continue;
        facts.counts[row->status]++;
        facts.bad += row->status == QK_JOB_SKIPPED
                         ? disk_has(row, "\"ox\":1")
                         : row->status != QK_JOB_DONE && !disk_has(row, "\"cf\":true");
    }
    return facts;
}

static int by_id(const void *a, const void *b)
{
    return memcmp(a, b, sizeof(qk_id));
}

/* What follows the text in ext; NULL: it is not there. */
static const char *after(const qk__row *row, const char *text)
{
    const char *at =
        row->ext.data == NULL ? NULL : memmem(row->ext.data, row->ext.length, text, strlen(text));
    return at == NULL ? NULL : at + strlen(text);
}

static int64_t number_at(const char *at, const char *end)
{
    int64_t number = 0;
    for (; at < end && *at >= '0' && *at <= '9'; at++)
        number = number * 10 + (*at - '0');
    return number;
}

qk__cold_set disk_cold(const struct world *world, const qk_id *ids, size_t count)
{
    qk__cold_job *jobs = calloc(count + 1, sizeof *jobs);
    size_t found = 0;
    for (size_t i = 0; jobs != NULL && i < count; i++) {
        const qk__row *row = disk_job(world, ids[i]);
        qk__cold_job *job = &jobs[found++];
        job->id = ids[i];
        if (row == NULL || !qk_job_status_is_terminal(row->status))
            continue;
        *job = (qk__cold_job){ .id = ids[i],
                               .found = true,
                               .status = row->status,
                               .run = row->related,
                               .cause_order = row->finished_us,
                               .continue_on_failure = disk_has(row, "\"cf\":true"),
                               .cause_outside = disk_has(row, "\"ox\":1") };
        const char *reason = after(row, "parent_failed:");
        const char *order = after(row, "\"ct\":");
        if (reason != NULL) {
            char text[QK_ID_TEXT_SIZE] = "";
            memcpy(text, reason, QK_ID_TEXT_SIZE - 1);
            (void)qk_id_parse(&job->cause, text);
        }
        if (order != NULL)
            job->cause_order = number_at(order, row->ext.data + row->ext.length);
    }
    qsort(jobs, found, sizeof *jobs, by_id);
    return (qk__cold_set){ jobs, found };
}

static qk__engine *replay(struct world *world)
{
    qk__engine_config config = { .backpressure_warn = 1000000,
                                 .backpressure_limit = 1000000,
                                 .payload_cache = 1 << 20,
                                 .seed = random_next(world) };
    qk__engine *engine = qk__engine_new(&config);
    for (size_t i = 0; i < world->row_count; i++) {
        const struct stored *row = &world->rows[i];
        if (row->row.op != QK__OP_ATTEMPT && row->row.op != QK__OP_PAYLOAD &&
            qk__engine_load(engine, &row->row, row->batch) != QK_OK)
            disagree(world, "a row does not load");
    }
    return engine;
}

static void recover(struct world *world)
{
    qk_id *ids = NULL;
    size_t count = 0;
    if (qk__engine_loaded_runs(world->engine, &ids, &count) != QK_OK)
        abort();
    for (size_t i = 0; i < count; i++) {
        qk__run_facts facts = disk_facts(world, ids[i]);
        qk__engine_run_facts(world->engine, &facts, 1);
    }
    free(ids);
    if (qk__engine_loaded_parents(world->engine, &ids, &count) != QK_OK)
        abort();
    qk__cold_set cold = disk_cold(world, ids, count);
    if (qk__engine_recover(world->engine, world->now, false, &cold) != QK_OK)
        disagree(world, "recovery fails");
    free((void *)(uintptr_t)cold.jobs);
    free(ids);
}

void disk_crash(struct world *world)
{
    trace(world, "crash");
    qk__engine_free(world->engine);
    world->engine = replay(world);
    world->model = world->durable;
    world->claim_count = 0;
    world->crashes++;
    world->now.wall_us = world->latest_us;
    recover(world);
    model_crash(&world->model);
}

int job_number(const struct world *world, qk_id id)
{
    for (int i = 0; i < world->model.job_count; i++) {
        if (qk_id_compare(world->jobs[i], id) == 0)
            return i;
    }
    return -1;
}

int run_number(const struct world *world, qk_id id)
{
    for (int i = 0; i < world->model.run_count; i++) {
        if (qk_id_compare(world->runs[i], id) == 0)
            return i;
    }
    return -1;
}
