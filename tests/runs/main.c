/*
 * Seeded lives of runs: the engine against the naive model, with crashes between any two commits.
 *
 *   runs_sim [--seeds N] [--seed S] [--steps K] [--jumps] [-v]
 *
 * With --jumps the wall clock jumps now and then.
 */
#include "world.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <queuack/dag.h>

static int steps = 120;
static bool jumps = false;

static void show_model(const struct model *model)
{
    for (int i = 0; i < model->job_count; i++) {
        const struct model_job *job = &model->jobs[i];
        printf("  job %d of run %d: %s%s%s, mode %s, needs", i, job->run,
               qk_job_status_name(job->status), job->waiting ? " and waits" : "",
               job->continues ? ", forgiven" : "", qk_dependency_mode_name(job->mode));
        for (int k = 0; k < job->parent_count; k++)
            printf(" %d", job->parents[k]);
        printf(job->child == MODEL_NONE ? "\n" : ", child run %d\n", job->child);
    }
}

void disagree(const struct world *world, const char *format, ...)
{
    va_list args;
    if (world->verbose)
        show_model(&world->model);
    va_start(args, format);
    fprintf(stderr, "runs_sim: seed %llu, step %d: ", (unsigned long long)world->seed, world->step);
    vfprintf(stderr, format, args);
    fprintf(stderr, "\nreplay: runs_sim --seed %llu --steps %d%s -v\n",
            (unsigned long long)world->seed, steps, jumps ? " --jumps" : "");
    va_end(args);
    exit(1);
}

void trace(const struct world *world, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    if (world->verbose) {
        printf("%d: ", world->step);
        vprintf(format, args);
        printf("\n");
        fflush(stdout);
    }
    va_end(args);
}

