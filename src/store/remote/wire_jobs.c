/*
 * Jobs and claims out of answers; see wire.h. Two passes: the first adds up the text, the second
 * writes it into the block. No state; any thread.
 */
#include <stdlib.h>
#include <string.h>

#include "store/remote/wire.h"

/* Texts of a job, in the order in which both passes take them. */
static const char *const job_texts[] = { "node_name", "kind",        "payload_text",
                                         "queue",     "claimed_by",  "result_text",
                                         "error",     "skip_reason", "skipped_by",
                                         "name",      "unique_key",  "progress_message" };

static size_t text_size(const json_t *object, const char *key)
{
    const json_t *value = json_object_get(object, key);
    return json_is_string(value) ? json_string_length(value) + 1 : 0;
}

static const char *put(char **at, const char *text, size_t length)
{
    char *start = *at;
    memcpy(start, text, length);
    start[length] = '\0';
    *at += length + 1;
    return start;
}

static const char *put_key(char **at, const json_t *object, const char *key)
{
    const json_t *value = json_object_get(object, key);
    return json_is_string(value) ? put(at, json_string_value(value), json_string_length(value))
                                 : NULL;
}

static void fill_texts(qk_job *job, const json_t *json, char **at)
{
    const char **const targets[] = { &job->node_name, &job->kind,        &job->payload,
                                     &job->queue,     &job->claimed_by,  &job->result,
                                     &job->error,     &job->skip_reason, &job->skipped_by,
                                     &job->name,      &job->unique_key,  &job->progress_message };
    for (size_t i = 0; i < sizeof(targets) / sizeof(targets[0]); i++)
        *targets[i] = put_key(at, json, job_texts[i]);
}

static bool fill_numbers(qk_job *job, const json_t *json)
{
    int64_t priority, attempts, max_attempts;
    const json_t *progress = json_object_get(json, "progress");
    const json_t *map_index = json_object_get(json, "map_index");
    const json_t *exit_code = json_object_get(json, "exit_code");
    const char *status = json_string_value(json_object_get(json, "status"));
    const char *mode = json_string_value(json_object_get(json, "dependency_mode"));
    bool good = wire_get_number(&priority, json, "priority") &&
                wire_get_number(&attempts, json, "attempts") &&
                wire_get_number(&max_attempts, json, "max_attempts") &&
                wire_get_seconds(&job->timeout.us, json, "timeout_seconds") && status && mode &&
                qk_job_status_parse(&job->status, status) == QK_OK &&
                qk_dependency_mode_parse(&job->mode, mode) == QK_OK;
    if (!good)
        return false;
    job->priority = (int)priority;
    job->attempts = (int32_t)attempts;
    job->max_attempts = (int32_t)max_attempts;
    job->progress = json_is_number(progress) ? json_number_value(progress) : -1;
    job->map_index = json_is_integer(map_index) ? (int32_t)json_integer_value(map_index) : -1;
    job->has_exit_code = json_is_integer(exit_code);
    job->exit_code = (int)json_integer_value(exit_code);
    return true;
}

static bool fill_job(qk_job *job, const json_t *json, const char *tags, char **at)
{
    bool good = wire_get_id(&job->id, json, "id") && !qk_id_is_none(job->id) &&
                wire_get_id(&job->run_id, json, "dag_run_id") &&
                wire_get_time(&job->created_at, json, "created_at") &&
                wire_get_time(&job->execute_after, json, "execute_after") &&
                wire_get_time(&job->claimed_at, json, "claimed_at") &&
                wire_get_time(&job->completed_at, json, "completed_at") &&
                wire_get_time(&job->skipped_at, json, "skipped_at") && fill_numbers(job, json);
    fill_texts(job, json, at);
    job->tags = tags ? put(at, tags, strlen(tags)) : NULL;
    return good && job->kind && job->queue;
}

