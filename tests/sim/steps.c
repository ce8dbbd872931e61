/*
 * Which commands a history consists of, and how often; claims, time and the drain at the end.
 * Reports are in step_report.c, enqueue and people's commands in step_people.c.
 */
#include "step.h"

#include <stdlib.h>
#include <string.h>

const char *const sim_queues[QUEUES] = { "alpha", "beta", "gamma" };
const char *const sim_kinds[KINDS] = { "work", "mail", "command", "scan" };
const char *const sim_workers[WORKERS] = { "w-one", "w-two", "w-three" };

struct model_now model_time(const struct world *world)
{
    return (struct model_now){ world->now.wall_us, world->now.mono_us };
}

struct known_job *known_find(struct world *world, qk_id id)
{
    uint32_t index;
    memcpy(&index, id.bytes + 12, sizeof index);
    return index < world->job_count && same_id(world->jobs[index].id, id) ? &world->jobs[index]
                                                                          : NULL;
}

const char *short_id(qk_id id)
{
    static char texts[4][16];
    static int turn;
    uint32_t index;
    memcpy(&index, id.bytes + 12, sizeof index);
    char *text = texts[turn++ % 4];
    snprintf(text, sizeof texts[0], "#%u", index);
    return text;
}

const struct model_job *pick_job(struct world *world, int status)
{
    size_t size = model_size(world->model);
    size_t from = size > 0 ? pick(world, size) : 0;
    for (size_t i = 0; i < size; i++) {
        const struct model_job *job = model_at(world->model, (from + i) % size);
        if (status < 0 || (int)job->status == status) {
            return job;
        }
    }
    return NULL;
}

void tick_model(struct world *world)
{
    model_tick(world->model, model_time(world));
}

static uint64_t gate_needed(struct world *world, const struct qk__grant *grant)
{
    struct known_job *known = known_find(world, grant->id);
    uint64_t durable = disk_last_batch(world->disk);
    if (grant->strict) {
        return qk__engine_batch(world->engine);
    }
    return known->born > durable ? known->born : 0;
}

static void check_payload(struct world *world, const qk__grant *grant)
{
    struct known_job *known = known_find(world, grant->id);
    qk__text payload = { grant->payload, grant->payload_length };
    if (payload.data == NULL) {
        payload = disk_payload(world->disk, grant->id);
    }
    if (payload.data == NULL || payload.length != known->payload_length ||
        memcmp(payload.data, known->payload, payload.length) != 0) {
        fail(world, "the payload of %s is wrong or missing", short_id(grant->id));
    }
}

static void check_grant(struct world *world, const qk__grant *grant,
                        const struct model_claimed *wanted, bool strict)
{
    const struct model_job *job = model_get(world->model, wanted->id);
    const struct known_job *known = known_find(world, wanted->id);
    if (!same_id(grant->id, wanted->id)) {
        fail(world, "claimed %s, the model %s", short_id(grant->id), short_id(wanted->id));
    }
    if (grant->attempt != wanted->attempt || grant->attempts != wanted->attempts ||
        grant->max_attempts != wanted->max_attempts || grant->timeout_us != wanted->timeout_us ||
        grant->claimed_us != world->now.wall_us || strcmp(grant->kind, job->kind) != 0 ||
        strcmp(grant->queue, job->queue) != 0) {
        fail(world, "the grant of %s: attempt %d/%d, attempts %d/%d of %d/%d", short_id(grant->id),
             grant->attempt, wanted->attempt, grant->attempts, wanted->attempts,
             grant->max_attempts, wanted->max_attempts);
    }
    bool careful = strict || known->strict || known->recovered || world->config.strict ||
                   job->max_attempts == 1;
    if (grant->strict != careful && !(grant->strict && known->maybe_recovered)) {
        fail(world, "the claim of %s should%s be strict", short_id(grant->id),
             careful ? "" : " not");
    }
    world->tally.strict += grant->strict;
    world->tally.pipelined += !grant->strict;
    if (grant->gate < gate_needed(world, grant) || grant->gate > qk__engine_batch(world->engine)) {
        fail(world, "the gate of %s is %llu, needed is %llu", short_id(grant->id),
             (unsigned long long)grant->gate, (unsigned long long)gate_needed(world, grant));
    }
    check_payload(world, grant);
}

