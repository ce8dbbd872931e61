/*
 * A person's retry of nodes of a run: reads a picture of the tree of runs, plans, reads what the plan
 * opens, and hands it to the engine. A handful of queries, whatever the number of nodes.
 *
 * Holds `cold`. First everything applied is made durable, so that what has ended stands in the
 * tables; if runs of the tree change before the plan is applied, all is done again.
 *
 * long file: one retry from the picture to the engine, in the order in which it happens.
 */
#include "store/embedded/embedded_internal.h"

#include "store/embedded/embedded_retry.h"
#include "store/embedded/reader_internal.h"
#include "util/error.h"

#include <queuack/run.h>
#include <stdlib.h>
#include <string.h>

#define TRIES 200

struct retrying {
    qk_id root;
    qk__row_set runs, ended, edges, images; /* what was read */
    qk__node_look *live;
    size_t live_count;
    struct qk__run_seen *seen; /* one per run */
    struct picture picture;
    qk__row *open_runs; /* the engine's view of what opens */
    qk__run_facts *facts;
    bool *waits;
    size_t open_run_count;
    qk__cold_set cold;
};

static void dispose(struct retrying *r)
{
    qk__row_set_dispose(&r->runs);
    qk__row_set_dispose(&r->ended);
    qk__row_set_dispose(&r->edges);
    qk__row_set_dispose(&r->images);
    free(r->live);
    free(r->seen);
    free(r->picture.nodes);
    free(r->picture.by_run);
    free(r->picture.runs);
    free(r->picture.edges);
    free(r->open_runs);
    free(r->facts);
    free(r->waits);
    cold_dispose(&r->cold);
    memset(r, 0, sizeof *r);
}

static int by_node_id(const void *a, const void *b)
{
    return qk_id_compare(((const struct plan_node *)a)->id, ((const struct plan_node *)b)->id);
}

static int by_run_id(const void *a, const void *b)
{
    return qk_id_compare(((const struct plan_run *)a)->id, ((const struct plan_run *)b)->id);
}

static int by_parent(const void *a, const void *b)
{
    const struct plan_edge *left = a;
    const struct plan_edge *right = b;
    return left->parent != right->parent ? (left->parent < right->parent ? -1 : 1)
           : left->child != right->child ? (left->child < right->child ? -1 : 1)
                                         : 0;
}

static int row_by_id(const void *a, const void *b)
{
    return qk_id_compare(((const qk__row *)a)->id, ((const qk__row *)b)->id);
}

static void add_ended(struct plan_node *node, const qk__row *row)
{
    /* error: the reason of a skip, see qk__reader_tree_nodes */
    bool failure = row->error.data != NULL && row->error.length > 14 &&
                   memcmp(row->error.data, "parent_failed:", 14) == 0;
    *node = (struct plan_node){
        .id = row->id, .run_id = row->related, .status = row->status, .for_failure = failure
    };
}

static size_t add_nodes(struct retrying *r)
{
    struct picture *p = &r->picture;
    size_t count = 0;
    for (size_t i = 0; i < r->ended.count; i++) {
        add_ended(&p->nodes[count++], &r->ended.rows[i]);
    }
    for (size_t i = 0; i < r->live_count; i++) {
        const qk__node_look *look = &r->live[i];
        p->nodes[count++] = (struct plan_node){ .id = look->id,
                                                .run_id = look->run,
                                                .status = look->status,
                                                .waiting = look->waiting,
                                                .live = true };
    }
    qsort(p->nodes, count, sizeof *p->nodes, by_node_id);
    return count;
}

static void link_runs(struct picture *p)
{
    for (size_t i = 0; i < p->run_count; i++) {
        p->runs[i].parent = plan_find_node(p, p->runs[i].parent_job);
    }
    for (size_t i = 0; i < p->node_count; i++) {
        p->nodes[i].child = QK__NOWHERE;
        p->nodes[i].run = plan_find_run(p, p->nodes[i].run_id);
        if (p->nodes[i].run != QK__NOWHERE) {
            p->runs[p->nodes[i].run].count++;
        }
    }
    size_t at = 0;
    for (size_t i = 0; i < p->run_count; i++) {
        if (p->runs[i].parent != QK__NOWHERE) {
            p->nodes[p->runs[i].parent].child = i;
        }
        p->runs[i].first = at;
        at += p->runs[i].count;
        p->runs[i].count = 0;
    }
    for (size_t i = 0; i < p->node_count; i++) {
        struct plan_run *run = p->nodes[i].run == QK__NOWHERE ? NULL : &p->runs[p->nodes[i].run];
        if (run != NULL) {
            p->by_run[run->first + run->count++] = i;
        }
    }
}

