/*
 * Reference model: the invariants that model.h lists, each as one function over a job.
 */
#include "model_internal.h"

#include <stdio.h>
#include <string.h>

static const char *check_identity(const struct model *model, const struct model_job *job)
{
    if (model_find(model, job->id) != job)
        return "1: the id is taken twice";
    for (size_t i = 0; i < model->count; i++)
        if (&model->jobs[i] != job && model->jobs[i].seq == job->seq)
            return "1: the place is taken twice";
    for (size_t i = 0; i < job->needs_count; i++) {
        const struct model_job *parent = model_find(model, job->needs[i]);
        if (!parent || parent >= job)
            return "1: a parent is missing or not older";
    }
    return NULL;
}

static const char *check_lease(const struct model *model, const struct model_job *job)
{
    (void)model;
    bool claimed = job->status == QK_JOB_CLAIMED;
    if (claimed != (job->worker[0] != '\0'))
        return "2: claimed, but no worker, or the reverse";
    for (size_t i = 0; i < job->history_count; i++) {
        const struct model_attempt *attempt = &job->history[i];
        bool current = claimed && i + 1 == job->history_count;
        if (current != (attempt->ending == MODEL_OPEN))
            return "2: an attempt is open that should not be, or the reverse";
        if (current && strcmp(attempt->worker, job->worker) != 0)
            return "2: the open attempt is another worker's";
        if (attempt->attempt != (int)i + 1)
            return "4: attempt numbers have a gap or repeat";
    }
    return NULL;
}

static const char *check_budget(const struct model *model, const struct model_job *job)
{
    (void)model;
    if (job->attempts < 0 || job->attempts > job->max_attempts)
        return "3: attempts is not within 0 to max_attempts";
    bool live = !model_is_terminal(job);
    if (live && job->attempts != job->failures + (job->status == QK_JOB_CLAIMED ? 1 : 0))
        return "3: attempts is not the failures and the present claim";
    if (job->attempt != (int)job->history_count || job->attempts > job->attempt)
        return "4: attempt is not the number of claims";
    if (job->lost > job->max_lost || (live && job->lost == job->max_lost))
        return "4: lost too often for its state";
    return NULL;
}

static const char *check_key(const struct model *model, const struct model_job *job)
{
    if (!job->unique_key[0] || model_is_terminal(job))
        return NULL;
    return model_key_holder(model, job->unique_key) == job ? NULL
                                                           : "5: a unique key has two holders";
}

static const char *check_dependencies(const struct model *model, const struct model_job *job)
{
    if (model_is_waiting(job) && model_verdict(model, job) == VERDICT_NEVER)
        return "6: waits for what can never be";
    return NULL;
}

static const char *check_delay(const struct model *model, const struct model_job *job)
{
    (void)model;
    bool delayed = job->status == QK_JOB_DELAYED;
    if (job->backoff_open)
        return "7: its back-off was not accepted";
    return delayed && job->execute_after_us <= 0 ? "7: delayed, but no time to start" : NULL;
}

static const char *check_ending(const struct model *model, const struct model_job *job)
{
    (void)model;
    bool skipped = job->status == QK_JOB_SKIPPED;
    bool for_condition = strcmp(job->skip_reason, "condition") == 0;
    bool for_failure = strncmp(job->skip_reason, "parent_failed:", 14) == 0;
    if (skipped != (for_condition || for_failure) || skipped != (job->skip_reason[0] != '\0'))
        return "8: skipped without a reason, or the reverse";
    if (for_failure != (job->root_order != 0))
        return "8: skipped for a failure without a root, or the reverse";
    if (model_is_terminal(job) != (job->ended_order != 0))
        return "8: terminal without an order, or the reverse";
    if (job->status != QK_JOB_DONE && job->result[0])
        return "9: a result, but not done";
    if (job->status == QK_JOB_DONE && job->error[0])
        return "9: done with an error";
    return NULL;
}

typedef const char *check_function(const struct model *model, const struct model_job *job);

const char *model_check(const struct model *model)
{
    static char text[256];
    static check_function *const checks[] = { check_identity, check_lease,        check_budget,
                                              check_key,      check_dependencies, check_delay,
                                              check_ending };
    for (size_t i = 0; i < model->count; i++) {
        for (size_t k = 0; k < sizeof checks / sizeof checks[0]; k++) {
            const char *broken = checks[k](model, &model->jobs[i]);
            if (!broken)
                continue;
            snprintf(text, sizeof text, "job %zu (%s), invariant %s", i, model->jobs[i].kind,
                     broken);
            return text;
        }
    }
    return NULL;
}
