/*
 * Specs made ready for the store; see spec.h. Any thread.
 *
 * Built for bulk: specs of a batch mostly share their kind and options by address, and what has
 * been checked for one is copied for the next. Ids are taken as one block per batch.
 */
#include "queue/spec.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "queue/validate.h"
#include "util/buffer.h"
#include "util/error.h"
#include "util/id.h"

#define FEW_NEEDS 8
#define DEFAULT_TIMEOUT_US INT64_C(300000000)
#define DEFAULT_ATTEMPTS 3
#define DEFAULT_LOST 3
#define DEFAULT_BACKOFF_CAP_US INT64_C(3600000000)

struct qk__spec_block {
    qk__spec_block *next;
    void *data;
};

void qk__spec_memory_dispose(qk__spec_memory *memory)
{
    while (memory->blocks) {
        qk__spec_block *block = memory->blocks;
        memory->blocks = block->next;
        free(block->data);
        free(block);
    }
}

/* Takes `data`, which is freed at once if it cannot be kept. */
static bool keep(qk__spec_memory *memory, void *data)
{
    qk__spec_block *block = malloc(sizeof(*block));
    if (!block) {
        free(data);
        return false;
    }
    *block = (qk__spec_block){ memory->blocks, data };
    memory->blocks = block;
    return true;
}

static int compare_ids(const void *a, const void *b)
{
    return memcmp(a, b, sizeof(qk_id));
}

static bool has_duplicates_few(const qk_id *ids, size_t count)
{
    for (size_t i = 1; i < count; i++) {
        for (size_t j = 0; j < i; j++) {
            if (qk_id_compare(ids[i], ids[j]) == 0)
                return true;
        }
    }
    return false;
}

/* A parent named twice is one parent: the store counts parents. */
static qk_status prepare_needs(qk__new_job *job, qk__spec_memory *memory,
                               const qk_job_options *options, qk_error *err)
{
    const qk_id *needs = options->needs;
    size_t count = options->needs_count;

    if (count == 0)
        return QK_OK;
    if (!needs)
        return qk__error(err, QK_EINVAL, "needs: must not be NULL when needs_count is not 0");
    for (size_t i = 0; i < count; i++) {
        if (qk_id_is_none(needs[i]))
            return qk__error(err, QK_EINVAL, "needs: id %zu is empty", i);
        if (qk_id_compare(needs[i], options->id) == 0)
            return qk__error(err, QK_EINVAL, "needs: a job cannot need itself");
    }
    job->needs = needs;
    job->needs_count = count;
    if (count <= FEW_NEEDS && !has_duplicates_few(needs, count))
        return QK_OK;

    qk_id *sorted = calloc(count, sizeof(*sorted));
    if (!sorted)
        return qk__error(err, QK_ENOMEM, "out of memory");
    memcpy(sorted, needs, count * sizeof(*sorted));
    qsort(sorted, count, sizeof(*sorted), compare_ids);
    size_t unique = 1;
    for (size_t i = 1; i < count; i++) {
        if (qk_id_compare(sorted[i], sorted[unique - 1]) != 0)
            sorted[unique++] = sorted[i];
    }
    if (unique == count) { /* keep the caller's order */
        free(sorted);
        return QK_OK;
    }
    if (!keep(memory, sorted))
        return qk__error(err, QK_ENOMEM, "out of memory");
    job->needs = sorted;
    job->needs_count = unique;
    return QK_OK;
}

/* They are checked already. */
static qk_status prepare_tags(qk__new_job *job, qk__spec_memory *memory,
                              const qk_job_options *options, qk_error *err)
{
    qk__buffer text;

    if (options->tag_count == 0)
        return QK_OK;
    /* An escaped byte takes up to six. */
    qk__buffer_init(&text, 2 + QK_TAGS_MAX * (3 + (size_t)QK_NAME_MAX * 6));
    for (size_t i = 0; i < options->tag_count; i++) {
        qk__buffer_append(&text, i ? "," : "[", 1);
        qk__buffer_json_string(&text, options->tags[i], strlen(options->tags[i]));
    }
    qk__buffer_append(&text, "]", 1);
    char *json = qk__buffer_take(&text);
    if (!json || !keep(memory, json))
        return qk__error(err, QK_ENOMEM, "out of memory");
    job->tags = json;
    return QK_OK;
}

