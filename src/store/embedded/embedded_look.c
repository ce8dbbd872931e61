/*
 * Looking: one job, lists, counts, waits, people's SQL. Live jobs come from the engine, ended ones
 * from the tables.
 *
 * long file: all that looks without changing; its parts are short and belong together.
 */
#include "store/embedded/embedded_internal.h"

#include "util/buffer.h"
#include "util/error.h"

#include <stdlib.h>
#include <string.h>

#define EXT_MAX (16u << 20)

/* Copies the rows of the engine into one row set; texts move once more when the buffer grows, so
 * they are offsets (plus one) until the end. */
struct copying {
    qk__row *rows;
    size_t count, capacity;
    qk__buffer text;
    bool failed;
};

static qk__text *row_texts(qk__row *row, int which)
{
    qk__text *texts[] = { &row->node,    &row->kind,       &row->queue,
                          &row->payload, &row->claimed_by, &row->result,
                          &row->error,   &row->log_tail,   &row->ext };
    return which < (int)(sizeof texts / sizeof *texts) ? texts[which] : NULL;
}

static void copy_row(void *user, const qk__row *row)
{
    struct copying *copy = user;
    if (copy->count == copy->capacity) {
        size_t capacity = copy->capacity * 2 + 64;
        qk__row *grown = realloc(copy->rows, capacity * sizeof *grown);
        copy->failed |= grown == NULL;
        if (grown == NULL) {
            return;
        }
        copy->rows = grown;
        copy->capacity = capacity;
    }
    qk__row *own = &copy->rows[copy->count++];
    *own = *row;
    qk__text *text;
    for (int i = 0; (text = row_texts(own, i)) != NULL; i++) {
        if (text->data != NULL) {
            uintptr_t offset = copy->text.length;
            copy->failed |= !qk__buffer_append(&copy->text, text->data, text->length);
            text->data = (const char *)(offset + 1);
        }
    }
}

static void fix_rows(struct copying *copy)
{
    for (size_t i = 0; i < copy->count; i++) {
        qk__text *text;
        for (int j = 0; (text = row_texts(&copy->rows[i], j)) != NULL; j++) {
            if (text->data != NULL) {
                text->data =
                    copy->text.data == NULL ? "" : copy->text.data + ((uintptr_t)text->data - 1);
            }
        }
    }
}

/* Hands rows and text to the set, which frees both. */
static void hand_over(struct copying *copy, qk__row_set *out)
{
    fix_rows(copy);
    *out = (qk__row_set){ copy->rows, copy->count, copy->text.data };
    copy->rows = NULL;
    qk__buffer_init(&copy->text, SIZE_MAX / 2);
}

qk_status embedded_snapshot(void *self, qk__row_set *out, qk_error *err)
{
    struct embedded *store = self;
    struct copying copy = { 0 };
    *out = (qk__row_set){ NULL, 0, NULL };
    qk__buffer_init(&copy.text, SIZE_MAX / 2);
    pthread_mutex_lock(&store->lock);
    qk_status rc = store->engine == NULL ? QK_OK : qk__engine_visit(store->engine, copy_row, &copy);
    pthread_mutex_unlock(&store->lock);
    if (rc == QK_OK && !copy.failed) {
        hand_over(&copy, out);
    }
    qk__buffer_dispose(&copy.text);
    free(copy.rows);
    return rc == QK_OK && !copy.failed ? QK_OK : no_memory(err);
}

/* A large payload that is not in memory any more. */
static qk_status add_payload(struct embedded *store, qk__row *row, qk__row_set *fetched,
                             qk_error *err)
{
    if (row->payload.data != NULL) {
        return QK_OK;
    }
    qk_status rc = borrow_database(store, err);
    if (rc == QK_OK) {
        rc = qk__reader_payloads(store->reader, fetched, &row->id, 1, err);
        return_database(store);
    }
    if (rc == QK_OK && fetched->count > 0) {
        row->payload = fetched->rows[0].payload;
    }
    return rc;
}

