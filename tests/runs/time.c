/*
 * Time: leases that run out, and sub-DAG nodes whose time is over. Each is met at its own moment,
 * since of several at once any might be the first.
 */
#include "world.h"

void limit_node(struct world *world, int job, int64_t from)
{
    int64_t timeout = world->timeouts[job];
    world->deadlines[job] = timeout == INT64_MAX ? INT64_MAX : from + timeout;
}

static int next_due(const struct world *world)
{
    int next = MODEL_NONE;
    for (int i = 0; i < world->model.job_count; i++) {
        bool has =
            world->model.jobs[i].status == QK_JOB_CLAIMED && world->deadlines[i] != INT64_MAX;
        if (has && (next == MODEL_NONE || world->deadlines[i] < world->deadlines[next]))
            next = i;
    }
    return next;
}

static void fall_due(struct world *world, int job)
{
    bool timeout = world->model.jobs[job].waiting;
    int64_t wait = qk__engine_next_tick(world->engine, world->now);
    if (wait != 0)
        disagree(world, "the time of job %d is over, the engine waits %lld us", job,
                 (long long)wait);
    qk__engine_tick(world->engine, world->now);
    trace(world, "the %s of job %d is over", timeout ? "time" : "lease", job);
    (void)(timeout ? model_fail(&world->model, job) : model_lose(&world->model, job));
    world->lost += !timeout;
    world->timed_out += timeout;
    compare(world);
}

void pass_time(struct world *world, int64_t us)
{
    int64_t end = world->now.mono_us + us;
    for (;;) {
        int job = next_due(world);
        int64_t at = job == MODEL_NONE ? INT64_MAX : world->deadlines[job];
        int64_t stop = at > end ? end : at < world->now.mono_us ? world->now.mono_us : at;
        world->now.wall_us += stop - world->now.mono_us;
        world->now.mono_us = stop;
        if (at > end)
            break;
        fall_due(world, job);
    }
    if (qk__engine_next_tick(world->engine, world->now) == 0)
        disagree(world, "the engine has something due");
}