static void link_edges(struct retrying *r)
{
    struct picture *p = &r->picture;
    for (size_t i = 0; i < r->edges.count; i++) {
        size_t child = plan_find_node(p, r->edges.rows[i].id);
        size_t parent = plan_find_node(p, r->edges.rows[i].related);
        if (child != QK__NOWHERE && parent != QK__NOWHERE &&
            p->nodes[child].run == p->nodes[parent].run) {
            p->edges[p->edge_count++] = (struct plan_edge){ parent, child };
        }
    }
    qsort(p->edges, p->edge_count, sizeof *p->edges, by_parent);
}

static qk_status draw(struct retrying *r, qk_error *err)
{
    struct picture *p = &r->picture;
    size_t nodes = r->ended.count + r->live_count;
    p->nodes = calloc(nodes + 1, sizeof *p->nodes);
    p->by_run = calloc(nodes + 1, sizeof *p->by_run);
    p->runs = calloc(r->runs.count + 1, sizeof *p->runs);
    p->edges = calloc(r->edges.count + 1, sizeof *p->edges);
    if (p->nodes == NULL || p->by_run == NULL || p->runs == NULL || p->edges == NULL) {
        return no_memory(err);
    }
    for (size_t i = 0; i < r->runs.count; i++) {
        p->runs[p->run_count++] =
            (struct plan_run){ .id = r->runs.rows[i].id, .parent_job = r->runs.rows[i].related };
    }
    qsort(p->runs, p->run_count, sizeof *p->runs, by_run_id);
    qsort(r->runs.rows, r->runs.count, sizeof *r->runs.rows, row_by_id); /* the same order */
    p->node_count = add_nodes(r);
    link_runs(p);
    link_edges(r);
    return QK_OK;
}

/* What is live now, and how the runs in memory stand. With `lock` held. */
static qk_status look(struct embedded *store, struct retrying *r, qk_error *err)
{
    r->seen = calloc(r->runs.count + 1, sizeof *r->seen);
    if (r->seen == NULL ||
        qk__engine_tree_nodes(store->engine, r->root, &r->live, &r->live_count) != QK_OK) {
        return no_memory(err);
    }
    for (size_t i = 0; i < r->runs.count; i++) {
        qk__run_look seen;
        r->seen[i].id = r->runs.rows[i].id;
        if (qk__engine_run_look(store->engine, r->seen[i].id, &seen)) {
            r->seen[i].version = seen.version;
        }
    }
    return QK_OK;
}

static bool all_durable(struct embedded *store, const struct retrying *r)
{
    for (size_t i = 0; i < r->live_count; i++) {
        if (qk_job_status_is_terminal(r->live[i].status)) {
            return false; /* ended a moment ago */
        }
    }
    (void)store;
    return true;
}

/* QK_EMPTY: what was read is no longer true. */
static qk_status read_picture(struct embedded *store, struct retrying *r, qk_id run, qk_error *err)
{
    qk_status rc = enter_to_write(store, err);
    if (rc != QK_OK) {
        return rc;
    }
    rc = wait_durable(store, present_gate(store), err);
    leave(store);
    rc = rc == QK_OK ? borrow_database(store, err) : rc;
    if (rc != QK_OK) {
        return rc;
    }
    rc = qk__reader_tree_runs(store->reader, &r->runs, run, err);
    if (rc == QK_OK && r->runs.count == 0) {
        rc = QK_ENOTFOUND;
    }
    if (rc == QK_OK) {
        /* claimed_by: the root's id, see qk__reader_tree_runs */
        char root[QK_ID_TEXT_SIZE] = "";
        qk__text text = r->runs.rows[0].claimed_by;
        memcpy(root, text.data, text.length < sizeof root ? text.length : sizeof root - 1);
        rc = qk_id_parse(&r->root, root);
    }
    if (rc == QK_OK && (rc = enter(store, err)) == QK_OK) {
        rc = look(store, r, err);
        leave(store);
    }
    rc = rc == QK_OK && !all_durable(store, r) ? QK_EMPTY : rc;
    rc = rc == QK_OK ? qk__reader_tree_nodes(store->reader, &r->ended, r->root, err) : rc;
    rc = rc == QK_OK ? qk__reader_tree_edges(store->reader, &r->edges, r->root, err) : rc;
    return_database(store);
    return rc == QK_OK ? draw(r, err) : rc;
}