static qk_status get_live(struct embedded *store, qk_id id, qk__row_set *out, qk_error *err)
{
    struct copying copy = { 0 };
    qk__buffer ext;
    qk__row row;
    qk__buffer_init(&ext, EXT_MAX);
    qk__buffer_init(&copy.text, SIZE_MAX / 2);
    qk_status rc = enter(store, err);
    if (rc == QK_OK) {
        if (qk__engine_get(store->engine, id, &row, &ext)) {
            copy_row(&copy, &row);
        }
        leave(store);
        rc = copy.failed || ext.failed ? no_memory(err) : QK_OK;
    }
    if (rc == QK_OK) {
        hand_over(&copy, out);
    }
    qk__buffer_dispose(&ext);
    qk__buffer_dispose(&copy.text);
    free(copy.rows);
    return rc;
}

static qk_status read_ended_job(struct embedded *store, qk__row_set *out, qk_id id, qk_error *err)
{
    qk_status rc = borrow_database(store, err);
    if (rc == QK_OK) {
        rc = qk__reader_ended(store->reader, out, id, err);
        return_database(store);
    }
    return rc;
}

qk_status embedded_get(qk_store *base, qk_job **out, qk_id id, qk_error *err)
{
    struct embedded *store = embedded_of(base);
    qk__row_set set = { NULL, 0, NULL };
    qk__row_set payload = { NULL, 0, NULL };
    qk_status rc = get_live(store, id, &set, err);
    if (rc == QK_OK && set.count > 0) {
        rc = add_payload(store, &set.rows[0], &payload, err);
    } else if (rc == QK_OK) {
        qk__row_set_dispose(&set);
        rc = read_ended_job(store, &set, id, err);
    }
    if (rc == QK_OK && set.count == 0) {
        char text[QK_ID_TEXT_SIZE];
        rc = qk__error(err, QK_ENOTFOUND, "no job %s: list the jobs to find its id",
                       qk_id_format(text, id));
    }
    rc = rc == QK_OK ? qk__row_to_job(out, &set.rows[0], err) : rc;
    qk__row_set_dispose(&set);
    qk__row_set_dispose(&payload);
    return rc;
}

qk_status embedded_list(qk_store *base, qk_job_list **out, const qk_job_filter *filter,
                        qk_error *err)
{
    struct embedded *store = embedded_of(base);
    qk_status rc = borrow_database(store, err);
    if (rc == QK_OK) {
        rc = qk__reader_list(store->reader, out, filter, err);
        return_database(store);
    }
    return rc;
}

qk_status embedded_rows_open(qk_store *base, qk_rows **out, const char *sql, int64_t timeout_us,
                             qk_error *err)
{
    struct embedded *store = embedded_of(base);
    qk_status rc = borrow_database(store, err);
    if (rc == QK_OK) {
        rc = qk__reader_rows(store->reader, out, sql, timeout_us, err);
        return_database(store);
    }
    return rc;
}

static struct base_count *base_of(struct embedded *store, const char *queue, bool make)
{
    for (size_t i = 0; i < store->base_count; i++) {
        if (strcmp(store->bases[i].queue, queue) == 0) {
            return &store->bases[i];
        }
    }
    struct base_count *grown =
        make ? realloc(store->bases, (store->base_count + 1) * sizeof *grown) : NULL;
    if (grown == NULL) {
        return NULL;
    }
    store->bases = grown;
    struct base_count *base = &grown[store->base_count++];
    memset(base, 0, sizeof *base);
    strncpy(base->queue, queue, sizeof base->queue - 1);
    return base;
}

void base_forget(struct embedded *store, const char *queue, qk_job_status status)
{
    /* The engine counted it in when it was loaded and out when it was reopened. */
    struct base_count *base = store->bases_known ? base_of(store, queue, false) : NULL;
    if (base != NULL) {
        base->counts[status]--;
    }
}

struct in_memory {
    struct embedded *store;
    bool failed;
};

/* Ended jobs still in memory are not in the tables that the bases were counted from. */
static void count_in_memory(void *user, const qk__row *row)
{
    struct in_memory *counting = user;
    char queue[QK_NAME_MAX + 1] = "";
    if (row->op > QK__OP_REOPEN || !qk_job_status_is_terminal(row->status)) {
        return;
    }
    memcpy(queue, row->queue.data,
           row->queue.length > QK_NAME_MAX ? QK_NAME_MAX : row->queue.length);
    struct base_count *base = base_of(counting->store, queue, true);
    counting->failed |= base == NULL;
    if (base != NULL) {
        base->counts[row->status]++;
    }
}

