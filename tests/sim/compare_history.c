/*
 * The attempts that the disk tells of against the model's, which never forgets one: each that ended
 * must be there once, with its worker and how it ended, through retries and settling.
 */
#include "sim.h"

#include <string.h>

static bool is_row_of(const qk__row *row, const struct model_job *job,
                      const struct model_attempt *attempt)
{
    size_t length = strlen(attempt->worker);
    return same_id(row->id, job->id) && row->attempt == attempt->attempt &&
           row->claimed_by.length == length &&
           memcmp(row->claimed_by.data, attempt->worker, length) == 0;
}

static int wanted_outcome(const struct model_attempt *attempt)
{
    if (attempt->ending != MODEL_REPORTED) {
        return attempt->ending == MODEL_LOST ? QK__ATTEMPT_LOST : QK__ATTEMPT_CANCELLED;
    }
    switch (attempt->verdict) {
    case QK_VERDICT_ACK:
        return QK__ATTEMPT_DONE;
    case QK_VERDICT_FAIL:
        return QK__ATTEMPT_FAILED;
    default:
        return QK__ATTEMPT_NACKED;
    }
}

/* A job that was refused for good ended as failed, which is all that its row says. */
static bool outcome_is(const struct world *world, const struct model_job *job,
                       const struct model_attempt *attempt, int outcome)
{
    struct known_job *known = known_find((struct world *)(uintptr_t)world, job->id);
    int wanted = wanted_outcome(attempt);
    bool refused = wanted == QK__ATTEMPT_NACKED && outcome == QK__ATTEMPT_FAILED &&
                   (known->refused >> (attempt->attempt % 64) & 1) != 0;
    return outcome == wanted || refused;
}

static size_t count_rows(struct world *world, const struct disk_table *table,
                         const struct model_job *job, const struct model_attempt *attempt)
{
    size_t count = 0;
    for (size_t i = 0; i < table->count; i++) {
        const qk__row *row = &table->rows[i].row;
        if (row->op != QK__OP_ATTEMPT || !is_row_of(row, job, attempt)) {
            continue;
        }
        if (!outcome_is(world, job, attempt, row->status)) {
            fail(world, "%s: attempt %d ended as %d, the model says %d", short_id(job->id),
                 attempt->attempt, row->status, wanted_outcome(attempt));
        }
        count++;
    }
    return count;
}

static bool is_last_image(struct world *world, const struct model_job *job,
                          const struct model_attempt *attempt)
{
    static const qk__attempt_outcome outcomes[QK_JOB_STATUS_COUNT] = {
        [QK_JOB_DONE] = QK__ATTEMPT_DONE,
        [QK_JOB_FAILED] = QK__ATTEMPT_FAILED,
        [QK_JOB_CANCELLED] = QK__ATTEMPT_CANCELLED,
    };
    const qk__row *row = disk_ended(world->disk, job->id, NULL);
    if (row == NULL || row->claimed_by.data == NULL || !is_row_of(row, job, attempt)) {
        return false;
    }
    int outcome = job->lost >= job->max_lost ? QK__ATTEMPT_LOST : (int)outcomes[row->status];
    if (!outcome_is(world, job, attempt, outcome)) {
        fail(world, "%s: its last attempt %d ended as %d, the model says %d", short_id(job->id),
             attempt->attempt, outcome, wanted_outcome(attempt));
    }
    return true;
}

static void compare_attempt(struct world *world, const struct model_job *job,
                            const struct model_attempt *attempt)
{
    const struct disk *disk = world->disk;
    size_t told = count_rows(world, &disk->journal[0], job, attempt) +
                  count_rows(world, &disk->journal[1], job, attempt) +
                  count_rows(world, &disk->attempts, job, attempt) +
                  is_last_image(world, job, attempt);
    if (told != 1) {
        fail(world, "%s: the disk tells %zu times of attempt %d by %s", short_id(job->id), told,
             attempt->attempt, attempt->worker);
    }
}

void compare_history(struct world *world)
{
    for (size_t i = 0; i < model_size(world->durable); i++) {
        const struct model_job *job = model_at(world->durable, i);
        for (size_t k = 0; k < job->history_count; k++) {
            const struct model_attempt *attempt = &job->history[k];
            /* Without a worker: one that a failed commit made both forget. */
            if (attempt->ending != MODEL_OPEN && attempt->worker[0] != '\0') {
                compare_attempt(world, job, attempt);
            }
        }
    }
}
