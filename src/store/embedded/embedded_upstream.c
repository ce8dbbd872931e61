/*
 * What a job's parents left: from the engine while they are in memory, else from the tables. Results
 * of sub-DAG nodes are references, put together when they are asked for.
 */
#include "store/embedded/embedded_internal.h"

#include "store/embedded/reader_internal.h"
#include "util/buffer.h"
#include "util/error.h"

#include <queuack/dag.h>
#include <stdlib.h>
#include <string.h>

#define REFERENCE "{\"$run\":\""

struct found {
    qk_id id;
    qk_job_status status;
    int32_t attempt;
    char *node, *result;
    bool large, known;
};

static void dispose(struct found *found, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        free(found[i].node);
        free(found[i].result);
    }
    free(found);
}

static bool is_reference(qk__text result)
{
    return result.data != NULL && result.length > sizeof REFERENCE &&
           memcmp(result.data, REFERENCE, sizeof REFERENCE - 1) == 0;
}

static bool take_row(struct found *out, const qk__row *row, uint64_t length)
{
    out->known = true;
    out->status = (qk_job_status)row->status;
    out->attempt = row->attempt;
    out->node = row->node.data == NULL ? NULL : qk__dup_text(row->node.data, row->node.length);
    out->large = length > QK__UPSTREAM_INLINE_MAX || is_reference(row->result) ||
                 (length > 0 && row->result.data == NULL);
    out->result = out->large || row->result.data == NULL
                      ? NULL
                      : qk__dup_text(row->result.data, row->result.length);
    return (out->node != NULL || row->node.data == NULL) &&
           (out->result != NULL || out->large || row->result.data == NULL);
}

/* What was kept of a job that has left the engine, if anything. False: out of memory. With `lock`
 * held. */
static bool recall(const struct embedded *store, struct found *out)
{
    const qk__left *left = qk__upstream_cache_get(store->upstreams, out->id);
    if (left == NULL) {
        return true;
    }
    out->known = true;
    out->status = QK_JOB_DONE;
    out->attempt = left->attempt;
    out->large =
        left->result != NULL && strncmp(left->result, REFERENCE, sizeof REFERENCE - 1) == 0;
    out->node = qk__dup_text(left->node, strlen(left->node));
    if (left->result != NULL && !out->large) {
        out->result = qk__dup_text(left->result, strlen(left->result));
    }
    return out->node != NULL && (out->result != NULL || left->result == NULL || out->large);
}

/* With `lock` held. */
static qk_status find_live(struct embedded *store, qk_id job, struct found **out, size_t *count,
                           qk_error *err)
{
    qk_id *ids = NULL;
    qk_status rc = qk__engine_parents(store->engine, job, &ids, count);
    struct found *found = rc == QK_OK ? calloc(*count + 1, sizeof *found) : NULL;
    bool good = found != NULL;
    for (size_t i = 0; good && i < *count; i++) {
        qk__row row;
        found[i].id = ids[i];
        if (qk__engine_get(store->engine, ids[i], &row, NULL)) {
            good = take_row(&found[i], &row, row.result.length);
        } else {
            good = recall(store, &found[i]);
        }
    }
    free(ids);
    *out = found;
    if (!good) {
        *count = found == NULL ? 0 : *count;
        return no_memory(err);
    }
    return QK_OK;
}

static struct found *find(struct found *found, size_t count, qk_id id)
{
    for (size_t low = 0, high = count; low < high;) { /* links are sorted by parent */
        size_t middle = (low + high) / 2;
        int order = qk_id_compare(found[middle].id, id);
        if (order == 0) {
            return &found[middle];
        }
        *(order < 0 ? &low : &high) = order < 0 ? middle + 1 : middle;
    }
    return NULL;
}

static qk_status find_ended(struct embedded *store, struct found *found, size_t count,
                            qk_error *err)
{
    qk__row_set rows = { NULL, 0, NULL };
    qk_id *ids = malloc((count + 1) * sizeof *ids);
    size_t missing = 0;
    for (size_t i = 0; ids != NULL && i < count; i++) {
        if (!found[i].known) {
            ids[missing++] = found[i].id;
        }
    }
    qk_status rc = ids == NULL ? no_memory(err) : QK_OK;
    if (missing > 0 && (rc = borrow_database(store, err)) == QK_OK) {
        rc = qk__reader_upstream(store->reader, &rows, ids, missing, err);
        return_database(store);
    }
    for (size_t i = 0; rc == QK_OK && i < rows.count; i++) {
        struct found *own = find(found, count, rows.rows[i].id);
        if (own != NULL && !take_row(own, &rows.rows[i], rows.rows[i].seq)) {
            rc = no_memory(err);
        }
    }
    qk__row_set_dispose(&rows);
    free(ids);
    return rc;
}

static const char *put(char **at, const char *text)
{
    char *start = *at;
    if (text == NULL) {
        return NULL;
    }
    size_t size = strlen(text) + 1;
    memcpy(start, text, size);
    *at += size;
    return start;
}

