/*
 * Reference model: its life, its queues, and looking at it.
 *
 * Everything is in arrays that grow by one and are searched from the start. A clone is a copy of
 * each array, so nothing is ever shared between two models.
 */
#include "model_internal.h"

#include <stdlib.h>
#include <string.h>

#define DEFAULT_WAITING_LIMIT 1000000

void *model_grow(void *array, size_t count, size_t item_size)
{
    void *grown = realloc(array, (count ? count : 1) * item_size);
    if (!grown)
        abort();
    return grown;
}

static void *copy_array(const void *array, size_t count, size_t item_size)
{
    void *copy = model_grow(NULL, count, item_size);
    if (count)
        memcpy(copy, array, count * item_size);
    return copy;
}

void model_text(char *out, size_t size, const char *text)
{
    size_t length = text ? strlen(text) : 0;
    if (length >= size)
        abort();
    memset(out, 0, size);
    if (length)
        memcpy(out, text, length);
}

struct model *model_new(size_t waiting_limit)
{
    struct model *model = model_grow(NULL, 1, sizeof *model);
    *model = (struct model){ .waiting_limit = waiting_limit ? waiting_limit : DEFAULT_WAITING_LIMIT,
                             .next_seq = 1,
                             .next_ended = 1 };
    return model;
}

void model_free(struct model *model)
{
    if (!model)
        return;
    for (size_t i = 0; i < model->count; i++) {
        free(model->jobs[i].needs);
        free(model->jobs[i].history);
    }
    free(model->jobs);
    free(model->queues);
    free(model);
}

struct model *model_clone(const struct model *model)
{
    struct model *copy = copy_array(model, 1, sizeof *model);
    copy->jobs = copy_array(model->jobs, model->count, sizeof *model->jobs);
    copy->queues = copy_array(model->queues, model->queue_count, sizeof *model->queues);
    for (size_t i = 0; i < copy->count; i++) {
        struct model_job *job = &copy->jobs[i];
        job->needs = copy_array(job->needs, job->needs_count, sizeof *job->needs);
        job->history = copy_array(job->history, job->history_count, sizeof *job->history);
    }
    return copy;
}

static const struct queue_state *look_up_queue(const struct model *model, const char *name)
{
    for (size_t i = 0; i < model->queue_count; i++)
        if (strcmp(model->queues[i].name, name ? name : "default") == 0)
            return &model->queues[i];
    return NULL;
}

struct queue_state *model_queue(struct model *model, const char *name)
{
    const struct queue_state *found = look_up_queue(model, name);
    if (found)
        return &model->queues[found - model->queues];
    model->queues = model_grow(model->queues, model->queue_count + 1, sizeof *model->queues);
    struct queue_state *queue = &model->queues[model->queue_count++];
    *queue = (struct queue_state){ 0 };
    model_text(queue->name, sizeof queue->name, name ? name : "default");
    return queue;
}

void model_set_waiting_limit(struct model *model, const char *queue, size_t limit)
{
    model_queue(model, queue)->waiting_limit = limit;
}

size_t model_waiting_limit(const struct model *model, const char *queue)
{
    const struct queue_state *state = look_up_queue(model, queue);
    return state && state->waiting_limit ? state->waiting_limit : model->waiting_limit;
}

void model_pause(struct model *model, const char *queue)
{
    model_queue(model, queue)->paused = true;
}

void model_resume(struct model *model, const char *queue)
{
    model_queue(model, queue)->paused = false;
}

bool model_is_paused(const struct model *model, const char *queue)
{
    const struct queue_state *state = look_up_queue(model, queue);
    return state && state->paused;
}

bool model_same_id(qk_id a, qk_id b)
{
    return memcmp(a.bytes, b.bytes, sizeof a.bytes) == 0;
}

bool model_is_terminal(const struct model_job *job)
{
    return job->status == QK_JOB_DONE || job->status == QK_JOB_FAILED ||
           job->status == QK_JOB_SKIPPED || job->status == QK_JOB_CANCELLED;
}

bool model_is_waiting(const struct model_job *job)
{
    return job->status == QK_JOB_PENDING || job->status == QK_JOB_DELAYED;
}

int64_t model_add_us(int64_t a, int64_t b)
{
    if (b > 0 && a > QK_FOREVER_US - b)
        return QK_FOREVER_US;
    return a + b;
}

struct model_job *model_find(const struct model *model, qk_id id)
{
    for (size_t i = 0; i < model->count; i++)
        if (model_same_id(model->jobs[i].id, id))
            return &model->jobs[i];
    return NULL;
}

struct model_job *model_key_holder(const struct model *model, const char *key)
{
    if (!key || !key[0])
        return NULL;
    for (size_t i = 0; i < model->count; i++) {
        struct model_job *job = &model->jobs[i];
        if (!model_is_terminal(job) && strcmp(job->unique_key, key) == 0)
            return job;
    }
    return NULL;
}

void model_next_moment(struct model *model, struct model_now now)
{
    bool later = now.wall_us != model->wall_us; /* times of one microsecond tell no order */
    model->moment += later && (!model->joined || model->moment_due);
    model->moment_due &= !later;
    model->wall_us = now.wall_us;
}

void model_join_moments(struct model *model, bool joined)
{
    model->joined = joined;
    model->moment_due = true;
}

void model_trust_causes(struct model *model)
{
    model->any_cause = true;
}

const struct model_job *model_get(const struct model *model, qk_id job)
{
    return model_find(model, job);
}

size_t model_size(const struct model *model)
{
    return model->count;
}

const struct model_job *model_at(const struct model *model, size_t index)
{
    return &model->jobs[index];
}

size_t model_count(const struct model *model, const char *queue, qk_job_status status)
{
    size_t found = 0;
    for (size_t i = 0; i < model->count; i++) {
        const struct model_job *job = &model->jobs[i];
        if (job->status == status && (!queue || strcmp(job->queue, queue) == 0))
            found++;
    }
    return found;
}