/* Ids of what the plan opens; malloc'd. */
static qk_id *opened(const struct picture *p, size_t *count)
{
    qk_id *ids = malloc((p->node_count + 1) * sizeof *ids);
    *count = 0;
    for (size_t i = 0; ids != NULL && i < p->node_count; i++) {
        if (p->nodes[i].marked) {
            ids[(*count)++] = p->nodes[i].id;
        }
    }
    return ids;
}

static uint8_t depth_of(const struct picture *p, size_t run)
{
    uint8_t depth = 1;
    while (p->runs[run].parent != QK__NOWHERE && depth < 255 &&
           p->nodes[p->runs[run].parent].run != QK__NOWHERE) {
        run = p->nodes[p->runs[run].parent].run;
        depth++;
    }
    return depth;
}

/* Ended runs one of whose nodes opens; run rows are kept in the order of the picture's runs. */
static qk_status choose_runs(struct embedded *store, struct retrying *r, qk_error *err)
{
    const struct picture *p = &r->picture;
    r->open_runs = calloc(p->run_count + 1, sizeof *r->open_runs);
    r->facts = calloc(p->run_count + 1, sizeof *r->facts);
    if (r->open_runs == NULL || r->facts == NULL) {
        return no_memory(err);
    }
    for (size_t i = 0; i < p->run_count; i++) {
        bool opens = false;
        for (size_t k = 0; k < p->runs[i].count && !opens; k++) {
            opens = p->nodes[p->by_run[p->runs[i].first + k]].marked;
        }
        if (opens && r->runs.rows[i].status >= QK_RUN_DONE) {
            r->facts[r->open_run_count].id = p->runs[i].id;
            r->open_runs[r->open_run_count] = r->runs.rows[i];
            r->open_runs[r->open_run_count].priority = depth_of(p, i);
            r->open_runs[r->open_run_count++].op = QK__OP_RUN;
        }
    }
    return r->open_run_count == 0 ? QK_OK : run_facts(store, r->facts, r->open_run_count, err);
}

/* Edges of the opened nodes only, by child; the others are no longer needed. */
static void keep_edges(struct retrying *r)
{
    size_t kept = 0;
    for (size_t i = 0; i < r->edges.count; i++) {
        size_t child = plan_find_node(&r->picture, r->edges.rows[i].id);
        if (child != QK__NOWHERE && r->picture.nodes[child].marked) {
            r->edges.rows[kept++] = r->edges.rows[i];
        }
    }
    r->edges.count = kept;
    if (kept > 0) { /* without edges there are no rows either */
        qsort(r->edges.rows, kept, sizeof *r->edges.rows, row_by_id);
    }
}

static qk_status read_parents(struct embedded *store, struct retrying *r, qk_error *err)
{
    qk_id *parents = malloc((r->edges.count + 1) * sizeof *parents);
    if (parents == NULL) {
        return no_memory(err);
    }
    for (size_t i = 0; i < r->edges.count; i++) {
        parents[i] = r->edges.rows[i].related;
    }
    qk_status rc =
        r->edges.count == 0 ? QK_OK : cold_lookup(store, parents, r->edges.count, &r->cold, err);
    free(parents);
    return rc;
}

/* Reads whole what opens. */
static qk_status read_opened(struct embedded *store, struct retrying *r, qk_error *err)
{
    size_t count = 0;
    qk_id *ids = opened(&r->picture, &count);
    qk_status rc = ids == NULL ? no_memory(err) : borrow_database(store, err);
    if (rc != QK_OK) {
        free(ids);
        return rc;
    }
    rc = choose_runs(store, r, err);
    keep_edges(r);
    rc = rc == QK_OK ? qk__reader_ended_full(store->reader, &r->images, ids, count, err) : rc;
    rc = rc == QK_OK ? read_parents(store, r, err) : rc;
    return_database(store);
    free(ids);
    if (rc != QK_OK) {
        return rc;
    }
    if (r->images.count != count) {
        return QK_EMPTY;
    }
    qsort(r->images.rows, count, sizeof *r->images.rows, row_by_id);
    r->waits = calloc(count + 1, sizeof *r->waits);
    for (size_t i = 0; r->waits != NULL && i < count; i++) {
        r->waits[i] = r->picture.nodes[plan_find_node(&r->picture, r->images.rows[i].id)].waits;
    }
    return r->waits == NULL ? no_memory(err) : QK_OK;
}

