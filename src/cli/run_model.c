/*
 * See run_model.h.
 *
 * long file: one structure, and the only functions that change it.
 *
 * The end of an attempt of the pool's is taken from the pool, which knows how long it took; the same
 * news from the store is left aside until the pool has ended.
 */
#include "run_model.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "text.h"

#define LOOK_PAUSE_US 100000 /* between two looks at least */
#define LOOK_SHARE 10 /* and so many times what the last one took */
#define LOOK_IDLE_US 1000000 /* while sub-DAGs are about, which the pool tells only half of */

int64_t run_now_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

qk_slot_state *run_slots(size_t *count, const qk_worker *worker)
{
    qk_slot_state none;
    size_t room = qk_worker_slots_get(&none, 0, worker);
    qk_slot_state *slots = calloc(room + 1, sizeof(*slots));
    *count = 0;
    if (slots) {
        size_t there = qk_worker_slots_get(slots, room, worker);
        *count = there < room ? there : room;
    }
    return slots;
}

static qk_time wall_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (qk_time){ (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000 };
}

static void tell(run_model *model, run_event event, size_t part, size_t task, qk_time at)
{
    if (model->tell)
        model->tell(model->tell_user, model, event, part, task, at);
}

static const char *keep(run_model *model, const char *text)
{
    size_t size = strlen(text) + 1;
    char *copy = arena_take(&model->names, size);
    if (copy)
        memcpy(copy, text, size);
    return copy ? copy : "?";
}

static bool room_for_part(run_model *model)
{
    if (model->part_count < model->part_capacity)
        return true;
    size_t capacity = model->part_capacity ? model->part_capacity * 2 : 8;
    run_part *parts = realloc(model->parts, capacity * sizeof(*parts));
    if (parts) {
        model->parts = parts;
        model->part_capacity = capacity;
    }
    return parts != NULL;
}

size_t run_model_part(run_model *model, qk_id id)
{
    size_t index = run_map_get(&model->by_run, id);
    if (index != RUN_MAP_NONE)
        return index;
    if (!room_for_part(model) || !run_map_put(&model->by_run, id, model->part_count)) {
        model->no_memory = true;
        return RUN_NONE;
    }
    model->parts[model->part_count] =
        (run_part){ .id = id, .name = "?", .parent = RUN_NONE, .status = QK_RUN_PENDING };
    return model->part_count++;
}

static bool room_for_task(run_model *model, run_part *part)
{
    if (model->count == model->capacity) {
        size_t capacity = model->capacity ? model->capacity * 2 : 256;
        run_task *tasks = realloc(model->tasks, capacity * sizeof(*tasks));
        if (!tasks)
            return false;
        model->tasks = tasks;
        model->capacity = capacity;
    }
    if (part->count == part->capacity) {
        size_t capacity = part->capacity ? part->capacity * 2 : 16;
        size_t *tasks = realloc(part->tasks, capacity * sizeof(*tasks));
        if (!tasks)
            return false;
        part->tasks = tasks;
        part->capacity = capacity;
    }
    return true;
}

static size_t add_task(run_model *model, size_t part, const char *name)
{
    run_part *run = &model->parts[part];
    qk_id key = run_map_name(run->id, name);
    if (!room_for_task(model, run) || !run_map_put(&model->by_name, key, model->count)) {
        model->no_memory = true;
        return RUN_NONE;
    }
    run_task *task = &model->tasks[model->count];
    memset(task, 0, sizeof(*task));
    task->name = keep(model, name);
    task->part = part;
    task->child = RUN_NONE;
    task->took_us = -1;
    task->progress = -1;
    run->tasks[run->count++] = model->count;
    run->counts[QK_JOB_PENDING]++;
    return model->count++;
}

size_t run_model_task(run_model *model, size_t part, qk_id job, const char *name)
{
    size_t index = run_map_get(&model->by_id, job);
    if (index != RUN_MAP_NONE)
        return index;
    char text[QK_ID_TEXT_SIZE];
    if (!name)
        name = qk_id_format(text, job);
    index = run_map_get(&model->by_name, run_map_name(model->parts[part].id, name));
    if (index == RUN_MAP_NONE)
        index = add_task(model, part, name);
    if (index == RUN_NONE || !run_map_put(&model->by_id, job, index)) {
        model->no_memory = true;
        return RUN_NONE;
    }
    model->tasks[index].job = job;
    return index;
}