static void keep_claim(struct world *world, const qk__grant *grant, const char *worker)
{
    size_t at = world->claim_count < CLAIMS_KEPT ? world->claim_count++ : pick(world, CLAIMS_KEPT);
    world->claims[at] = (struct known_claim){ .id = grant->id, .attempt = grant->attempt };
    strcpy(world->claims[at].worker, worker);
}

size_t claim(struct world *world, const qk__claim_request *request)
{
    qk__grant grants[8];
    struct model_claimed wanted[8];
    struct model_claim_spec spec = { .queues = request->queues,
                                     .queue_count = request->queue_count,
                                     .kinds = request->kinds,
                                     .kind_count = request->kind_count,
                                     .worker = request->worker_id,
                                     .max = request->max,
                                     .lease_us = request->lease_us };
    size_t count = qk__engine_claim(world->engine, world->now, request, grants);
    tick_model(world);
    size_t expected = model_claim(world->model, wanted, &spec, model_time(world));
    trace(world, "claim by %s: %zu", request->worker_id, count);
    for (size_t i = 0; i < count && i < expected; i++) {
        trace(world, "  %s attempt %d gate %llu", short_id(grants[i].id), grants[i].attempt,
              (unsigned long long)grants[i].gate);
        check_grant(world, &grants[i], &wanted[i], request->strict);
        keep_claim(world, &grants[i], request->worker_id);
    }
    if (count != expected) {
        fail(world, "%zu claims, the model has %zu (first missing %s)", count, expected,
             expected > count ? short_id(wanted[count].id) : short_id(grants[expected].id));
    }
    return count;
}

static void step_claim(struct world *world)
{
    static const int64_t leases[] = { 0, 0, 500000, 1000000, 4000000 };
    const char *queues[QUEUES];
    const char *kinds[2];
    qk__claim_request request = { .queues = queues,
                                  .queue_count = 1 + pick(world, QUEUES),
                                  .worker_id = sim_workers[pick(world, WORKERS)],
                                  .max = 1 + pick(world, 5),
                                  .lease_us = leases[pick(world, 5)],
                                  .strict = chance(world, 15) };
    size_t first = pick(world, QUEUES);
    for (size_t i = 0; i < request.queue_count; i++) {
        queues[i] = sim_queues[(first + i) % QUEUES];
    }
    if (chance(world, 30)) {
        request.kinds = kinds;
        request.kind_count = 1 + pick(world, 2);
        kinds[0] = sim_kinds[pick(world, KINDS)];
        kinds[1] = chance(world, 10) ? "unheard-of" : sim_kinds[pick(world, KINDS)];
    }
    (void)claim(world, &request);
}

static int64_t wait_expected(const struct world *world)
{
    int64_t wall = model_next_wake_wall(world->model);
    int64_t mono = model_next_wake_mono(world->model);
    wall = wall == INT64_MAX ? wall : wall - world->now.wall_us;
    mono = mono == INT64_MAX ? mono : mono - world->now.mono_us;
    int64_t wait = wall < mono ? wall : mono;
    return wait < 0 ? 0 : wait;
}

/* Stops at every moment at which something is due: which of two jobs that one tick fails comes first
 * is nobody's rule, but decides what a job that hangs on both is skipped for. */