/* Texts of tags: dumped again, for they are nested. */
static bool dump_tags(char **tags, size_t *size, const json_t *const *jobs, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const json_t *value = json_object_get(jobs[i], "tags");
        if (!json_is_array(value))
            continue;
        tags[i] = json_dumps(value, JSON_COMPACT);
        if (!tags[i])
            return false;
        *size += strlen(tags[i]) + 1;
    }
    return true;
}

bool wire_jobs(void **block, qk_job **items, size_t head, const json_t *const *jobs, size_t count)
{
    bool good = true;
    size_t text = 0;
    char *memory = NULL;
    char **tags = calloc(count ? count : 1, sizeof(*tags));
    *block = NULL;
    for (size_t i = 0; i < count; i++) {
        for (size_t k = 0; k < sizeof(job_texts) / sizeof(job_texts[0]); k++)
            text += text_size(jobs[i], job_texts[k]);
    }
    if (tags && dump_tags(tags, &text, jobs, count))
        memory = calloc(1, head + count * sizeof(qk_job) + text + 1);
    if (memory) {
        *items = (qk_job *)(void *)(memory + head);
        char *at = (char *)(*items + count);
        for (size_t i = 0; i < count && good; i++)
            good = fill_job(&(*items)[i], jobs[i], tags[i], &at);
        *block = memory;
    }
    for (size_t i = 0; tags && i < count; i++)
        free(tags[i]);
    free(tags);
    if (!good) {
        free(memory);
        *block = NULL;
    }
    return good;
}

#define CLAIM_TEXTS 6
static const char *const claim_texts[CLAIM_TEXTS] = { "worker_id",    "kind", "queue",
                                                      "payload_text", "name", "node_name" };

static bool fill_claim(qk_claimed *claim, const json_t *json, char **at)
{
    int64_t attempt, attempts, max_attempts;
    const char *texts[CLAIM_TEXTS];
    bool good = wire_get_id(&claim->lease.job, json, "job_id") &&
                wire_get_number(&attempt, json, "attempt") &&
                wire_get_number(&attempts, json, "attempts") &&
                wire_get_number(&max_attempts, json, "max_attempts") &&
                wire_get_seconds(&claim->timeout.us, json, "timeout_seconds") &&
                wire_get_time(&claim->claimed_at, json, "claimed_at");
    int64_t depth = 0;
    (void)wire_get_number(&depth, json, "run_depth");
    claim->run_depth = (int)depth;
    good = good && wire_get_id(&claim->run_id, json, "dag_run_id");
    for (size_t i = 0; i < CLAIM_TEXTS; i++) {
        texts[i] = put_key(at, json, claim_texts[i]);
        good = good && (texts[i] || i >= 4);
    }
    if (!good)
        return false;
    claim->lease.attempt = (int32_t)attempt;
    claim->lease.worker_id = texts[0];
    claim->kind = texts[1];
    claim->queue = texts[2];
    claim->payload = texts[3];
    claim->payload_length = json_string_length(json_object_get(json, "payload_text"));
    claim->name = texts[4];
    claim->node_name = texts[5];
    claim->attempts = (int32_t)attempts;
    claim->max_attempts = (int32_t)max_attempts;
    claim->strict = json_is_true(json_object_get(json, "strict"));
    return true;
}

bool wire_claims(qk_claims **out, const json_t *list)
{
    size_t count = json_array_size(list), text = 0;
    *out = NULL;
    if (count == 0)
        return false;
    for (size_t i = 0; i < count; i++) {
        for (size_t k = 0; k < CLAIM_TEXTS; k++)
            text += text_size(json_array_get(list, i), claim_texts[k]);
    }
    qk_claims *claims = calloc(1, sizeof(*claims) + count * sizeof(qk_claimed) + text + 1);
    if (!claims)
        return true;
    claims->count = count;
    claims->items = (qk_claimed *)(claims + 1);
    char *at = (char *)(claims->items + count);
    for (size_t i = 0; i < count; i++) {
        if (!fill_claim(&claims->items[i], json_array_get(list, i), &at)) {
            free(claims);
            return false;
        }
    }
    *out = claims;
    return true;
}
