/*
 * The engine's life beside its disk: cuts, commits that may fail, turns and settling, crashes,
 * clean ends, and the way back from each. Does what embedded_writer.c and embedded_recover.c do.
 */
#include "sim.h"

#include <stdlib.h>
#include <string.h>

static void load_table(struct world *world, qk__engine *engine, const struct disk_table *table,
                       uint8_t *last_op)
{
    for (size_t i = 0; i < table->count; i++) {
        const struct disk_row *row = &table->rows[i];
        if (row->row.op == QK__OP_ATTEMPT || row->row.op == QK__OP_PAYLOAD) {
            continue;
        }
        *last_op = row->row.op;
        if (qk__engine_load(engine, &row->row, row->batch) != QK_OK) {
            fail(world, "a row does not load");
        }
    }
}

static qk_status finish_load(struct world *world, qk__engine *engine, bool clean)
{
    qk_id *parents = NULL;
    size_t count = 0;
    size_t found = 0;
    if (qk__engine_loaded_parents(engine, &parents, &count) != QK_OK) {
        fail(world, "parents of loaded jobs");
    }
    qk__cold_job *jobs = disk_cold(world->disk, parents, count, &found);
    for (size_t i = 0; i < found; i++) {
        if (!jobs[i].found) {
            fail(world, "the parent %s of a loaded job is nowhere", short_id(jobs[i].id));
        }
    }
    qk__cold_set cold = { jobs, found };
    qk_status rc = qk__engine_recover(engine, world->now, clean, &cold);
    free(jobs);
    free(parents);
    return rc;
}

/* A fresh engine from the disk. `both`: else from the active journal alone. */
static qk__engine *load(struct world *world, bool both, const qk__held_claim *held, size_t count,
                        bool *clean)
{
    qk__engine *engine = qk__engine_new(&world->config);
    uint8_t last_op = QK__OP_CLOSE;
    qk__row marker = { .op = QK__OP_CLOSE };
    if (engine == NULL) {
        abort();
    }
    if (both) {
        load_table(world, engine, &world->disk->journal[!world->disk->active], &last_op);
    }
    load_table(world, engine, &world->disk->journal[world->disk->active], &last_op);
    (void)qk__engine_load(engine, &marker, disk_last_batch(world->disk));
    for (size_t i = 0; i < count; i++) {
        qk__engine_hold(engine, &held[i]);
    }
    *clean = last_op == QK__OP_CLOSE;
    if (finish_load(world, engine, *clean) != QK_OK) {
        fail(world, "recovery failed");
    }
    return engine;
}

static void recover_model(struct world *world, bool clean)
{
    struct model_now now = model_time(world);
    model_join_moments(world->model, true);
    model_recover(world->model, NULL, 0, now);
    for (size_t i = 0; i < world->job_count; i++) {
        struct known_job *job = &world->jobs[i];
        const struct model_job *state = model_get(world->model, job->id);
        job->exists = state != NULL;
        job->recovered = !clean;
    }
}

static void forget_cut(struct world *world)
{
    qk__engine_drop_cut(world->cut);
    world->cut = NULL;
    disk_table_free(&world->cut_rows);
    model_free(world->cut_model);
    world->cut_model = NULL;
}

/* From the disk, after the process ended. */
static void reopen(struct world *world)
{
    bool clean = false;
    disk_reopen(world->disk);
    model_free(world->model);
    world->model = model_clone(world->durable);
    world->engine = load(world, true, NULL, 0, &clean);
    world->settle_due = world->settling = false;
    compare_history(world);
    recover_model(world, clean);
    if (disk_unsettled(world->disk)) {
        qk__engine_carry_start(world->engine);
    }
    compare_durable(world);
    compare_all(world, true);
}