/* base = in the tables - what the engine saw end and is in the tables. */
static qk_status subtract_seen(struct embedded *store)
{
    struct in_memory counting = { store, false };
    for (size_t i = 0; i < qk__engine_queue_count(store->engine); i++) {
        qk__engine_queue queue;
        qk__engine_queue_at(store->engine, i, &queue);
        struct base_count *base = base_of(store, queue.name, true);
        if (base == NULL) {
            return QK_ENOMEM;
        }
        for (int s = QK_JOB_DONE; s < QK_JOB_STATUS_COUNT; s++) {
            base->counts[s] -= (int64_t)queue.counts[s];
        }
    }
    qk_status rc = qk__engine_visit(store->engine, count_in_memory, &counting);
    return counting.failed ? QK_ENOMEM : rc;
}

static qk_status count_bases(struct embedded *store, qk_error *err)
{
    qk__ended_count *counts = NULL;
    size_t count = 0;
    qk_status rc = borrow_database(store, err);
    if (rc != QK_OK) {
        return rc;
    }
    pthread_mutex_lock(&store->gate); /* no commit may slip in between */
    rc = qk__reader_ended_counts(store->reader, &counts, &count, err);
    pthread_mutex_lock(&store->lock);
    store->base_count = 0;
    for (size_t i = 0; rc == QK_OK && i < count; i++) {
        struct base_count *base = base_of(store, counts[i].queue, true);
        rc = base == NULL ? no_memory(err) : QK_OK;
        if (rc == QK_OK) {
            base->counts[counts[i].status] += (int64_t)counts[i].count;
        }
    }
    if (rc == QK_OK) {
        rc = subtract_seen(store) == QK_OK ? QK_OK : no_memory(err);
    }
    store->bases_known = rc == QK_OK;
    pthread_mutex_unlock(&store->lock);
    pthread_mutex_unlock(&store->gate);
    return_database(store);
    free(counts);
    return rc;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const qk_queue_stats *)a)->name, ((const qk_queue_stats *)b)->name);
}

/* One block: the struct, the queues, their names. */
static qk_stats *stats_block(size_t queues)
{
    size_t size = sizeof(qk_stats) + queues * (sizeof(qk_queue_stats) + QK_NAME_MAX + 1);
    qk_stats *stats = calloc(1, size);
    if (stats != NULL) {
        stats->queues = (qk_queue_stats *)(stats + 1);
    }
    return stats;
}

static qk_queue_stats *stats_entry(qk_stats *stats, size_t room, const char *name)
{
    for (size_t i = 0; i < stats->count; i++) {
        if (strcmp(stats->queues[i].name, name) == 0) {
            return &stats->queues[i];
        }
    }
    char *names = (char *)(stats->queues + room);
    qk_queue_stats *entry = &stats->queues[stats->count];
    entry->name = strcpy(names + stats->count * (QK_NAME_MAX + 1), name);
    stats->count++;
    return entry;
}

static qk_stats *collect_stats(struct embedded *store)
{
    size_t room = qk__engine_queue_count(store->engine) + store->base_count + 1;
    qk_stats *stats = stats_block(room);
    if (stats == NULL) {
        return NULL;
    }
    (void)stats_entry(stats, room, store->default_queue);
    for (size_t i = 0; i < qk__engine_queue_count(store->engine); i++) {
        qk__engine_queue queue;
        qk__engine_queue_at(store->engine, i, &queue);
        qk_queue_stats *entry = stats_entry(stats, room, queue.name);
        entry->paused = queue.paused;
        for (int s = 0; s < QK_JOB_STATUS_COUNT; s++) {
            entry->counts[s] += queue.counts[s];
        }
    }
    for (size_t i = 0; i < store->base_count; i++) {
        qk_queue_stats *entry = stats_entry(stats, room, store->bases[i].queue);
        for (int s = 0; s < QK_JOB_STATUS_COUNT; s++) {
            entry->counts[s] += (uint64_t)store->bases[i].counts[s];
        }
    }
    qsort(stats->queues, stats->count, sizeof *stats->queues, by_name);
    return stats;
}

