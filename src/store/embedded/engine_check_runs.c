/*
 * The invariants of runs, as code; see engine_check.c. In numbers after those of engine.h:
 * 10. A run counts its jobs: those in memory are among its counts, and what makes it fail.
 * 11. A run is live exactly while it counts a live job; then the node above waits, or is to be claimed.
 * 12. Its jobs may start unless it is held: paused here or above, or the node above does not wait.
 * 13. A node that waits has a child run that is live.
 */
#include "store/embedded/engine_internal.h"

#include <string.h>

static const char *check_counts(const qk__engine *engine, const struct run *run)
{
    uint64_t counts[QK_JOB_STATUS_COUNT] = { 0 };
    uint64_t references = 0;
    uint64_t live = 0;
    for (uint32_t i = 0; i < engine->chunk_count * CHUNK_JOBS; i++) {
        const struct job *job = job_at(engine, i);
        if (job->used && job->run == run->index) {
            counts[job->status]++;
            references++;
        }
    }
    for (int s = 0; s < QK_JOB_STATUS_COUNT; s++) {
        bool ended = qk_job_status_is_terminal((qk_job_status)s);
        if (ended ? run->counts[s] < counts[s] : run->counts[s] != counts[s]) {
            return "10: a run's counts differ from a recount";
        }
        live += ended ? 0 : counts[s];
    }
    if (references != run->references) {
        return "10: a run's jobs in memory differ from a recount";
    }
    return (live == 0) == run->ended ? NULL : "11: a run has ended and lives, or neither";
}

static const char *check_held(const qk__engine *engine, const struct run *run)
{
    uint32_t above = qk_id_is_none(run->parent_job) ? NIL : job_find(engine, run->parent_job);
    const struct job *node = above == NIL ? NULL : job_at(engine, above);
    const struct run *outer = node == NULL ? NULL : run_of(engine, node);
    bool waits = node == NULL || (node->flags & JF_WAITING) != 0;
    bool held = run->paused || !waits || (outer != NULL && outer->held);
    if (run->ended) {
        return NULL;
    }
    if (node != NULL && qk_job_status_is_terminal(node->status)) {
        return "11: a run lives below a node that has ended";
    }
    return held == run->held ? NULL : "12: a run is held without need, or not held";
}

const char *check_runs(const qk__engine *engine)
{
    const char *broken = engine->due_runs.count == 0 ? NULL : "11: a run was not reviewed";
    for (size_t i = 0; broken == NULL && i < engine->runs.count; i++) {
        const struct run *run = engine->runs.items[i];
        if (run != NULL) {
            broken = check_counts(engine, run);
            broken = broken == NULL ? check_held(engine, run) : broken;
        }
    }
    for (uint32_t i = 0; broken == NULL && i < engine->chunk_count * CHUNK_JOBS; i++) {
        const struct job *job = job_at(engine, i);
        if (job->used && (job->flags & JF_WAITING) != 0) {
            const struct run *child = run_find(engine, job->extra->child_run);
            broken = child == NULL || child->ended ? "13: a node waits for no run" : NULL;
        }
    }
    return broken;
}
