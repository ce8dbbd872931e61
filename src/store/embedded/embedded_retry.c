/*
 * A person's retry of jobs that ended, in memory or not; see embedded_internal.h.
 *
 * A slice of jobs at a time: what is known of them is read with three queries, whatever their number,
 * and applied in one commit. Nodes of runs are left to embedded_retry_run.c. `cold` is held
 * throughout, so that two retries cannot bring the same job back. The caller's thread.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/embedded/embedded_internal.h"
#include "store/embedded/embedded_retry.h"
#include "util/error.h"

#define AT_ONCE 2500 /* jobs whose whole images are held in memory */

struct known {
    bool in_memory;
    qk_id run; /* none: of no run */
    qk_id child; /* of a sub-DAG that is no node, if it has its run */
};

/* Nodes to be retried, with those of a run together. */
struct node {
    qk_id run;
    size_t job;
};

/* One slice. What is allocated for it is so before anything happens. */
struct retrying {
    const qk_id *jobs;
    qk_status *statuses;
    size_t count, offset; /* offset: of its first job among all */
    struct known *known; /* one per job */
    struct node *nodes; /* room for one per job */
    qk_id *node_ids; /* likewise */
    qk__row_set images, edges; /* sorted by id */
    qk_id *parents; /* one per edge */
    qk__cold_set cold; /* the parents */
};

/* Why the first of the jobs was refused. */
struct refused {
    size_t job;
    qk_error err;
};

static qk_status retry_error(qk_error *err, qk_id job, const qk__refusal *why)
{
    char id[QK_ID_TEXT_SIZE], other[QK_ID_TEXT_SIZE], cause[QK_ID_TEXT_SIZE];
    qk_id_format(id, job);
    qk_id_format(other, why->job);
    qk_id_format(cause, why->cause);
    const char *fault = "the way its parents ended: retry one of them first";
    char text[200] = "";
    switch (why->why) {
    case QK__REFUSED_STATE:
        return job_error(err, QK_ESTATE, job, "retried");
    case QK__REFUSED_PARENT:
        snprintf(text, sizeof text, "since %s failed: retry that, then its parent %s", cause,
                 other);
        if (strcmp(other, cause) == 0) {
            snprintf(text, sizeof text, "since its parent %s failed: retry that first", other);
        }
        break;
    case QK__REFUSED_CONDITION:
        break;
    case QK__REFUSED_PURGED:
        snprintf(text, sizeof text, "since its parent %s was purged: enqueue it anew", other);
        break;
    case QK__REFUSED_UNIQUE:
        snprintf(text, sizeof text, "while job %s has its unique key: wait for its end", other);
        break;
    }
    return qk__error(err, QK_ESTATE, "job %s could not start %s", id, text[0] ? text : fault);
}

static void tell(struct refused *refused, size_t job, const qk_error *err)
{
    if (job < refused->job) {
        *refused = (struct refused){ job, *err };
    }
}

static void retrying_dispose(struct retrying *r)
{
    free(r->known);
    free(r->nodes);
    free(r->node_ids);
    free(r->parents);
    qk__row_set_dispose(&r->images);
    qk__row_set_dispose(&r->edges);
    cold_dispose(&r->cold);
}

static int by_id(const void *a, const void *b)
{
    return qk_id_compare(((const qk__row *)a)->id, ((const qk__row *)b)->id);
}