static bool event_of(run_event *out, qk_job_status status)
{
    switch (status) {
    case QK_JOB_CLAIMED:
        *out = RUN_JOB_CLAIMED;
        return true;
    case QK_JOB_DONE:
        *out = RUN_JOB_DONE;
        return true;
    case QK_JOB_FAILED:
        *out = RUN_JOB_FAILED;
        return true;
    case QK_JOB_SKIPPED:
        *out = RUN_JOB_SKIPPED;
        return true;
    case QK_JOB_CANCELLED:
        *out = RUN_JOB_CANCELLED;
        return true;
    default:
        return false;
    }
}

static void start_part(run_model *model, size_t part, qk_time at)
{
    if (model->parts[part].status != QK_RUN_PENDING || !model->parts[part].known)
        return;
    model->parts[part].status = QK_RUN_RUNNING;
    tell(model, RUN_STARTED, part, RUN_NONE, at);
}

void run_model_place(run_model *model, size_t index, qk_id parent_job, const char *name, qk_time at)
{
    run_part *part = &model->parts[index];
    size_t parent = run_map_get(&model->by_id, parent_job);
    if (index == 0 || part->known || parent == RUN_MAP_NONE)
        return;
    part->parent = parent;
    part->depth = model->parts[model->tasks[parent].part].depth + 1;
    model->tasks[parent].child = index;
    part->known = true;
    part->name = keep(model, name);
    start_part(model, index, at);
}

void run_model_end_part(run_model *model, size_t part, qk_run_status status, qk_time at)
{
    if (model->parts[part].status == status || status == QK_RUN_PENDING)
        return;
    model->parts[part].status = status;
    if (qk_run_status_is_terminal(status))
        tell(model, RUN_ENDED, part, RUN_NONE, at);
}

void run_model_set(run_model *model, size_t index, qk_job_status status, qk_time at)
{
    run_task *task = &model->tasks[index];
    run_part *part = &model->parts[task->part];
    run_event event;
    if (task->status == status)
        return;
    part->counts[task->status]--;
    part->counts[status]++;
    task->status = status;
    if (qk_job_status_is_terminal(status))
        task->ended_us = run_now_us();
    if (status == QK_JOB_CLAIMED) {
        task->progress = -1;
        task->message[0] = '\0';
    }
    if (status == QK_JOB_FAILED)
        model->failed = index;
    if (event_of(&event, status))
        tell(model, event, task->part, index, at);
}

qk_status run_model_init(run_model *model, cli *cli, qk_dag *dag, qk_id run)
{
    memset(model, 0, sizeof(*model));
    model->cli = cli;
    model->failed = RUN_NONE;
    size_t part = run_model_part(model, run);
    for (size_t i = 0; part != RUN_NONE && i < qk_dag_node_count(dag); i++) {
        qk_node node;
        qk_dag_node(&node, dag, i);
        size_t task = add_task(model, part, node.name);
        if (task != RUN_NONE)
            model->tasks[task].is_dag = node.type == QK_NODE_DAG;
    }
    if (part != RUN_NONE) {
        model->parts[part].name = keep(model, qk_dag_name(dag));
        model->parts[part].known = true;
    }
    model->began_us = run_now_us();
    return model->no_memory ? cli_error(&cli->err, QK_ENOMEM, "out of memory") : QK_OK;
}

void run_model_begin(run_model *model, const qk_worker *worker)
{
    snprintf(model->worker_id, sizeof(model->worker_id), "%s", qk_worker_id(worker));
    start_part(model, 0, wall_now());
}