void world_open(struct world *world, uint64_t seed, int steps, bool verbose)
{
    memset(world, 0, sizeof *world);
    world->seed = world->random = seed;
    world->steps = steps;
    world->verbose = verbose;
    world->now = (qk__now){ 1700000000000000 + 1, 1000000 };
    world->clock_jumps = chance(world, 20);
    world->few_rooms = chance(world, 10);
    world->config = (qk__engine_config){ .strict = chance(world, 10),
                                         .backpressure_warn = 5,
                                         .backpressure_limit = world->few_rooms ? 8 : 1000000,
                                         .payload_cache = chance(world, 50) ? 0 : 1000,
                                         .seed = random_next(world) };
    world->disk = disk_new();
    world->model = model_new(world->config.backpressure_limit);
    world->durable = model_new(world->config.backpressure_limit);
    if (world->clock_jumps) {
        model_trust_causes(world->model);
        model_trust_causes(world->durable);
    }
    world->engine = qk__engine_new(&world->config);
    if (world->engine == NULL) {
        abort();
    }
}

void world_close(struct world *world)
{
    forget_cut(world);
    qk__engine_free(world->engine);
    model_free(world->model);
    model_free(world->durable);
    disk_free(world->disk);
}

void life_cut(struct world *world)
{
    uint64_t batch = qk__engine_batch(world->engine);
    if (world->cut != NULL) {
        return;
    }
    world->cut = qk__engine_cut(world->engine);
    if (world->cut == NULL) {
        fail(world, "no cut");
    }
    trace(world, "cut %llu: %zu rows%s", (unsigned long long)batch, world->cut->count,
          world->cut->carry_complete ? ", carry complete" : "");
    if (world->cut->batch != batch || qk__engine_batch(world->engine) != batch + 1) {
        fail(world, "the cut has batch %llu, announced was %llu",
             (unsigned long long)world->cut->batch, (unsigned long long)batch);
    }
    disk_copy_rows(&world->cut_rows, world->cut);
    world->cut_model = model_clone(world->model);
}

static bool same_text(qk__text a, qk__text b)
{
    return (a.data == NULL) == (b.data == NULL) && a.length == b.length &&
           (a.length == 0 || memcmp(a.data, b.data, a.length) == 0);
}

/* Text that a cut refers to must not have changed meanwhile (invariant 7 of the engine). */
static void check_cut_text(struct world *world)
{
    for (size_t i = 0; i < world->cut->count; i++) {
        const qk__row *now = &world->cut->rows[i];
        const qk__row *then = &world->cut_rows.rows[i].row;
        if (!same_text(now->kind, then->kind) || !same_text(now->queue, then->queue) ||
            !same_text(now->payload, then->payload) || !same_text(now->ext, then->ext) ||
            !same_text(now->claimed_by, then->claimed_by) || !same_text(now->error, then->error) ||
            !same_text(now->result, then->result) || !same_text(now->log_tail, then->log_tail)) {
            fail(world, "the text of a cut changed while it was under way");
        }
    }
}

/* What is live must come back the same from the active journal and the history alone. */
static void check_carry(struct world *world)
{
    bool clean = false;
    qk__engine *whole = load(world, true, NULL, 0, &clean);
    qk__engine *part = load(world, false, NULL, 0, &clean);
    if (qk__engine_live(whole) != qk__engine_live(part)) {
        fail(world, "after the carry: %zu jobs with the old journal, %zu without",
             qk__engine_live(whole), qk__engine_live(part));
    }
    for (size_t i = 0; i < world->job_count; i++) {
        qk__row a, b;
        qk__buffer a_ext, b_ext;
        qk__buffer_init(&a_ext, 1u << 20);
        qk__buffer_init(&b_ext, 1u << 20);
        bool in_a = qk__engine_get(whole, world->jobs[i].id, &a, &a_ext);
        bool in_b = qk__engine_get(part, world->jobs[i].id, &b, &b_ext);
        if (in_a != in_b ||
            (in_a && (a.status != b.status || a.attempt != b.attempt || a.attempts != b.attempts ||
                      a.priority != b.priority || !same_text(a.error, b.error) ||
                      !same_text(a.ext, b.ext) || !same_text(a.payload, b.payload)))) {
            fail(world, "after the carry: job %s needs the old journal",
                 short_id(world->jobs[i].id));
        }
        qk__buffer_dispose(&a_ext);
        qk__buffer_dispose(&b_ext);
    }
    for (size_t i = 0; i < qk__engine_queue_count(whole); i++) {
        qk__engine_queue queue;
        qk__engine_queue_at(whole, i, &queue);
        bool paused = false;
        for (size_t k = 0; k < qk__engine_queue_count(part); k++) {
            qk__engine_queue other;
            qk__engine_queue_at(part, k, &other);
            paused |= strcmp(queue.name, other.name) == 0 && other.paused;
        }
        if (paused != queue.paused) {
            fail(world, "after the carry: the pause of queue %s is lost", queue.name);
        }
    }
    qk__engine_free(whole);
    qk__engine_free(part);
    world->tally.carries++;
}

