/*
 * Reference model: enqueue.
 *
 * All or none by working on a clone, which replaces the model only when every spec went through.
 */
#include "model_internal.h"

#include <stdlib.h>
#include <string.h>

#define SECOND_US 1000000LL
#define DEFAULT_TIMEOUT_US (300 * SECOND_US)
#define DEFAULT_BACKOFF_CAP_US (3600 * SECOND_US)

static bool is_acceptable(const struct model_spec *spec)
{
    if (spec->priority < 0 || spec->priority > QK_PRIORITY_MAX)
        return false;
    if (spec->delay_us < 0 || spec->execute_after_us < 0)
        return false;
    if (spec->delay_us && spec->execute_after_us)
        return false;
    if (spec->max_attempts < 0 || spec->max_lost < 0 || spec->timeout_us < 0)
        return false;
    return spec->backoff_base_us >= 0 && spec->backoff_cap_us >= 0 && spec->backoff_factor >= 1;
}

static const char *queue_of(const struct model_spec *spec)
{
    return spec->queue ? spec->queue : "default";
}

static bool is_built_in(const char *kind)
{
    return strcmp(kind, "command") == 0 || strcmp(kind, "sql") == 0 || strcmp(kind, "dag") == 0;
}

static bool parents_exist(const struct model *model, const struct model_spec *spec)
{
    for (size_t i = 0; i < spec->needs_count; i++)
        if (!model_find(model, spec->needs[i]))
            return false;
    return true;
}

static bool is_full(const struct model *model, const char *queue)
{
    size_t waiting =
        model_count(model, queue, QK_JOB_PENDING) + model_count(model, queue, QK_JOB_DELAYED);
    return waiting >= model_waiting_limit(model, queue);
}

static void fill_limits(struct model_job *job, const struct model_spec *spec)
{
    bool built_in = is_built_in(spec->kind);
    job->max_attempts = spec->max_attempts ? spec->max_attempts : (built_in ? 1 : 3);
    job->max_lost = spec->max_lost ? spec->max_lost : 3;
    job->timeout_us = spec->timeout_us;
    if (!job->timeout_us)
        job->timeout_us = built_in ? QK_FOREVER_US : DEFAULT_TIMEOUT_US;
    job->backoff_base_us = spec->backoff_base_us;
    job->backoff_factor = spec->backoff_factor;
    job->backoff_cap_us = spec->backoff_cap_us ? spec->backoff_cap_us : DEFAULT_BACKOFF_CAP_US;
    job->strict = spec->strict || job->max_attempts == 1;
}

static void fill_needs(struct model_job *job, const struct model_spec *spec)
{
    job->mode = spec->mode;
    job->continue_on_failure = spec->continue_on_failure;
    job->needs = model_grow(NULL, spec->needs_count, sizeof *job->needs);
    job->needs_count = spec->needs_count;
    for (size_t i = 0; i < spec->needs_count; i++)
        job->needs[i] = spec->needs[i];
}

static void create(struct model *model, const struct model_spec *spec, struct model_now now)
{
    model->jobs = model_grow(model->jobs, model->count + 1, sizeof *model->jobs);
    struct model_job *job = &model->jobs[model->count++];
    memset(job, 0, sizeof *job);
    job->id = spec->id;
    model_text(job->kind, sizeof job->kind, spec->kind);
    model_text(job->queue, sizeof job->queue, queue_of(spec));
    model_text(job->unique_key, sizeof job->unique_key, spec->unique_key);
    job->priority = spec->priority;
    job->seq = model->next_seq++;
    job->created_us = now.wall_us;
    job->execute_after_us = spec->execute_after_us;
    if (spec->delay_us)
        job->execute_after_us = model_add_us(now.wall_us, spec->delay_us);
    job->status = job->execute_after_us > now.wall_us ? QK_JOB_DELAYED : QK_JOB_PENDING;
    fill_limits(job, spec);
    fill_needs(job, spec);
    model_settle(model);
}

static qk_status enqueue_one(struct model *model, struct model_enqueued *out,
                             const struct model_spec *spec, struct model_now now)
{
    const struct model_job *same = model_find(model, spec->id);
    if (same) {
        if (!spec->id_given)
            return QK_EINTERNAL;
        *out = (struct model_enqueued){ same->id, true };
        bool equal =
            strcmp(same->kind, spec->kind) == 0 && strcmp(same->queue, queue_of(spec)) == 0;
        return equal ? QK_OK : QK_ECONFLICT;
    }
    const struct model_job *holder = model_key_holder(model, spec->unique_key);
    if (holder) {
        *out = (struct model_enqueued){ holder->id, true };
        return QK_OK;
    }
    if (!parents_exist(model, spec))
        return QK_ENOTFOUND;
    if (!spec->ignore_backpressure && is_full(model, queue_of(spec)))
        return QK_EBACKPRESSURE;
    *out = (struct model_enqueued){ spec->id, false };
    create(model, spec, now);
    return QK_OK;
}

static void swap(struct model *a, struct model *b)
{
    struct model kept = *a;
    *a = *b;
    *b = kept;
}

static qk_status enqueue_all(struct model *model, struct model_enqueued *out, size_t *at,
                             const struct model_spec *specs, size_t count, struct model_now now)
{
    for (*at = 0; *at < count; ++*at)
        if (!is_acceptable(&specs[*at]))
            return QK_EINVAL;
    for (*at = 0; *at < count; ++*at) {
        qk_status status = enqueue_one(model, &out[*at], &specs[*at], now);
        if (status != QK_OK)
            return status;
    }
    return QK_OK;
}

qk_status model_enqueue(struct model *model, struct model_enqueued *out, size_t *failed,
                        const struct model_spec *specs, size_t count, struct model_now now)
{
    struct model *trial = model_clone(model);
    model_next_moment(trial, now);
    size_t at = 0;
    qk_status status = enqueue_all(trial, out, &at, specs, count, now);
    if (status == QK_OK)
        swap(model, trial);
    else if (failed)
        *failed = at;
    model_free(trial);
    return status;
}