void run_model_dispose(run_model *model)
{
    for (size_t i = 0; i < model->count; i++) {
        free(model->tasks[i].error);
        free(model->tasks[i].tail);
        free(model->tasks[i].reason);
    }
    for (size_t i = 0; i < model->part_count; i++)
        free(model->parts[i].tasks);
    free(model->tasks);
    free(model->parts);
    run_map_dispose(&model->by_id);
    run_map_dispose(&model->by_name);
    run_map_dispose(&model->by_run);
    arena_dispose(&model->names);
}

static void take_start(run_model *model, const run_feed_item *item)
{
    size_t part = run_model_part(model, item->run);
    if (part == RUN_NONE)
        return;
    size_t index = run_model_task(model, part, item->job, item->node);
    if (index == RUN_NONE)
        return;
    run_task *task = &model->tasks[index];
    task->ours = true;
    task->is_dag = task->is_dag || item->is_dag;
    task->attempt = item->attempt;
    task->started_us = item->mono_us;
    run_model_set(model, index, QK_JOB_CLAIMED, item->at);
}

/* What failed keeps its last words. */
static void take_words(run_task *task, run_feed_item *item)
{
    free(task->error);
    free(task->tail);
    task->error = item->error;
    task->tail = item->tail;
    item->error = item->tail = NULL;
}

static void take_end(run_model *model, run_feed_item *item)
{
    size_t index = run_map_get(&model->by_id, item->job);
    if (index == RUN_MAP_NONE || model->tasks[index].status != QK_JOB_CLAIMED ||
        model->tasks[index].attempt != item->attempt)
        return;
    run_task *task = &model->tasks[index];
    if (item->refused) { /* the store knows why */
        task->ours = false;
        model->look_wanted = true;
        return;
    }
    task->took_us = item->took_us;
    task->has_exit_code = item->has_exit_code;
    task->exit_code = item->exit_code;
    if (item->verdict == QK_VERDICT_FAIL)
        take_words(task, item);
    if (item->verdict == QK_VERDICT_ACK) {
        run_model_set(model, index, QK_JOB_DONE, item->at);
    } else if (item->verdict == QK_VERDICT_FAIL && item->final) {
        run_model_set(model, index, QK_JOB_FAILED, item->at);
    } else {
        task->failed_before = item->verdict == QK_VERDICT_FAIL;
        run_model_set(model, index, QK_JOB_PENDING, item->at);
        tell(model, RUN_JOB_RETRIED, task->part, index, item->at);
    }
}

static void take_expansion(run_model *model, const run_feed_item *item)
{
    size_t part = run_model_part(model, item->run);
    if (part == RUN_NONE || !item->names)
        return; /* the next look shows it */
    const char *at = item->names + strlen(item->names) + 1;
    for (; *at; at += strlen(at) + 1) {
        qk_id key = run_map_name(item->run, at + 1);
        size_t task = run_map_get(&model->by_name, key);
        if (task == RUN_MAP_NONE)
            task = add_task(model, part, at + 1);
        if (task != RUN_NONE)
            model->tasks[task].is_dag = *at == 'd';
    }
    run_model_place(model, part, item->job, item->names, item->at);
}

/* Something that the pool told of, but not all of: the store knows the rest. */
static void want_look(run_model *model)
{
    for (size_t i = 1; i < model->part_count && !model->look_wanted; i++) {
        const run_part *part = &model->parts[i];
        model->look_wanted =
            !part->known ||
            (!qk_run_status_is_terminal(part->status) && part->counts[QK_JOB_PENDING] == 0 &&
             part->counts[QK_JOB_DELAYED] == 0 && part->counts[QK_JOB_CLAIMED] == 0);
    }
}

static void take(run_model *model, run_feed *feed)
{
    run_feed_item *items;
    size_t count = run_feed_take(feed, &items);
    for (size_t i = 0; i < count; i++) {
        if (items[i].type == RUN_FEED_STARTED)
            take_start(model, &items[i]);
        else if (items[i].type == RUN_FEED_EXPANDED)
            take_expansion(model, &items[i]);
        else
            take_end(model, &items[i]);
    }
    if (run_feed_lost(feed))
        model->look_wanted = true;
    want_look(model);
}