static void put_on_disk(struct world *world)
{
    check_cut_text(world);
    const char *wrong = disk_commit(world->disk, world->cut);
    if (wrong != NULL) {
        fail(world, "%s", wrong);
    }
    model_free(world->durable);
    world->durable = world->cut_model;
    world->cut_model = NULL;
}

static void commit_well(struct world *world)
{
    bool complete = world->cut->carry_complete;
    trace(world, "commit %llu", (unsigned long long)world->cut->batch);
    put_on_disk(world);
    world->tally.commits++;
    if (complete) {
        check_carry(world);
        world->settle_due = true;
    }
    qk__engine_finish(world->engine, world->cut);
    world->cut = NULL;
    disk_table_free(&world->cut_rows);
}

static bool is_among(const qk__held_claim *held, size_t count, const struct model_job *job)
{
    for (size_t i = 0; i < count; i++) {
        if (same_id(held[i].id, job->id)) {
            return held[i].attempt == job->attempt &&
                   (job->status != QK_JOB_CLAIMED || strcmp(held[i].worker, job->worker) == 0);
        }
    }
    return false;
}

/* Every claim that workers hold, and every one whose report is forgotten, has to be kept. */
static void check_held(struct world *world, const qk__held_claim *held, size_t count)
{
    for (size_t i = 0; i < model_size(world->model); i++) {
        const struct model_job *job = model_at(world->model, i);
        const struct model_job *disk = model_get(world->durable, job->id);
        bool reported = job->history_count > 0 && disk != NULL &&
                        job->history[job->history_count - 1].ending == MODEL_REPORTED &&
                        (disk->attempt < job->attempt || disk->status == QK_JOB_CLAIMED);
        if ((job->status == QK_JOB_CLAIMED || reported) && !is_among(held, count, job)) {
            fail(world, "the claim of %s is forgotten with the commit", short_id(job->id));
        }
    }
}

/* What the model, as it was before it is set back, charged for the attempt that is held. */
static int charged(const struct model_job *before)
{
    const struct model_attempt *last = &before->history[before->history_count - 1];
    bool given_back = last->ending == MODEL_REPORTED && last->verdict == QK_VERDICT_NACK;
    int attempts = before->attempts + given_back;
    return attempts > 0 ? attempts : 1; /* 0: a retry that is now forgotten */
}

static void hold_in_model(struct world *world, const struct model *before,
                          const qk__held_claim *held, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const struct model_job *job = model_get(before, held[i].id);
        struct model_held claim = { .lease = { held[i].id, held[i].attempt, held[i].worker },
                                    .attempts = charged(job),
                                    .claimed_us = held[i].claimed_us,
                                    .lease_us = held[i].lease_us,
                                    .deadline_us = held[i].deadline_us };
        (void)model_hold(world->model, &claim);
    }
}

/* Until it succeeds, nothing else is let in. */
static void probe(struct world *world)
{
    qk__row row = { .op = QK__OP_PROBE };
    for (bool reached = false; !reached;) {
        qk__cut cut = { .batch = qk__engine_batch(world->engine), .rows = &row, .count = 1 };
        (void)qk__engine_load(world->engine, &row, cut.batch);
        reached = chance(world, 70);
        if (reached && disk_commit(world->disk, &cut) != NULL) {
            fail(world, "the probe's batch does not rise");
        }
    }
}