static qk_status apply(struct embedded *store, const struct retrying *r, qk_error *err)
{
    qk__reopen plan = { .runs = r->open_runs,
                        .facts = r->facts,
                        .run_count = r->open_run_count,
                        .nodes = r->images.rows,
                        .waits = r->waits,
                        .node_count = r->images.count,
                        .edges = r->edges.rows,
                        .edge_count = r->edges.count,
                        .seen = r->seen,
                        .seen_count = r->runs.count,
                        .cold = &r->cold };
    qk_status rc = enter_to_write(store, err);
    if (rc != QK_OK) {
        return rc;
    }
    rc = qk__engine_reopen(store->engine, embedded_now(store), &plan);
    qk__upstream_cache_free(&store->upstreams);
    for (size_t i = 0; rc == QK_OK && i < plan.node_count; i++) {
        char queue[QK_NAME_MAX + 1] = "";
        qk__text name = plan.nodes[i].queue;
        memcpy(queue, name.data, name.length > QK_NAME_MAX ? QK_NAME_MAX : name.length);
        base_forget(store, queue, plan.nodes[i].status);
    }
    announce(store);
    rc = rc == QK_OK ? wait_durable(store, present_gate(store), err) : rc;
    leave(store);
    if (rc == QK_ENOTFOUND) {
        return qk__error(err, QK_ESTATE,
                         "a job outside that a node needs was purged: submit the run anew");
    }
    if (rc == QK_ESTATE) {
        return qk__error(err, rc, "the unique key of a node is held by another job: wait for it");
    }
    return rc == QK_ENOMEM ? no_memory(err) : rc;
}

/* What each of the nodes opens adds up. */
static qk_status plan_all(struct picture *picture, enum retry_what what, qk_id run,
                          const qk_id *nodes, size_t count, qk_error *err)
{
    size_t at = plan_find_run(picture, run);
    qk_status rc = at == QK__NOWHERE ? QK_ENOTFOUND : QK_OK;
    if (rc == QK_OK && what == RETRY_RUN) {
        return plan_retry(picture, what, at, QK__NOWHERE, err);
    }
    for (size_t i = 0; rc == QK_OK && i < count; i++) {
        size_t node = plan_find_node(picture, nodes[i]);
        rc = node == QK__NOWHERE ? QK_ENOTFOUND : plan_retry(picture, what, at, node, err);
    }
    return rc;
}

static qk_status try_retry(struct embedded *store, struct retrying *r, enum retry_what what,
                           qk_id run, const qk_id *nodes, size_t count, qk_error *err)
{
    qk_status rc = read_picture(store, r, run, err);
    rc = rc == QK_OK ? plan_all(&r->picture, what, run, nodes, count, err) : rc;
    rc = rc == QK_OK ? read_opened(store, r, err) : rc;
    return rc == QK_OK ? apply(store, r, err) : rc;
}

qk_status retry_in_run(struct embedded *store, int what, qk_id run, const qk_id *nodes,
                       size_t count, qk_error *err)
{
    struct retrying r = { 0 };
    char text[QK_ID_TEXT_SIZE];
    qk_status rc = QK_EMPTY;
    pthread_mutex_lock(&store->cold);
    for (int i = 0; i < TRIES && rc == QK_EMPTY; i++) {
        rc = try_retry(store, &r, (enum retry_what)what, run, nodes, count, err);
        dispose(&r);
    }
    pthread_mutex_unlock(&store->cold);
    if (rc == QK_EMPTY) {
        return qk__error(err, QK_ESTATE, "the run is changing too fast: pause it first");
    }
    return rc == QK_ENOTFOUND ? qk__error(err, rc, "no run %s: list the runs to find its id",
                                          qk_id_format(text, run))
                              : rc;
}