static qk_status check_numbers(const qk_job_options *options, qk_error *err)
{
    if (options->priority < 0 || options->priority > QK_PRIORITY_MAX) {
        return qk__error(err, QK_EINVAL, "priority: %d is not within 0 and %d", options->priority,
                         QK_PRIORITY_MAX);
    }
    if (options->max_attempts < 0)
        return qk__error(err, QK_EINVAL, "max_attempts: must not be negative");
    if (options->max_lost < 0)
        return qk__error(err, QK_EINVAL, "max_lost: must not be negative");
    if (!qk_dependency_mode_name(options->mode))
        return qk__error(err, QK_EINVAL, "mode: %d is not a dependency mode", (int)options->mode);
    if (options->delay.us && options->execute_after.us)
        return qk__error(err, QK_EINVAL, "delay: not together with execute_after");
    if (options->execute_after.us < 0)
        return qk__error(err, QK_EINVAL, "execute_after: lies before 1970");
    if (options->execute_after.us > QK__TIME_MAX_US)
        return qk__error(err, QK_EINVAL, "execute_after: lies after the year 9999");
    if (!isfinite(options->backoff.factor) || options->backoff.factor < 1.0)
        return qk__error(err, QK_EINVAL, "backoff factor: must be a number from 1");
    return QK_OK;
}

static qk_status check_durations(const qk_job_options *options, qk_error *err)
{
    qk_status rc = qk__check_duration("delay", options->delay, false, err);
    if (!rc)
        rc = qk__check_duration("timeout", options->timeout, true, err);
    if (!rc)
        rc = qk__check_duration("backoff base", options->backoff.base, false, err);
    if (!rc)
        rc = qk__check_duration("backoff cap", options->backoff.cap, true, err);
    return rc;
}

static qk_status check_texts(const qk_job_options *options, qk_error *err)
{
    qk_status rc = qk__check_optional_name("queue", options->queue, err);
    if (!rc)
        rc = qk__check_optional_name("unique_key", options->unique_key, err);
    if (!rc)
        rc = qk__check_optional_name("name", options->name, err);
    return rc;
}

static qk_status check_tags(const qk_job_options *options, qk_error *err)
{
    qk_status rc = QK_OK;
    if (options->tag_count > QK_TAGS_MAX)
        return qk__error(err, QK_EINVAL, "tags: more than %d", QK_TAGS_MAX);
    if (options->tag_count && !options->tags)
        return qk__error(err, QK_EINVAL, "tags: must not be NULL when tag_count is not 0");
    for (size_t i = 0; !rc && i < options->tag_count; i++)
        rc = qk__check_name("tag", options->tags[i], err);
    return rc;
}

qk_status qk__spec_check_options(const qk_job_options *options, qk_error *err)
{
    qk_status rc = qk__check_version("job options", "QK_JOB_OPTIONS_INIT", options->version, err);
    if (!rc)
        rc = check_numbers(options, err);
    if (!rc)
        rc = check_durations(options, err);
    if (!rc)
        rc = check_texts(options, err);
    if (!rc && options->needs_count && !options->needs)
        rc = qk__error(err, QK_EINVAL, "needs: must not be NULL when needs_count is not 0");
    return rc ? rc : check_tags(options, err);
}

