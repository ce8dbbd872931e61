/*
 * Runs out of answers; see wire.h. Two passes: the first adds up the text, the second writes it into
 * the block. No state; any thread.
 */
#include <stdlib.h>
#include <string.h>

#include "store/remote/wire.h"

#define DEPTH_MOST 4096 /* nobody nests that deep; an answer that does makes no sense */

/* Texts of a run, in the order in which both passes take them. */
#define TEXTS 6
static const char *const run_texts[TEXTS] = { "name",        "description", "metadata_text",
                                              "params_text", "trigger",     "definition_text" };

static size_t text_size(const json_t *object, const char *key)
{
    const json_t *value = json_object_get(object, key);
    return json_is_string(value) ? json_string_length(value) + 1 : 0;
}

static const char *put(char **at, const json_t *object, const char *key)
{
    const json_t *value = json_object_get(object, key);
    size_t size = text_size(object, key);
    char *start = *at;
    if (size == 0)
        return NULL;
    memcpy(start, json_string_value(value), size);
    *at += size;
    return start;
}

static bool get_status(qk_run_status *out, const json_t *json)
{
    const char *name = json_string_value(json_object_get(json, "status"));
    return name && qk_run_status_parse(out, name) == QK_OK;
}

static bool get_counts(uint64_t *counts, const json_t *json)
{
    const json_t *object = json_object_get(json, "counts");
    for (int s = 0; s < QK_JOB_STATUS_COUNT; s++) {
        int64_t number;
        if (!wire_get_number(&number, object, qk_job_status_name((qk_job_status)s)) || number < 0)
            return false;
        counts[s] = (uint64_t)number;
    }
    return true;
}

static bool fill_run(qk_run *run, const json_t *json, char **at)
{
    const char **const targets[TEXTS] = { &run->name,   &run->description, &run->metadata,
                                          &run->params, &run->trigger,     &run->definition };
    for (size_t i = 0; i < TEXTS; i++)
        *targets[i] = put(at, json, run_texts[i]);
    return wire_get_id(&run->id, json, "id") && !qk_id_is_none(run->id) &&
           wire_get_id(&run->parent_job, json, "parent_job_id") &&
           wire_get_id(&run->root_run, json, "root_run_id") &&
           wire_get_time(&run->created_at, json, "created_at") &&
           wire_get_time(&run->completed_at, json, "completed_at") &&
           wire_get_time(&run->scheduled_for, json, "scheduled_for") &&
           get_status(&run->status, json) && get_counts(run->counts, json) && run->name;
}

bool wire_runs(void **block, qk_run **items, size_t head, const json_t *const *runs, size_t count)
{
    size_t text = 0;
    bool good = true;
    *block = NULL;
    for (size_t i = 0; i < count; i++) {
        for (size_t k = 0; k < TEXTS; k++)
            text += text_size(runs[i], run_texts[k]);
    }
    char *memory = calloc(1, head + count * sizeof(qk_run) + text + 1);
    if (!memory)
        return true;
    *items = (qk_run *)(void *)(memory + head);
    char *at = (char *)(*items + count);
    for (size_t i = 0; i < count && good; i++)
        good = fill_run(&(*items)[i], runs[i], &at);
    if (good)
        *block = memory;
    else
        free(memory);
    return good;
}

bool wire_run_progress(qk_run_progress *out, const json_t *json)
{
    int64_t total;
    if (!get_status(&out->status, json) || !get_counts(out->counts, json) ||
        !wire_get_number(&total, json, "total") || total < 0)
        return false;
    out->total = (uint64_t)total;
    return true;
}

/* Where a walk through the nested form stands: an object, and which of its sub-DAGs comes next. */
struct level {
    const json_t *object;
    size_t next;
    size_t place; /* in the tree */
};

/* The next object, each behind the one around it; NULL: that was the last. `levels` holds the path
 * to it, *depth its end; -1 at the start. */
static const json_t *step(struct level *levels, int *depth, const json_t *root)
{
    const json_t *next = *depth < 0 ? root : NULL;
    while (!next && *depth >= 0) {
        struct level *level = &levels[*depth];
        next = json_array_get(json_object_get(level->object, "subdags"), level->next++);
        if (!next)
            --*depth;
    }
    if (next && *depth + 1 < DEPTH_MOST)
        levels[++*depth] = (struct level){ next, 0, 0 };
    return next;
}

static bool fill_item(qk_run_tree_item *item, const json_t *json, char **at)
{
    item->name = put(at, json, "name");
    return item->name && wire_get_id(&item->id, json, "id") &&
           wire_get_id(&item->parent_job, json, "parent_job_id") && get_status(&item->status, json);
}

bool wire_run_tree(qk_run_tree **out, const json_t *json)
{
    int depth = -1;
    size_t count = 0, text = 0;
    bool good = json_is_object(json);
    struct level *levels = calloc(DEPTH_MOST, sizeof(*levels));
    *out = NULL;
    for (const json_t *at; levels && (at = step(levels, &depth, json)) != NULL; count++)
        text += text_size(at, "name");
    qk_run_tree *tree =
        levels ? calloc(1, sizeof(*tree) + count * sizeof(*tree->items) + text + 1) : NULL;
    if (tree) {
        tree->items = (qk_run_tree_item *)(tree + 1);
        char *at = (char *)(tree->items + count);
        depth = -1;
        for (const json_t *object; good && (object = step(levels, &depth, json)) != NULL;) {
            qk_run_tree_item *item = &tree->items[tree->count];
            good = fill_item(item, object, &at);
            item->depth = depth;
            item->parent = depth > 0 ? levels[depth - 1].place : tree->count;
            levels[depth].place = tree->count++;
        }
    }
    free(levels);
    if (good)
        *out = tree;
    else
        free(tree);
    return good;
}
