/*
 * What is no longer in memory: facts about ended jobs, read from the tables on a reader.
 */
#include "store/embedded/embedded_internal.h"

#include "store/embedded/reader_internal.h"

#include "util/error.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int by_id(const void *a, const void *b)
{
    return memcmp(a, b, sizeof(qk_id)); /* the id is the first member */
}

static void copy_name(char *out, qk__text text)
{
    size_t length = text.length > QK_NAME_MAX ? QK_NAME_MAX : text.length;
    if (text.data != NULL) {
        memcpy(out, text.data, length);
    }
    out[text.data == NULL ? 0 : length] = '\0';
}

static void take_ext(qk__cold_job *job, const qk__row *row)
{
    json_t *ext =
        row->ext.data == NULL ? NULL : json_loadb(row->ext.data, row->ext.length, 0, NULL);
    const char *reason = json_string_value(json_object_get(ext, "sr"));
    const json_t *order = json_object_get(ext, "ct");
    job->continue_on_failure = json_is_true(json_object_get(ext, "cf"));
    if (order != NULL) {
        job->cause_order = (int64_t)json_integer_value(order);
    }
    if (reason != NULL && strncmp(reason, "parent_failed:", 14) == 0) {
        (void)qk_id_parse(&job->cause, reason + 14);
        job->cause_outside = json_object_get(ext, "ox") != NULL;
    }
    json_decref(ext);
}

static void fill(qk__cold_job *job, const qk__row *row)
{
    job->found = true;
    job->status = row->status;
    job->run = row->related;
    job->cause_order = row->finished_us;
    copy_name(job->kind, row->kind);
    copy_name(job->queue, row->queue);
}

static size_t merge_ids(qk__cold_job *jobs, size_t known, const qk_id *ids, size_t count)
{
    size_t kept = 0;
    for (size_t i = 0; i < count; i++) {
        memset(&jobs[known + i], 0, sizeof *jobs);
        jobs[known + i].id = ids[i];
    }
    qsort(jobs, known + count, sizeof *jobs, by_id);
    for (size_t i = 0; i < known + count; i++) {
        if (kept == 0 || by_id(&jobs[i], &jobs[kept - 1]) != 0) {
            jobs[kept++] = jobs[i];
        } else if (jobs[i].found) {
            jobs[kept - 1] = jobs[i];
        }
    }
    return kept;
}

qk_status cold_lookup(struct embedded *store, const qk_id *ids, size_t count, qk__cold_set *set,
                      qk_error *err)
{
    qk__row_set hits = { NULL, 0, NULL };
    qk__cold_job *jobs = malloc((set->count + count + 1) * sizeof *jobs);
    if (jobs == NULL) {
        return no_memory(err);
    }
    if (set->count > 0) {
        memcpy(jobs, set->jobs, set->count * sizeof *jobs);
    }
    size_t total = merge_ids(jobs, set->count, ids, count);
    qk_status rc = qk__reader_ended_many(store->reader, &hits, ids, count, err);
    for (size_t i = 0; rc == QK_OK && i < hits.count; i++) {
        qk__cold_job *job = bsearch(&hits.rows[i].id, jobs, total, sizeof *jobs, by_id);
        if (job != NULL) {
            fill(job, &hits.rows[i]);
            take_ext(job, &hits.rows[i]);
        }
    }
    qk__row_set_dispose(&hits);
    if (rc != QK_OK) {
        free(jobs);
        return rc;
    }
    cold_dispose(set);
    *set = (qk__cold_set){ jobs, total };
    return QK_OK;
}

void cold_dispose(qk__cold_set *set)
{
    free((void *)(uintptr_t)set->jobs);
    *set = (qk__cold_set){ NULL, 0 };
}

bool cold_has(const qk__cold_set *set, qk_id id)
{
    const qk__cold_job *job =
        set->count == 0 ? NULL : bsearch(&id, set->jobs, set->count, sizeof *set->jobs, by_id);
    return job != NULL && job->found;
}