static void commit_badly(struct world *world)
{
    qk__held_claim *held = NULL;
    size_t count = 0;
    bool clean = false;
    qk__row marker = { .op = QK__OP_CLOSE };
    uint64_t upto = qk__engine_batch(world->engine);
    bool present = chance(world, 30); /* only its sync failed, say, but its callers were told */
    trace(world, "commit %llu fails%s", (unsigned long long)world->cut->batch,
          present ? ", but is there" : "");
    if (present) {
        put_on_disk(world);
        world->tally.commits_unclear++;
    }
    if (qk__engine_held(world->engine, &held, &count) != QK_OK) {
        fail(world, "held claims");
    }
    check_held(world, held, count);
    forget_cut(world);
    qk__engine *engine = load(world, true, held, count, &clean);
    (void)qk__engine_load(engine, &marker, upto);
    qk__engine_free(world->engine);
    world->engine = engine;
    world->settle_due = world->settling = false;
    world->tally.commits_failed++;
    world->tally.held += count;
    struct model *before = world->model;
    world->model = model_clone(world->durable);
    hold_in_model(world, before, held, count);
    model_free(before);
    recover_model(world, clean);
    free(held);
    if (disk_unsettled(world->disk)) {
        qk__engine_carry_start(engine);
    }
    compare_all(world, true);
    probe(world);
}

void life_commit(struct world *world)
{
    if (world->cut == NULL) {
        return;
    }
    if (chance(world, 8)) {
        commit_badly(world);
    } else {
        commit_well(world);
    }
}

void life_flush(struct world *world)
{
    if (world->cut != NULL) {
        commit_well(world);
    }
    while (qk__engine_dirty(world->engine)) {
        life_cut(world);
        commit_well(world);
    }
}

void life_turn(struct world *world)
{
    if (world->cut != NULL || disk_unsettled(world->disk) || world->settle_due ||
        qk__engine_carrying(world->engine)) {
        return;
    }
    trace(world, "turn");
    disk_turn(world->disk);
    qk__engine_carry_start(world->engine);
}

void life_settle(struct world *world)
{
    if (world->settle_due) {
        uint64_t batches = chance(world, 50) ? UINT64_MAX : 1 + pick(world, 3);
        world->settle_due = !disk_settle(world->disk, batches);
        trace(world, "settle%s", world->settle_due ? " a slice" : "");
        world->tally.settles += !world->settle_due;
        world->settling = world->settle_due;
        compare_durable(world);
        compare_history(world);
    }
}

void life_crash(struct world *world)
{
    bool present = world->cut != NULL && chance(world, 50);
    trace(world, "crash%s", present ? ", the batch under way is there" : "");
    world->tally.crashes += world->cut == NULL;
    world->tally.crashes_after += present;
    world->tally.crashes_before += world->cut != NULL && !present;
    world->tally.crashes_settling += world->settling;
    if (present) {
        put_on_disk(world);
    }
    forget_cut(world);
    qk__engine_free(world->engine);
    world->now.mono_us = (int64_t)pick(world, 1000000000) * 1000; /* another boot, say */
    reopen(world);
}

static void release_in_model(struct world *world)
{
    struct model_now now = model_time(world);
    model_join_moments(world->model, true);
    model_tick(world->model, now);
    for (size_t i = 0; i < model_size(world->model); i++) {
        const struct model_job *job = model_at(world->model, i);
        if (job->status == QK_JOB_CLAIMED) {
            char worker[MODEL_NAME_SIZE];
            memcpy(worker, job->worker, sizeof worker);
            struct model_outcome back = { .lease = { job->id, job->attempt, worker },
                                          .verdict = QK_VERDICT_NACK };
            if (model_complete(world->model, &back, now) != QK_OK) {
                fail(world, "the model does not take a claim back");
            }
        }
    }
}

void life_restart(struct world *world)
{
    bool clean = false;
    trace(world, "close and open");
    world->tally.restarts++;
    if (world->cut != NULL) {
        commit_well(world);
    }
    qk__engine_release(world->engine, world->now);
    release_in_model(world);
    compare_all(world, false);
    life_flush(world);
    qk__engine *check = load(world, true, NULL, 0, &clean);
    if (!clean) {
        fail(world, "a clean end does not look like one");
    }
    qk__engine_free(check);
    qk__engine_free(world->engine);
    reopen(world);
}
