/*
 * Reference model: what time and crashes bring.
 *
 * Each step takes the next due job by a full scan, until there is none, so that the order of
 * application is plain to see.
 */
#include "model_internal.h"

#include <stdio.h>
#include <string.h>

static double backoff_of(const struct model_job *job)
{
    double delay = (double)job->backoff_base_us;
    double cap = (double)job->backoff_cap_us;
    for (int i = 1; i < job->failures && delay < cap; i++)
        delay *= job->backoff_factor;
    return delay < cap ? delay : cap;
}

bool model_accept_backoff(struct model *model, qk_id id, int64_t execute_after_us,
                          struct model_now now)
{
    struct model_job *job = model_find(model, id);
    if (!job || !job->backoff_open)
        return false;
    /* 1 us either way: whether a fraction is cut or rounded is nobody's contract */
    double delay = backoff_of(job);
    double chosen = (double)(execute_after_us - now.wall_us);
    if (chosen < delay / 2 - 1 || chosen > delay + 1)
        return false;
    job->execute_after_us = execute_after_us;
    job->backoff_open = false;
    return true;
}

void model_lose(struct model *model, struct model_job *job)
{
    model_close_attempt(job, MODEL_LOST, QK_VERDICT_ACK);
    job->lost++;
    job->attempts--;
    if (job->lost < job->max_lost) {
        job->status = QK_JOB_PENDING;
        job->worker[0] = '\0';
        return;
    }
    snprintf(job->error, sizeof job->error, "worker lost %d times", job->max_lost);
    model_end(model, job, QK_JOB_FAILED);
}

static bool is_expired(const struct model_job *job, struct model_now now)
{
    return job->status == QK_JOB_CLAIMED && job->deadline_us <= now.mono_us;
}

static struct model_job *next_expired(struct model *model, struct model_now now)
{
    struct model_job *next = NULL;
    for (size_t i = 0; i < model->count; i++) {
        struct model_job *job = &model->jobs[i];
        if (!is_expired(job, now))
            continue;
        if (!next || job->deadline_us < next->deadline_us ||
            (job->deadline_us == next->deadline_us && job->leased < next->leased))
            next = job;
    }
    return next;
}

static bool is_due(const struct model_job *job, struct model_now now)
{
    return job->status == QK_JOB_DELAYED && !job->backoff_open &&
           job->execute_after_us <= now.wall_us;
}

static struct model_job *next_due(struct model *model, struct model_now now)
{
    struct model_job *next = NULL;
    for (size_t i = 0; i < model->count; i++) {
        struct model_job *job = &model->jobs[i];
        if (!is_due(job, now))
            continue;
        if (!next || job->execute_after_us < next->execute_after_us ||
            (job->execute_after_us == next->execute_after_us && job->seq < next->seq))
            next = job;
    }
    return next;
}

void model_tick(struct model *model, struct model_now now)
{
    model_next_moment(model, now);
    struct model_job *job;
    while ((job = next_expired(model, now))) {
        model_lose(model, job);
        model_settle(model);
    }
    while ((job = next_due(model, now))) {
        job->status = QK_JOB_PENDING;
        job->seq = model->next_seq++;
    }
}

int64_t model_next_wake_wall(const struct model *model)
{
    int64_t wake = INT64_MAX;
    for (size_t i = 0; i < model->count; i++) {
        const struct model_job *job = &model->jobs[i];
        if (job->status == QK_JOB_DELAYED && !job->backoff_open && job->execute_after_us < wake)
            wake = job->execute_after_us;
    }
    return wake;
}

int64_t model_next_wake_mono(const struct model *model)
{
    int64_t wake = INT64_MAX;
    for (size_t i = 0; i < model->count; i++) {
        const struct model_job *job = &model->jobs[i];
        if (job->status == QK_JOB_CLAIMED && job->deadline_us < wake)
            wake = job->deadline_us;
    }
    return wake;
}

static bool is_survivor(const char *const *survivors, size_t count, const char *worker)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(survivors[i], worker) == 0)
            return true;
    return false;
}

static struct model_job *next_orphan(struct model *model, const char *const *survivors,
                                     size_t count)
{
    struct model_job *next = NULL;
    for (size_t i = 0; i < model->count; i++) {
        struct model_job *job = &model->jobs[i];
        if (job->status != QK_JOB_CLAIMED || job->held ||
            is_survivor(survivors, count, job->worker))
            continue;
        if (!next || job->seq < next->seq)
            next = job;
    }
    return next;
}

void model_recover(struct model *model, const char *const *survivors, size_t count,
                   struct model_now now)
{
    model_next_moment(model, now);
    struct model_job *orphan;
    while ((orphan = next_orphan(model, survivors, count))) {
        model_lose(model, orphan);
        model_settle(model);
    }
    for (size_t i = 0; i < model->count; i++) {
        struct model_job *job = &model->jobs[i];
        job->leased = model->next_lease + job->seq; /* those that stay are leased anew, by place */
        if (job->status == QK_JOB_CLAIMED && !job->held)
            job->deadline_us = model_add_us(now.mono_us, job->lease_us);
        job->held = false;
        if (!model_is_terminal(job))
            job->strict = true;
    }
    model->next_lease += model->next_seq;
}