/* Everything that depends on the options alone. */
static qk_status prepare_options(qk__new_job *job, qk__spec_memory *memory,
                                 const qk__spec_limits *limits, const qk_job_options *options,
                                 qk_error *err)
{
    qk_status rc = qk__spec_check_options(options, err);
    if (rc)
        return rc;
    *job = (qk__new_job){
        .continue_on_failure = options->continue_on_failure,
        .ignore_backpressure = options->ignore_backpressure,
        .strict = options->strict,
        .priority = (uint8_t)options->priority,
        .mode = (uint8_t)options->mode,
        .max_lost = options->max_lost ? options->max_lost : DEFAULT_LOST,
        .delay_us = options->delay.us,
        .execute_after_us = options->execute_after.us,
        .backoff_base_us = options->backoff.base.us,
        .backoff_cap_us =
            options->backoff.cap.us ? options->backoff.cap.us : DEFAULT_BACKOFF_CAP_US,
        .backoff_factor = options->backoff.factor,
        .queue = options->queue ? options->queue : limits->default_queue,
        .unique_key = options->unique_key,
        .name = options->name,
    };
    rc = prepare_needs(job, memory, options, err);
    return rc ? rc : prepare_tags(job, memory, options, err);
}

typedef struct kind_defaults {
    const char *kind;
    bool command;
    int32_t max_attempts;
    int64_t timeout_us;
} kind_defaults;

static qk_status prepare_kind(kind_defaults *out, const char *kind, qk_error *err)
{
    qk_status rc = qk__check_name("kind", kind, err);
    if (rc)
        return rc;
    bool command = strcmp(kind, "command") == 0;
    bool once = command || strcmp(kind, "sql") == 0;
    bool untimed = once || strcmp(kind, "dag") == 0;
    *out = (kind_defaults){ kind, command, once ? 1 : DEFAULT_ATTEMPTS,
                            untimed ? QK_FOREVER_US : DEFAULT_TIMEOUT_US };
    return QK_OK;
}

static qk_status prepare_payload(qk__new_job *job, const char *payload, bool command, size_t limit,
                                 qk_error *err)
{
    job->payload = payload ? payload : "null";
    job->payload_length = strlen(job->payload);
    qk_status rc = qk__check_json("payload", job->payload, job->payload_length, limit, err);
    if (!rc && command)
        rc = qk__check_command(job->payload, job->payload_length, err);
    return rc;
}

qk_status qk__spec_prepare(qk__new_job *jobs, size_t *bad, qk__spec_memory *memory,
                           const qk__spec_limits *limits, const qk_job_spec *specs, size_t count,
                           qk_error *err)
{
    static const qk_job_options default_options = QK_JOB_OPTIONS_INIT;
    const qk_job_options *known_options = NULL;
    const size_t limit = limits->max_payload;
    kind_defaults kind = { 0 };
    qk__new_job shared;
    qk__id_block ids;
    qk_status rc = QK_OK;

    memset(&shared, 0, sizeof(shared));
    qk__id_block_take(&ids, count ? count : 1);
    for (size_t i = 0; i < count; i++) {
        const qk_job_options *options = specs[i].options ? specs[i].options : &default_options;
        *bad = i;
        if (specs[i].kind != kind.kind || !kind.kind)
            rc = prepare_kind(&kind, specs[i].kind, err);
        if (!rc && options != known_options)
            rc = prepare_options(&shared, memory, limits, options, err);
        if (rc)
            return rc;
        known_options = options;
        jobs[i] = shared;
        jobs[i].kind = kind.kind;
        jobs[i].max_attempts = options->max_attempts ? options->max_attempts : kind.max_attempts;
        jobs[i].timeout_us = options->timeout.us ? options->timeout.us : kind.timeout_us;
        jobs[i].id_given = !qk_id_is_none(options->id);
        jobs[i].id = jobs[i].id_given ? options->id : qk__id_block_next(&ids);
        rc = prepare_payload(&jobs[i], specs[i].payload, kind.command, limit, err);
        if (rc)
            return rc;
    }
    return QK_OK;
}