/* What the running commands report. */
static void take_progress(run_model *model, const qk_worker *worker)
{
    size_t count;
    qk_slot_state *slots = run_slots(&count, worker);
    for (size_t i = 0; i < count; i++) {
        size_t index = slots[i].running && slots[i].progress >= 0
                           ? run_map_get(&model->by_id, slots[i].job)
                           : RUN_MAP_NONE;
        run_task *task = index == RUN_MAP_NONE ? NULL : &model->tasks[index];
        if (!task || task->status != QK_JOB_CLAIMED ||
            (!(task->progress < slots[i].progress) && !(task->progress > slots[i].progress) &&
             strncmp(task->message, slots[i].progress_message, sizeof(task->message) - 1) == 0))
            continue;
        task->progress = slots[i].progress;
        snprintf(task->message, sizeof(task->message), "%.79s", slots[i].progress_message);
        tell(model, RUN_JOB_PROGRESS, task->part, index, wall_now());
    }
    free(slots);
}

/* Whether the run has gone further than the pool told. `seen` is from the last tick: by now the pool
 * has told of all that it did until then. */
static bool unexplained(const run_model *model, const qk_run_progress *seen)
{
    const uint64_t *known = model->parts[0].counts;
    for (int s = QK_JOB_DONE; s < QK_JOB_STATUS_COUNT; s++) {
        if (seen->counts[s] > known[s])
            return true;
    }
    return false;
}

static bool has_live_subdags(const run_model *model)
{
    for (size_t i = 1; i < model->part_count; i++) {
        if (!qk_run_status_is_terminal(model->parts[i].status))
            return true;
    }
    return false;
}

static bool should_look(const run_model *model, int64_t now)
{
    int64_t pause = model->look_cost_us * LOOK_SHARE;
    if (now - model->looked_us < (pause > LOOK_PAUSE_US ? pause : LOOK_PAUSE_US))
        return false;
    return model->look_wanted || unexplained(model, &model->seen) ||
           (now - model->looked_us > LOOK_IDLE_US && has_live_subdags(model));
}

qk_status run_model_tick(run_model *model, run_feed *feed, const qk_worker *worker)
{
    qk_status rc = QK_OK;
    take(model, feed);
    take_progress(model, worker);
    if (should_look(model, run_now_us()))
        rc = run_model_look(model, false);
    if (!rc)
        rc = qk_run_progress_get(&model->seen, model->cli->queue, model->parts[0].id,
                                 &model->cli->err);
    return !rc && model->no_memory ? cli_error(&model->cli->err, QK_ENOMEM, "out of memory") : rc;
}

qk_status run_model_end(run_model *model, run_feed *feed)
{
    run_part *root = &model->parts[0];
    take(model, feed);
    qk_status rc = qk_run_progress_get(&model->seen, model->cli->queue, root->id, &model->cli->err);
    if (!rc && (model->look_wanted || model->part_count > 1 || unexplained(model, &model->seen) ||
                model->seen.counts[QK_JOB_DONE] != root->count))
        rc = run_model_look(model, true);
    if (rc)
        return rc;
    model->ended_us = run_now_us();
    run_model_end_part(model, 0, model->seen.status, wall_now());
    return model->no_memory ? cli_error(&model->cli->err, QK_ENOMEM, "out of memory") : QK_OK;
}

void run_model_path(FILE *out, const run_model *model, size_t index)
{
    const run_task *task = &model->tasks[index];
    size_t parent = model->parts[task->part].parent;
    if (parent != RUN_NONE) {
        run_model_path(out, model, parent);
        fputc('/', out);
    }
    fputs(task->name, out);
}

void run_model_put_path(const run_model *model, size_t task)
{
    char *path = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&path, &size);
    if (!out)
        return;
    run_model_path(out, model, task);
    if (fclose(out) == 0)
        cli_put_line(stdout, path);
    free(path);
}

uint64_t run_model_total(const run_model *model, qk_job_status status)
{
    uint64_t total = 0;
    for (size_t i = 0; i < model->part_count; i++)
        total += model->parts[i].counts[status];
    return total;
}