/* The first row of this id; `count` if there is none. */
static size_t find_row(const qk__row_set *set, qk_id id)
{
    size_t low = 0;
    for (size_t high = set->count; low < high;) {
        size_t middle = (low + high) / 2;
        if (qk_id_compare(set->rows[middle].id, id) < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low < set->count && qk_id_compare(set->rows[low].id, id) == 0 ? low : set->count;
}

static void sort_rows(qk__row_set *set)
{
    if (set->count > 0) {
        qsort(set->rows, set->count, sizeof *set->rows, by_id);
    }
}

/* What is in memory. What ended just now is made durable, or the history would show an older
 * picture. */
static qk_status look(struct embedded *store, struct retrying *r, qk_error *err)
{
    qk_status rc = enter_to_write(store, err);
    if (rc != QK_OK) {
        return rc;
    }
    rc = wait_durable(store, present_gate(store), err);
    for (size_t i = 0; rc == QK_OK && i < r->count; i++) {
        qk__row row;
        r->known[i].in_memory = qk__engine_get(store->engine, r->jobs[i], &row, NULL);
        r->known[i].run = r->known[i].in_memory ? row.related : (qk_id){ { 0 } };
    }
    leave(store);
    return rc;
}

static qk_status read_parents(struct embedded *store, struct retrying *r, qk_error *err)
{
    qk_status rc = qk__reader_parents_many(store->reader, &r->edges, r->jobs, r->count, err);
    if (rc != QK_OK || r->edges.count == 0) {
        return rc;
    }
    sort_rows(&r->edges);
    r->parents = malloc(r->edges.count * sizeof *r->parents);
    if (r->parents == NULL) {
        return no_memory(err);
    }
    for (size_t i = 0; i < r->edges.count; i++) {
        r->parents[i] = r->edges.rows[i].related;
    }
    return QK_OK;
}

/* The run whose parent the job is. */
static qk_status read_child(struct embedded *store, qk_id job, qk_id *child, qk_error *err)
{
    qk_run_filter filter = QK_RUN_FILTER_INIT;
    qk__row_set rows = { NULL, 0, NULL };
    filter.parent_job = job;
    qk_status rc = qk__reader_list_runs(store->reader, &rows, &filter, 1, err);
    if (rc == QK_OK && rows.count > 0) {
        *child = rows.rows[0].id;
    }
    qk__row_set_dispose(&rows);
    return rc;
}

/* What the images say of the runs that jobs are of, or have. */
static qk_status read_runs(struct embedded *store, struct retrying *r, qk_error *err)
{
    qk_status rc = QK_OK;
    for (size_t i = 0; rc == QK_OK && i < r->count; i++) {
        size_t at = find_row(&r->images, r->jobs[i]);
        if (r->known[i].in_memory || at == r->images.count) {
            continue;
        }
        const qk__row *row = &r->images.rows[at];
        bool subdag = row->kind.length == 3 && memcmp(row->kind.data, "dag", 3) == 0;
        r->known[i].run = row->related;
        if (subdag && qk_id_is_none(row->related)) {
            rc = read_child(store, r->jobs[i], &r->known[i].child, err);
        }
    }
    return rc;
}

/* Nodes are opened with what depends on them; so is the run of a sub-DAG that is no node. */
static bool is_in_run(const struct known *known)
{
    return !qk_id_is_none(known->run) || !qk_id_is_none(known->child);
}

/* Everything a retry needs to know of jobs that are not in memory. */
static qk_status read_ended(struct embedded *store, struct retrying *r, qk_error *err)
{
    qk_status rc = borrow_database(store, err);
    if (rc != QK_OK) {
        return rc;
    }
    rc = qk__reader_ended_full(store->reader, &r->images, r->jobs, r->count, err);
    rc = rc == QK_OK ? read_parents(store, r, err) : rc;
    if (rc == QK_OK && r->edges.count > 0) {
        /* The slice owns it: retrying_dispose. NOLINTNEXTLINE(clang-analyzer-unix.Malloc) */
        rc = cold_lookup(store, r->parents, r->edges.count, &r->cold, err);
    }
    sort_rows(&r->images);
    rc = rc == QK_OK ? read_runs(store, r, err) : rc;
    return_database(store);
    return rc;
}

static void forget_image(struct embedded *store, const qk__row *image)
{
    char queue[QK_NAME_MAX + 1];
    size_t length = image->queue.length > QK_NAME_MAX ? QK_NAME_MAX : image->queue.length;
    memcpy(queue, image->queue.data, length);
    queue[length] = '\0';
    base_forget(store, queue, image->status);
}

/* With `lock` held. */
static qk_status retry_one(struct embedded *store, const struct retrying *r, size_t i,
                           qk_error *err)
{
    size_t at = find_row(&r->images, r->jobs[i]), first = find_row(&r->edges, r->jobs[i]);
    size_t end = first;
    qk__refusal why;
    while (end < r->edges.count && qk_id_compare(r->edges.rows[end].id, r->jobs[i]) == 0) {
        end++;
    }
    qk__row live;
    bool in_memory = qk__engine_get(store->engine, r->jobs[i], &live, NULL);
    const qk__row *image = !in_memory && at < r->images.count ? &r->images.rows[at] : NULL;
    qk_status rc =
        qk__engine_retry(store->engine, embedded_now(store), r->jobs[i], image,
                         end > first ? r->parents + first : NULL, end - first, &r->cold, &why);
    qk__upstream_cache_free(&store->upstreams);
    if (rc == QK_OK && image != NULL) {
        forget_image(store, image);
    }
    if (rc == QK_EMPTY) {
        return qk__error(err, QK_ESTATE, "its parents changed meanwhile: try again");
    }
    if (rc == QK_ENOTFOUND && r->known[i].in_memory) {
        rc = QK_ESTATE; /* it was live when it was looked at, and ended since */
        why.why = QK__REFUSED_STATE;
    }
    return rc == QK_ESTATE ? retry_error(err, r->jobs[i], &why)
                           : job_error(err, rc, r->jobs[i], "retried");
}

static qk_status apply(struct embedded *store, const struct retrying *r, struct refused *refused,
                       qk_error *err)
{
    bool any = false;
    qk_status rc = enter_to_write(store, err);
    if (rc != QK_OK) {
        return rc;
    }
    for (size_t i = 0; i < r->count; i++) {
        qk_error own = QK_ERROR_INIT;
        if (is_in_run(&r->known[i])) {
            continue;
        }
        r->statuses[i] = retry_one(store, r, i, &own);
        any = any || r->statuses[i] == QK_OK;
        if (r->statuses[i] != QK_OK) {
            tell(refused, r->offset + i, &own);
        }
    }
    announce(store);
    rc = any ? wait_durable(store, present_gate(store), err) : QK_OK;
    leave(store);
    return rc;
}

static int by_run(const void *a, const void *b)
{
    const struct node *left = a, *right = b;
    int order = qk_id_compare(left->run, right->run);
    return order != 0 ? order : (left->job > right->job) - (left->job < right->job);
}

/* Sub-DAGs that are no nodes have each their own. */
static bool same_run(const struct node *a, const struct node *b)
{
    return !qk_id_is_none(a->run) && qk_id_compare(a->run, b->run) == 0;
}

/* All at once; if there is one among them that cannot be, each half for itself. Without `cold`. */
static void retry_nodes(struct embedded *store, const struct retrying *r, const struct node *nodes,
                        qk_id *ids, size_t count, struct refused *refused)
{
    qk_error own = QK_ERROR_INIT;
    for (size_t i = 0; i < count; i++) {
        ids[i] = r->jobs[nodes[i].job];
    }
    qk_status rc = qk_id_is_none(nodes[0].run)
                       ? retry_in_run(store, RETRY_RUN, r->known[nodes[0].job].child, NULL, 0, &own)
                       : retry_in_run(store, RETRY_NODE, nodes[0].run, ids, count, &own);
    if (rc != QK_OK && count > 1) {
        size_t half = count / 2;
        retry_nodes(store, r, nodes, ids, half, refused);
        retry_nodes(store, r, nodes + half, ids, count - half, refused);
        return;
    }
    for (size_t i = 0; i < count; i++) {
        r->statuses[nodes[i].job] = rc;
    }
    if (rc != QK_OK) {
        tell(refused, r->offset + nodes[0].job, &own);
    }
}

static void retry_in_runs(struct embedded *store, const struct retrying *r, struct refused *refused)
{
    size_t count = 0;
    for (size_t i = 0; i < r->count; i++) {
        if (is_in_run(&r->known[i])) {
            r->nodes[count++] = (struct node){ r->known[i].run, i };
        }
    }
    if (count > 1) {
        qsort(r->nodes, count, sizeof *r->nodes, by_run);
    }
    for (size_t at = 0, end; at < count; at = end) {
        for (end = at + 1; end < count && same_run(&r->nodes[at], &r->nodes[end]);) {
            end++;
        }
        retry_nodes(store, r, r->nodes + at, r->node_ids, end - at, refused);
    }
}

static qk_status retry_slice(struct embedded *store, struct retrying *r, struct refused *refused,
                             qk_error *err)
{
    r->known = calloc(r->count, sizeof *r->known);
    r->nodes = calloc(r->count, sizeof *r->nodes);
    r->node_ids = calloc(r->count, sizeof *r->node_ids);
    if (r->known == NULL || r->nodes == NULL || r->node_ids == NULL) {
        return no_memory(err);
    }
    pthread_mutex_lock(&store->cold);
    qk_status rc = look(store, r, err);
    rc = rc == QK_OK ? read_ended(store, r, err) : rc;
    rc = rc == QK_OK ? apply(store, r, refused, err) : rc;
    pthread_mutex_unlock(&store->cold);
    if (rc == QK_OK) {
        retry_in_runs(store, r, refused);
    }
    return rc;
}

/* After a slice that succeeded a failure is one of the jobs that are left. */
static qk_status fail_rest(qk_status *statuses, size_t from, size_t count, qk_status rc,
                           const qk_error *err, struct refused *refused)
{
    if (from == 0) {
        return rc;
    }
    for (size_t i = from; i < count; i++) {
        statuses[i] = rc;
    }
    tell(refused, from, err);
    return QK_OK;
}

qk_status embedded_retry(qk_store *base, qk_status *statuses, const qk_id *jobs, size_t count,
                         qk_error *err)
{
    struct embedded *store = embedded_of(base);
    struct refused refused = { SIZE_MAX, QK_ERROR_INIT };
    qk_error trouble = QK_ERROR_INIT;
    qk_status rc = QK_OK;
    for (size_t at = 0; rc == QK_OK && at < count; at += AT_ONCE) {
        struct retrying r = { .jobs = jobs + at, .statuses = statuses + at, .offset = at };
        r.count = count - at < AT_ONCE ? count - at : AT_ONCE;
        rc = retry_slice(store, &r, &refused, &trouble);
        retrying_dispose(&r);
        if (rc != QK_OK) {
            rc = fail_rest(statuses, at, count, rc, &trouble, &refused);
            break;
        }
    }
    if (err != NULL) {
        *err = rc != QK_OK ? trouble : refused.job != SIZE_MAX ? refused.err : *err;
    }
    return rc == QK_OK && count == 1 ? statuses[0] : rc;
}
