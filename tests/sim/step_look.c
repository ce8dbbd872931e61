/*
 * What only looks: the visit of all jobs that live views are made of, the backlog that a draining
 * worker asks for, claims whose text is pointed at again, counters, and the backpressure warning.
 */
#include "step.h"

#include <string.h>

struct visit {
    struct world *world;
    size_t jobs;
};

static void visit_row(void *user, const qk__row *row)
{
    struct visit *visit = user;
    if (row->op > QK__OP_REOPEN) {
        return;
    }
    const struct model_job *job = model_get(visit->world->model, row->id);
    if (job == NULL || job->status != row->status || job->attempts != row->attempts) {
        fail(visit->world, "a visit shows %s as %s", short_id(row->id),
             qk_job_status_name(row->status));
    }
    visit->jobs++;
}

static void look_at_all(struct world *world)
{
    struct visit visit = { world, 0 };
    size_t wanted = 0;
    if (qk__engine_visit(world->engine, visit_row, &visit) != QK_OK) {
        fail(world, "a visit");
    }
    /* A job that was reopened is left out until that is durable: the disk still shows it. */
    for (size_t i = 0; i < model_size(world->model); i++) {
        const struct model_job *job = model_at(world->model, i);
        const struct model_job *disk = model_get(world->durable, job->id);
        bool reopened = disk != NULL && qk_job_status_is_terminal(disk->status);
        wanted += !qk_job_status_is_terminal(job->status) && !reopened;
    }
    if (visit.jobs < wanted || visit.jobs > qk__engine_live(world->engine)) {
        fail(world, "a visit shows %zu jobs, %zu live", visit.jobs, wanted);
    }
}

static bool is_asked(const char *text, const char *const *list, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(text, list[i]) == 0) {
            return true;
        }
    }
    return false;
}

static void look_at_backlog(struct world *world)
{
    const char *const kinds[] = { sim_kinds[pick(world, KINDS)], "unheard-of" };
    qk__claim_request request = { .queues = sim_queues, .queue_count = 1 + pick(world, QUEUES) };
    qk__backlog backlog;
    qk__backlog wanted = { 0 };
    if (chance(world, 50)) {
        request.kinds = kinds;
        request.kind_count = 2;
    }
    qk__engine_backlog(world->engine, &request, &backlog);
    for (size_t i = 0; i < model_size(world->model); i++) {
        const struct model_job *job = model_at(world->model, i);
        bool mine = request.kinds == NULL || is_asked(job->kind, kinds, 2);
        if (!is_asked(job->queue, sim_queues, request.queue_count)) {
            continue;
        }
        wanted.pending += mine && job->status == QK_JOB_PENDING;
        wanted.delayed += mine && job->status == QK_JOB_DELAYED;
        wanted.claimed += mine && job->status == QK_JOB_CLAIMED;
        wanted.other_kinds += !mine && job->status == QK_JOB_PENDING;
    }
    if (memcmp(&backlog, &wanted, sizeof wanted) != 0) {
        fail(world, "the backlog is %llu, %llu, %llu, %llu", (unsigned long long)backlog.pending,
             (unsigned long long)backlog.delayed, (unsigned long long)backlog.claimed,
             (unsigned long long)backlog.other_kinds);
    }
}

/* A grant that waited for its gate: does its claim still hold? */
static void look_at_claim(struct world *world)
{
    if (world->claim_count == 0) {
        return;
    }
    const struct known_claim *claim = &world->claims[pick(world, world->claim_count)];
    const struct model_job *job = model_get(world->model, claim->id);
    bool held = job != NULL && job->status == QK_JOB_CLAIMED && job->attempt == claim->attempt;
    qk__grant grant = { .id = claim->id, .attempt = claim->attempt, .gate = 7 };
    if (qk__engine_regrant(world->engine, &grant) != held) {
        fail(world, "the claim of %s %s", short_id(claim->id), held ? "is gone" : "holds");
    }
    if (held && (grant.gate != 7 || strcmp(grant.kind, job->kind) != 0 ||
                 strcmp(grant.queue, job->queue) != 0 || grant.attempts != job->attempts)) {
        fail(world, "the claim of %s is another", short_id(claim->id));
    }
}

void step_look(struct world *world)
{
    look_at_all(world);
    look_at_backlog(world);
    look_at_claim(world);
}

/* After an enqueue: a queue that came to the mark is warned of, once until it was below again. */
void check_warning(struct world *world, const size_t *before)
{
    const char *queue = NULL;
    uint64_t waiting = 0;
    size_t mark = (size_t)world->config.backpressure_warn;
    bool due = false;
    for (int i = 0; i < QUEUES; i++) {
        /* The mark is looked at with each job, so it is passed when the last one did not fit below. */
        due |= before[i] < mark - 1 && waiting_in(world, sim_queues[i]) >= mark;
    }
    bool warned = qk__engine_take_warning(world->engine, &queue, &waiting);
    if (due && !warned) {
        fail(world, "no warning of a full queue");
    }
    world->tally.warnings += warned;
    if (warned && qk__engine_take_warning(world->engine, &queue, &waiting)) {
        fail(world, "a warning comes twice");
    }
}

size_t waiting_in(const struct world *world, const char *queue)
{
    return model_count(world->model, queue, QK_JOB_PENDING) +
           model_count(world->model, queue, QK_JOB_DELAYED);
}