static qk__upstream *pack(const struct found *found, size_t count)
{
    size_t size = sizeof(qk__upstream) + count * sizeof(qk__upstream_node);
    for (size_t i = 0; i < count; i++) {
        size += found[i].node == NULL ? 0 : strlen(found[i].node) + 1;
        size += found[i].result == NULL ? 0 : strlen(found[i].result) + 1;
    }
    qk__upstream *out = malloc(size);
    if (out == NULL) {
        return NULL;
    }
    out->count = 0;
    out->items = (qk__upstream_node *)(out + 1);
    char *at = (char *)(out->items + count);
    for (size_t i = 0; i < count; i++) {
        if (found[i].known) { /* purged ones are nowhere */
            out->items[out->count++] = (qk__upstream_node){ .id = found[i].id,
                                                            .status = found[i].status,
                                                            .attempt = found[i].attempt,
                                                            .node = put(&at, found[i].node),
                                                            .result = put(&at, found[i].result),
                                                            .large = found[i].large };
        }
    }
    return out;
}

qk_status embedded_upstream(qk_store *base, qk__upstream **out, qk_id job, qk_error *err)
{
    struct embedded *store = embedded_of(base);
    struct found *found = NULL;
    size_t count = 0;
    qk_status rc = enter(store, err);
    if (rc != QK_OK) {
        return rc;
    }
    rc = find_live(store, job, &found, &count, err);
    leave(store);
    rc = rc == QK_OK ? find_ended(store, found, count, err) : rc;
    if (rc == QK_OK && (*out = pack(found, count)) == NULL) {
        rc = no_memory(err);
    }
    dispose(found, count);
    return rc;
}

/* Leaf results of a run, those of sub-DAG nodes put together likewise. Ends with the nesting. */
static qk_status put_leaves(struct embedded *store, qk__buffer *text, qk__text reference, int depth,
                            qk_error *err)
{
    char id[QK_ID_TEXT_SIZE] = "";
    qk_id run;
    qk__row_set rows = { NULL, 0, NULL };
    memcpy(id, reference.data + sizeof REFERENCE - 1, QK_ID_TEXT_SIZE - 1);
    if (reference.length < sizeof REFERENCE - 1 + QK_ID_TEXT_SIZE ||
        qk_id_parse(&run, id) != QK_OK || depth > QK_DAG_NESTING_MAX) {
        return qk__error(err, QK_EDAMAGED, "a sub-DAG's result leads nowhere: see `doctor`");
    }
    qk_status rc = qk__reader_leaves(store->reader, &rows, run, err);
    qk__buffer_text(text, "{");
    for (size_t i = 0; rc == QK_OK && i < rows.count; i++) {
        const qk__row *row = &rows.rows[i];
        qk__buffer_text(text, i == 0 ? "" : ",");
        qk__buffer_json_string(text, row->node.data, row->node.length);
        qk__buffer_text(text, ":");
        if (is_reference(row->result)) {
            rc = put_leaves(store, text, row->result, depth + 1, err);
        } else if (row->result.data == NULL) {
            qk__buffer_text(text, "null");
        } else {
            qk__buffer_append(text, row->result.data, row->result.length);
        }
    }
    qk__buffer_text(text, "}");
    qk__row_set_dispose(&rows);
    return rc;
}

static qk_status resolve(struct embedded *store, char **out, qk__text result, qk_error *err)
{
    qk__buffer text;
    if (result.data == NULL) {
        *out = NULL;
        return QK_OK;
    }
    qk__buffer_init(&text, SIZE_MAX / 2);
    qk_status rc = QK_OK;
    if (!is_reference(result)) {
        qk__buffer_append(&text, result.data, result.length);
    } else if ((rc = borrow_database(store, err)) == QK_OK) {
        rc = put_leaves(store, &text, result, 0, err);
        return_database(store);
    }
    *out = rc == QK_OK && !text.failed ? qk__buffer_take(&text) : NULL;
    qk__buffer_dispose(&text);
    return rc == QK_OK && *out == NULL ? no_memory(err) : rc;
}

qk_status embedded_result(qk_store *base, char **out, qk_id job, qk_error *err)
{
    struct embedded *store = embedded_of(base);
    qk__row_set set = { NULL, 0, NULL };
    char text[QK_ID_TEXT_SIZE];
    *out = NULL;
    qk_status rc = enter(store, err);
    if (rc != QK_OK) {
        return rc;
    }
    qk__row row;
    bool live = qk__engine_get(store->engine, job, &row, NULL);
    bool done = live && row.status == QK_JOB_DONE;
    rc =
        done ? wait_durable(store, present_gate(store), err) : QK_OK; /* it then is in the tables */
    leave(store);
    if (rc == QK_OK && (!live || done) && (rc = borrow_database(store, err)) == QK_OK) {
        rc = qk__reader_ended(store->reader, &set, job, err);
        return_database(store);
    }
    if (rc == QK_OK && set.count == 0 && !live) {
        rc = qk__error(err, QK_ENOTFOUND, "no job %s: list the jobs to find its id",
                       qk_id_format(text, job));
    } else if (rc == QK_OK && (set.count == 0 || set.rows[0].status != QK_JOB_DONE)) {
        rc = qk__error(err, QK_ESTATE, "job %s is not done: only done jobs have a result",
                       qk_id_format(text, job));
    }
    rc = rc == QK_OK ? resolve(store, out, set.rows[0].result, err) : rc;
    qk__row_set_dispose(&set);
    return rc;
}