static void pass_time(struct world *world, int64_t duration_us)
{
    int64_t wait;
    trace(world, "time passes");
    while ((wait = qk__engine_next_tick(world->engine, world->now)) <= duration_us) {
        world->now.wall_us += wait;
        world->now.mono_us += wait;
        duration_us -= wait;
        model_join_moments(world->model, true);
        qk__engine_tick(world->engine, world->now);
        tick_model(world);
        compare_all(world, false);
    }
    world->now.wall_us += duration_us;
    world->now.mono_us += duration_us;
}

static void step_tick(struct world *world)
{
    int64_t wait = qk__engine_next_tick(world->engine, world->now);
    if (wait != wait_expected(world)) {
        fail(world, "next tick in %lld us, the model says %lld", (long long)wait,
             (long long)wait_expected(world));
    }
    if (chance(world, 40) && wait < 20000000) {
        wait += chance(world, 70) ? 0 : -1; /* to the microsecond, or one too early */
        wait = wait < 0 ? 0 : wait;
    } else {
        wait = (int64_t)pick(world, chance(world, 20) ? 20000 : 1500) * 1000;
    }
    pass_time(world, wait);
    trace(world, "tick after %lld us", (long long)wait);
    qk__engine_tick(world->engine, world->now);
    tick_model(world);
}

static void step_jump(struct world *world)
{
    int64_t jump = ((int64_t)pick(world, 20000) - 10000) * 1000;
    if (world->clock_jumps) {
        world->tally.jumps++;
        trace(world, "wall clock jumps by %lld ms", (long long)(jump / 1000));
        world->now.wall_us += jump;
    }
}

static const struct {
    int weight;
    void (*run)(struct world *world);
} kinds_of_steps[] = {
    { 16, step_enqueue }, { 20, step_claim },  { 26, step_report }, { 4, step_heartbeat },
    { 3, step_progress }, { 3, step_cancel },  { 4, step_retry },   { 2, step_pause },
    { 1, step_beat },     { 1, step_look },    { 7, step_tick },    { 2, step_jump },
    { 14, life_cut },     { 14, life_commit }, { 2, life_turn },    { 3, life_settle },
    { 1, life_crash },
};
#define STEP_KINDS (sizeof kinds_of_steps / sizeof *kinds_of_steps)

static void after_step(struct world *world)
{
    const char *broken = qk__engine_check(world->engine);
    if (broken != NULL) {
        fail(world, "invariant %s", broken);
    }
    compare_all(world, world->step % 8 == 0);
    if (world->step % 32 == 0 && (broken = model_check(world->model)) != NULL) {
        fail(world, "the model: %s", broken);
    }
}

void step_random(struct world *world)
{
    int total = 0;
    for (size_t i = 0; i < STEP_KINDS; i++) {
        total += kinds_of_steps[i].weight;
    }
    pass_time(world, 1 + (int64_t)pick(world, 30000));
    model_join_moments(world->model, true);
    if (pick(world, 250) == 0) {
        life_restart(world);
    } else {
        int at = (int)pick(world, (size_t)total);
        size_t i = 0;
        while (at >= kinds_of_steps[i].weight) {
            at -= kinds_of_steps[i++].weight;
        }
        kinds_of_steps[i].run(world);
    }
    after_step(world);
}

/* Whatever can run runs and is acked, until nothing is left to come. */
void step_drain(struct world *world)
{
    qk__claim_request request = {
        .queues = sim_queues, .queue_count = QUEUES, .worker_id = "w-last", .max = 8
    };
    for (int i = 0; i < QUEUES; i++) {
        set_paused(world, sim_queues[i], false);
    }
    for (int idle = 0; idle < 3; idle++) {
        world->step++;
        pass_time(world, 400000000);
        world->now.wall_us += 4000000000;
        model_join_moments(world->model, true);
        while (claim(world, &request) > 0) {
            ack_all(world, request.worker_id);
            idle = 0;
        }
        after_step(world);
    }
    life_flush(world);
    compare_durable(world);
    life_turn(world);
    life_flush(world);
    while (world->settle_due) {
        life_settle(world);
    }
    compare_durable(world);
    compare_history(world);
}