uint64_t random_next(struct world *world)
{
    uint64_t z = world->random += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

int pick(struct world *world, int count)
{
    return (int)(random_next(world) % (uint64_t)count);
}

bool chance(struct world *world, int percent)
{
    return pick(world, 100) < percent;
}

static qk_id make_id(struct world *world, int kind, int number)
{
    qk_id id = { { 0 } };
    (void)world;
    id.bytes[0] = (uint8_t)kind;
    id.bytes[14] = (uint8_t)(number >> 8);
    id.bytes[15] = (uint8_t)number;
    return id;
}

struct batch {
    qk__new_job jobs[10];
    char names[10][16];
    qk_id needs[10][MODEL_PARENTS];
    size_t count;
    struct circle around; /* what waits for the node that is expanded */
    bool circle; /* a job needs one of those */
};

/* Parents: earlier nodes of the batch, now and then any job there is. */
static void choose_parents(struct world *world, struct batch *batch, struct model_job *job,
                           int first, int own)
{
    int wanted = own == first ? 0 : pick(world, 4);
    if (chance(world, 10) && first > 0) {
        int parent = pick(world, first);
        bool circle = batch->around.ends[parent] || batch->around.starts[parent];
        bool root = world->model.runs[world->model.run_count - 1].parent == MODEL_NONE;
        if (!world->purged[parent] && (root || circle)) { /* the model has no others */
            job->parents[job->parent_count++] = parent;
            batch->circle |= circle;
        }
    }
    while (wanted-- > 0) {
        int parent = first + pick(world, own - first);
        bool there = false;
        for (int i = 0; i < job->parent_count; i++)
            there |= job->parents[i] == parent;
        if (!there)
            job->parents[job->parent_count++] = parent;
    }
}

static void make_batch(struct world *world, struct batch *batch, int run)
{
    int first = world->model.job_count;
    batch->count = (size_t)pick(world, 8);
    for (size_t i = 0; i < batch->count; i++) {
        struct model_job job = { .continues = chance(world, 15), .subdag = chance(world, 25) };
        job.mode = chance(world, 50) ? QK_MODE_ALL : (qk_dependency_mode)pick(world, 5);
        job.max_attempts = 1 + pick(world, 3);
        job.max_lost = 1 + pick(world, 3);
        choose_parents(world, batch, &job, first, first + (int)i);
        int number = model_add_job(&world->model, run, &job);
        world->jobs[number] = make_id(world, 1, number);
        world->timeouts[number] =
            job.subdag && chance(world, 30) ? 1000 + pick(world, 60000) : INT64_MAX;
        snprintf(batch->names[i], sizeof batch->names[i], "n%d", number);
        for (int k = 0; k < job.parent_count; k++)
            batch->needs[i][k] = world->jobs[job.parents[k]];
        batch->jobs[i] = (qk__new_job){ .id = world->jobs[number],
                                        .continue_on_failure = job.continues,
                                        .priority = (uint8_t)(40 + pick(world, 20)),
                                        .mode = (uint8_t)job.mode,
                                        .max_attempts = job.max_attempts,
                                        .max_lost = job.max_lost,
                                        .timeout_us = world->timeouts[number],
                                        .backoff_factor = 1,
                                        .kind = job.subdag ? "dag" : "task",
                                        .queue = "default",
                                        .payload = "null",
                                        .payload_length = 4,
                                        .node = batch->names[i],
                                        .needs = batch->needs[i],
                                        .needs_count = (size_t)job.parent_count };
    }
}

static qk__cold_set cold_for(struct world *world, const struct batch *batch)
{
    qk__cold_set none = { NULL, 0 };
    qk_id *missing = NULL;
    size_t count = 0;
    if (qk__engine_missing(world->engine, batch->jobs, batch->count, &none, &missing, &count))
        abort();
    qk__cold_set cold = disk_cold(world, missing, count);
    free(missing);
    return cold;
}

static bool has_room(const struct world *world)
{
    return world->model.job_count + 10 < MODEL_JOBS && world->model.run_count + 1 < MODEL_RUNS;
}

static void step_submit(struct world *world)
{
    struct batch batch = { 0 };
    bool duplicate = false;
    qk_error err = QK_ERROR_INIT;
    if (!has_room(world))
        return;
    int run = model_add_run(&world->model, MODEL_NONE);
    make_batch(world, &batch, run);
    world->runs[run] = make_id(world, 2, run);
    qk__new_run new = { .id = world->runs[run], .name = "run" };
    qk__cold_set cold = cold_for(world, &batch);
    qk_status rc = qk__engine_submit(world->engine, world->now, &duplicate, &new, batch.jobs,
                                     batch.count, &cold, &err);
    free((void *)(uintptr_t)cold.jobs);
    if (rc != QK_OK)
        disagree(world, "submit: %s", err.message);
    model_settle(&world->model);
    trace(world, "run %d with %zu jobs", run, batch.count);
}

static void step_claim(struct world *world)
{
    static const char *const queues[] = { "default" };
    qk__claim_request request = { .queues = queues,
                                  .queue_count = 1,
                                  .worker_id = "w",
                                  .max = 1,
                                  .lease_us =
                                      chance(world, 30) ? 1 + pick(world, 60000) : 1000000000 };
    qk__grant grant;
    if (world->claim_count == 64)
        return;
    if (qk__engine_claim(world->engine, world->now, &request, &grant) == 0) {
        for (int i = 0; i < world->model.job_count; i++) {
            if (model_may_start(&world->model, i))
                disagree(world, "job %d may start and is not handed out", i);
        }
        return;
    }
    int job = job_number(world, grant.id);
    trace(world, "claim job %d", job);
    if (!model_claim(&world->model, job))
        disagree(world, "job %d was handed out and may not start", job);
    if (chance(world, 10)) {
        if (!qk__engine_untrue(world->engine, world->now, grant.id, grant.attempt) ||
            !model_untrue(&world->model, job))
            disagree(world, "the condition of job %d", job);
        return;
    }
    world->attempts[job] = grant.attempt;
    world->started[job] = world->now.mono_us;
    world->deadlines[job] = world->now.mono_us + request.lease_us;
    world->claims[world->claim_count++] = (struct claim){ job, { grant.id, grant.attempt, "w" } };
}

/* Nothing has happened: the claim holds as before. */
static void refused_circle(struct world *world, const struct claim *claim, qk_status rc, int jobs,
                           const char *message)
{
    if (rc != QK_EINVAL)
        disagree(world, "a circle through job %d: %d %s", claim->job, (int)rc, message);
    world->model.run_count--;
    world->model.job_count -= jobs;
    world->claims[world->claim_count++] = *claim;
    world->circles++;
}

static void expand(struct world *world, const struct claim *claim)
{
    struct batch batch = { 0 };
    qk_error err = QK_ERROR_INIT;
    qk_id child;
    bool held = world->model.jobs[claim->job].status == QK_JOB_CLAIMED;
    int had = world->model.jobs[claim->job].child;
    if (!has_room(world))
        return;
    qk__run_facts facts = { 0 };
    int run = had;
    qk__new_run new = { .parent_job = claim->lease.job, .name = "sub" };
    if (had != MODEL_NONE) {
        facts = disk_facts(world, world->runs[had]);
        new.id = make_id(world, 3, had); /* must not be looked at */
    } else if (held) {
        circle_around(&world->model, claim->job, &batch.around);
        run = model_add_run(&world->model, claim->job);
        make_batch(world, &batch, run);
        new.id = world->runs[run] = make_id(world, 2, run);
    }
    qk__cold_set cold = cold_for(world, &batch);
    qk_status rc = qk__engine_expand(world->engine, world->now, &child, &claim->lease,
                                     had == MODEL_NONE || chance(world, 50) ? &new : NULL,
                                     batch.jobs, batch.count, &cold, &facts, &err);
    free((void *)(uintptr_t)cold.jobs);
    trace(world, "expand job %d to run %d with %zu jobs: %d", claim->job, run, batch.count,
          (int)rc);
    if (batch.circle) {
        refused_circle(world, claim, rc, (int)batch.count, err.message);
        return;
    }
    bool allowed = model_expand(&world->model, claim->job, run);
    if (allowed != (rc == QK_OK))
        disagree(world, "expand of job %d: %d %s", claim->job, (int)rc, err.message);
    if (allowed && qk_id_compare(child, world->runs[run]) != 0)
        disagree(world, "job %d has another child", claim->job);
    world->expansions += allowed;
    if (allowed)
        limit_node(world, claim->job, world->started[claim->job]);
}

static void step_report(struct world *world)
{
    if (world->claim_count == 0)
        return;
    int which = pick(world, world->claim_count);
    struct claim claim = world->claims[which];
    world->claims[which] = world->claims[--world->claim_count];
    bool stale_node = world->attempts[claim.job] != claim.lease.attempt;
    if (world->model.jobs[claim.job].subdag && !stale_node && chance(world, 85)) {
        expand(world, &claim);
        return;
    }
    int how = pick(world, 10);
    qk_outcome outcome = { .lease = claim.lease,
                           .verdict = how < 5   ? QK_VERDICT_ACK
                                      : how < 8 ? QK_VERDICT_FAIL
                                                : QK_VERDICT_NACK,
                           .permanent = how < 7,
                           .error = how < 5 ? NULL : "no" };
    uint64_t gate;
    qk_status rc = qk__engine_complete(world->engine, world->now, &outcome, &gate);
    bool stale = world->attempts[claim.job] != claim.lease.attempt;
    bool allowed = stale     ? false
                   : how < 5 ? model_ack(&world->model, claim.job)
                   : how < 7 ? model_fail(&world->model, claim.job)
                   : how < 8 ? model_fail_once(&world->model, claim.job)
                             : model_give_back(&world->model, claim.job);
    trace(world, "report %d of job %d: %d", how, claim.job, (int)rc);
    if (allowed != (rc == QK_OK))
        disagree(world, "report of job %d: %d", claim.job, (int)rc);
}

static void step_people(struct world *world)
{
    const struct model *model = &world->model;
    if (model->run_count == 0)
        return;
    int run = pick(world, model->run_count);
    int what = pick(world, 10);
    qk_status rc;
    bool allowed;
    if (what < 2 && model->job_count > 0) {
        int job = pick(world, model->job_count);
        rc = qk__engine_cancel(world->engine, world->now, world->jobs[job]);
        allowed = model_cancel(&world->model, job);
        trace(world, "cancel job %d: %d", job, (int)rc);
    } else if (what < 4) {
        rc = qk__engine_cancel_run(world->engine, world->now, world->runs[run]);
        allowed = model_cancel_run(&world->model, run);
        trace(world, "cancel run %d: %d", run, (int)rc);
    } else {
        bool paused = what < 6;
        rc = qk__engine_pause_run(world->engine, world->now, world->runs[run], paused);
        allowed = model_pause_run(&world->model, run, paused);
        trace(world, "%s run %d: %d", paused ? "pause" : "resume", run, (int)rc);
    }
    if (allowed != (rc == QK_OK))
        disagree(world, "a person's command is %s: %d", allowed ? "refused" : "accepted", (int)rc);
}

/* Nothing may come of that: leases and timeouts run on the monotonic clock. */
static void jump(struct world *world)
{
    int64_t us = (int64_t)(pick(world, 200) - 100) * 1000;
    trace(world, "the wall clock jumps by %lld us", (long long)us);
    world->now.wall_us += us;
}

static void one_step(struct world *world)
{
    int what = pick(world, 100);
    pass_time(world, 1000);
    if (jumps && chance(world, 5))
        jump(world);
    if (world->now.wall_us > world->latest_us)
        world->latest_us = world->now.wall_us; /* a crash does not set it back: see disk_crash */
    if (what < 8)
        step_submit(world);
    else if (what < 45)
        step_claim(world);
    else if (what < 75)
        step_report(world);
    else if (what < 84)
        step_people(world);
    else if (what < 92)
        step_retry(world);
    else if (what < 96)
        disk_commit(world);
    else if (what < 98)
        step_purge(world);
    else
        disk_crash(world);
    compare(world);
    if (chance(world, 40)) {
        disk_commit(world);
        compare(world);
    }
}

static void trace_live(const struct world *world)
{
    for (int i = 0; i < world->model.job_count; i++) {
        const struct model_job *job = &world->model.jobs[i];
        if (qk_job_status_is_terminal(job->status))
            continue;
        trace(world, "job %d of run %d, below job %d, is %s%s, mode %d", i, job->run,
              world->model.runs[job->run].parent, qk_job_status_name(job->status),
              job->waiting ? " and waits" : "", (int)job->mode);
        for (int k = 0; k < job->parent_count; k++)
            trace(world, "    needs job %d", job->parents[k]);
    }
}

/* Every run ends once nobody interferes. */
static void drain(struct world *world)
{
    pass_time(world, 1000);
    for (int r = 0; r < world->model.run_count; r++) {
        if (qk__engine_pause_run(world->engine, world->now, world->runs[r], false) == QK_OK)
            (void)model_pause_run(&world->model, r, false);
    }
    for (int i = 0; i < 4000; i++) {
        bool live = false;
        pass_time(world, 1000);
        for (int r = 0; r < world->model.run_count; r++)
            live |= !world->model.runs[r].ended;
        if (!live || !has_room(world))
            return;
        step_claim(world);
        compare(world);
        pass_time(world, 1000);
        step_report(world);
        compare(world);
    }
    trace_live(world);
    disagree(world, "a run does not end");
}

static void live(uint64_t seed, bool verbose, long *totals)
{
    struct world *world = calloc(1, sizeof *world);
    if (world == NULL)
        abort();
    world->seed = world->random = seed;
    world->verbose = verbose;
    world->now = (qk__now){ 1700000000000000, 1000000 };
    world->latest_us = world->now.wall_us;
    disk_crash(world); /* makes the engine */
    for (world->step = 1; world->step <= steps; world->step++)
        one_step(world);
    drain(world);
    totals[0] += world->commits;
    totals[1] += world->crashes;
    totals[2] += world->retries;
    totals[3] += world->expansions;
    totals[4] += world->lost;
    totals[5] += world->timed_out;
    totals[6] += world->circles;
    totals[7] += world->purges;
    qk__engine_free(world->engine);
    disk_free(world);
    free(world);
}

int main(int argc, char **argv)
{
    uint64_t seeds = 200, only = 0;
    bool verbose = false;
    long totals[8] = { 0 };
    for (int i = 1; i < argc; i++) {
        bool more = i + 1 < argc;
        if (strcmp(argv[i], "-v") == 0)
            verbose = true;
        else if (strcmp(argv[i], "--jumps") == 0)
            jumps = true;
        else if (strcmp(argv[i], "--seeds") == 0 && more)
            seeds = strtoull(argv[++i], NULL, 10);
        else if (strcmp(argv[i], "--seed") == 0 && more)
            only = strtoull(argv[++i], NULL, 10);
        else if (strcmp(argv[i], "--steps") == 0 && more)
            steps = atoi(argv[++i]);
    }
    for (uint64_t seed = only ? only : 1; seed <= (only ? only : seeds); seed++)
        live(seed, verbose, totals);
    printf("runs_sim: %llu seeds: %ld commits, %ld crashes, %ld retries, %ld expansions, "
           "%ld leases lost, %ld timeouts, %ld circles refused, %ld jobs purged, 0 failures\n",
           (unsigned long long)(only ? 1 : seeds), totals[0], totals[1], totals[2], totals[3],
           totals[4], totals[5], totals[6], totals[7]);
    return 0;
}