qk_status embedded_stats(qk_store *base, qk_stats **out, qk_error *err)
{
    struct embedded *store = embedded_of(base);
    qk_status rc = enter(store, err);
    bool known = rc == QK_OK && store->bases_known;
    if (rc != QK_OK) {
        return rc;
    }
    leave(store);
    if (!known) {
        rc = count_bases(store, err);
    }
    if (rc == QK_OK && (rc = enter(store, err)) == QK_OK) {
        qk__engine_tick(store->engine, embedded_now(store));
        announce(store);
        *out = collect_stats(store);
        leave(store);
        rc = *out == NULL ? no_memory(err) : QK_OK;
    }
    return rc;
}

qk_status embedded_backlog(qk_store *base, qk__backlog *out, const qk__claim_request *request,
                           qk_error *err)
{
    struct embedded *store = embedded_of(base);
    qk_status rc = enter(store, err);
    if (rc == QK_OK) {
        qk__engine_backlog(store->engine, request, out);
        leave(store);
    }
    return rc;
}

static qk_status timed_out(qk_id id, qk_error *err)
{
    char text[QK_ID_TEXT_SIZE];
    return qk__error(err, QK_ETIMEDOUT, "job %s has not ended yet: wait longer",
                     qk_id_format(text, id));
}

/* QK_EMPTY: it is not in memory. */
static qk_status wait_live(struct embedded *store, qk_id id, int64_t end_us, qk_error *err)
{
    for (;;) {
        qk__row row;
        if (store->stopping) {
            return qk__error(err, QK_ECLOSED, "the store is being closed");
        }
        if (store->broken) {
            return qk__error(err, store->trouble.code, "%s", store->trouble.message);
        }
        if (!qk__engine_get(store->engine, id, &row, NULL)) {
            return QK_EMPTY;
        }
        if (qk_job_status_is_terminal(row.status)) {
            return wait_durable(store, present_gate(store), err);
        }
        int64_t left = end_us == INT64_MAX ? INT64_MAX : end_us - embedded_now(store).mono_us;
        if (left <= 0) {
            return timed_out(id, err);
        }
        wait_some(store, &store->ready, left);
    }
}

qk_status embedded_wait(qk_store *base, qk_id id, int64_t timeout_us, qk_error *err)
{
    struct embedded *store = embedded_of(base);
    qk__row_set set = { NULL, 0, NULL };
    qk_status rc = enter(store, err);
    if (rc != QK_OK) {
        return rc;
    }
    int64_t now = embedded_now(store).mono_us;
    rc = wait_live(store, id, timeout_us > INT64_MAX - now ? INT64_MAX : now + timeout_us, err);
    leave(store);
    if (rc != QK_EMPTY) {
        return rc;
    }
    rc = read_ended_job(store, &set, id, err);
    if (rc == QK_OK && set.count == 0) {
        char text[QK_ID_TEXT_SIZE];
        rc = qk__error(err, QK_ENOTFOUND, "no job %s: list the jobs to find its id",
                       qk_id_format(text, id));
    }
    qk__row_set_dispose(&set);
    return rc;
}

/* Also of an engine that was rebuilt meanwhile, whose count starts anew: any difference counts. */
qk_status embedded_changes(qk_store *base, uint64_t *seen, int64_t wait_us, qk_error *err)
{
    struct embedded *store = embedded_of(base);
    qk_status rc = enter(store, err);
    if (rc != QK_OK) {
        return rc;
    }
    int64_t now = embedded_now(store).mono_us;
    int64_t end_us = wait_us > INT64_MAX - now ? INT64_MAX : now + wait_us;
    while (rc == QK_OK && qk__engine_changes(store->engine) + 1 == *seen) {
        int64_t left = end_us == INT64_MAX ? INT64_MAX : end_us - embedded_now(store).mono_us;
        if (store->stopping) {
            rc = qk__error(err, QK_ECLOSED, "the store is being closed");
        } else if (left <= 0) {
            rc = QK_ETIMEDOUT;
        } else {
            wait_some(store, &store->ready, left);
        }
    }
    *seen = qk__engine_changes(store->engine) + 1;
    leave(store);
    return rc;
}
