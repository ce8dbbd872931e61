/*
 * Runs: submitting, expanding a sub-DAG node, and the facts about runs that a replay needs.
 */
#include "store/embedded/embedded_internal.h"

#include "store/embedded/reader_internal.h"
#include "util/buffer.h"
#include "util/error.h"

#include <queuack/run.h>
#include <stdlib.h>
#include <string.h>

/* Adds to `cold` what the engine does not know of the jobs' parents. *missing: it had to read, and
 * the engine may have changed meanwhile. Enters with `lock` held; leaves it released if it read. */
qk_status cold_for_jobs(struct embedded *store, const qk__new_job *jobs, size_t count,
                        qk__cold_set *cold, bool *held, bool *read, qk_error *err)
{
    qk_id *missing = NULL;
    size_t missing_count = 0;
    qk_status rc =
        qk__engine_missing(store->engine, jobs, count, cold, &missing, &missing_count) == QK_OK
            ? QK_OK
            : no_memory(err);
    *read = rc == QK_OK && missing_count > 0;
    if (*read) {
        leave(store);
        if (held != NULL && !*held) {
            pthread_rwlock_rdlock(&store->facts);
            *held = true;
        }
        rc = borrow_database(store, err);
        if (rc == QK_OK) {
            rc = cold_lookup(store, missing, missing_count, cold, err);
            return_database(store);
        }
    }
    free(missing);
    return rc;
}

void facts_release(struct embedded *store, bool *held)
{
    if (*held) {
        pthread_rwlock_unlock(&store->facts);
        *held = false;
    }
}

/* Whether a run of that id is in the tables. */
static qk_status known_run(struct embedded *store, bool *known, qk_id id, qk_error *err)
{
    qk__run_facts facts = { .id = id };
    qk_status rc = borrow_database(store, err);
    *known = false;
    if (rc == QK_OK) {
        rc = run_facts(store, &facts, 1, err);
        return_database(store);
        *known = facts.found;
    }
    return rc;
}

/* QK_EMPTY: facts had to be read, try again. */
static qk_status submit_locked(struct embedded *store, qk_enqueued *out, const qk__new_run *run,
                               const qk__new_job *jobs, size_t count, qk__cold_set *cold,
                               bool *held, qk_error *err)
{
    bool read = false;
    qk_status rc = cold_for_jobs(store, jobs, count, cold, held, &read, err);
    if (read) {
        return rc == QK_OK ? QK_EMPTY : rc;
    }
    if (rc == QK_OK) {
        rc = qk__engine_submit(store->engine, embedded_now(store), &out->duplicate, run, jobs,
                               count, cold, err);
    }
    if (rc != QK_EMPTY) {
        facts_release(store, held);
    }
    announce(store);
    if (rc == QK_OK) {
        rc = wait_durable(store, present_gate(store), err);
    }
    leave(store);
    return rc;
}

qk_status embedded_submit_run(qk_store *base, qk_enqueued *out, const qk__new_run *run,
                              const qk__new_job *jobs, size_t count, qk_error *err)
{
    struct embedded *store = embedded_of(base);
    qk__cold_set cold = { NULL, 0 };
    bool held = false;
    qk_status rc = QK_OK;
    *out = (qk_enqueued){ run->id, false };
    if (run->id_given) {
        rc = known_run(store, &out->duplicate, run->id, err);
        if (rc != QK_OK || out->duplicate) {
            return rc;
        }
    }
    do {
        rc = enter_to_write(store, err);
        rc = rc == QK_OK ? submit_locked(store, out, run, jobs, count, &cold, &held, err) : rc;
    } while (rc == QK_EMPTY);
    facts_release(store, &held);
    cold_dispose(&cold);
    return rc;
}

static qk_status lease_lost(qk_error *err, const qk_lease *lease)
{
    char id[QK_ID_TEXT_SIZE];
    return qk__error(err, QK_ELEASE,
                     "lease lost: attempt %d of job %s is no longer held by this worker",
                     (int)lease->attempt, qk_id_format(id, lease->job));
}

struct expansion {
    const qk_lease *lease;
    const qk__new_run *run;
    const qk__new_job *jobs;
    size_t count;
    qk__cold_set cold;
    bool held; /* `facts` of the store */
    qk__run_facts facts; /* of the child it had, once known */
};

/* With `lock` held. QK_EMPTY: try again with the facts. */
static qk_status expand_locked(struct embedded *store, qk_id *child, struct expansion *ask,
                               qk_error *err)
{
    bool read = false;
    qk_status rc = QK_OK;
    bool again = qk__engine_child(store->engine, ask->lease, child);
    if (!again && ask->run != NULL) {
        rc = cold_for_jobs(store, ask->jobs, ask->count, &ask->cold, &ask->held, &read, err);
        if (read) {
            return rc == QK_OK ? QK_EMPTY : rc;
        }
    }
    if (rc == QK_OK) {
        rc = qk__engine_expand(store->engine, embedded_now(store), child, ask->lease, ask->run,
                               ask->jobs, ask->count, &ask->cold, &ask->facts, err);
        if (rc != QK_EMPTY) {
            facts_release(store, &ask->held);
        }
        announce(store);
    }
    if (rc == QK_OK) {
        rc = wait_durable(store, present_gate(store), err);
    }
    leave(store);
    if (rc == QK_EMPTY && (rc = borrow_database(store, err)) == QK_OK) {
        ask->facts.id = *child;
        rc = run_facts(store, &ask->facts, 1, err);
        return_database(store);
        rc = rc == QK_OK && ask->facts.found ? QK_EMPTY
             : rc == QK_OK ? qk__error(err, QK_EDAMAGED, "a child run is missing: see `doctor`")
                           : rc;
    }
    return rc == QK_ELEASE ? lease_lost(err, ask->lease) : rc;
}

qk_status embedded_expand(qk_store *base, qk_id *child, const qk_lease *lease,
                          const qk__new_run *run, const qk__new_job *jobs, size_t count,
                          qk_error *err)
{
    struct embedded *store = embedded_of(base);
    qk__new_run own = { 0 };
    if (run != NULL) {
        own = *run;
        own.parent_job = lease->job;
    }
    struct expansion ask = {
        .lease = lease, .run = run == NULL ? NULL : &own, .jobs = jobs, .count = count
    };
    qk_status rc = QK_EMPTY;
    while (rc == QK_EMPTY) {
        rc = enter_to_write(store, err);
        rc = rc == QK_OK ? expand_locked(store, child, &ask, err) : rc;
    }
    facts_release(store, &ask.held);
    cold_dispose(&ask.cold);
    return rc;
}

/* Names of nodes that have left the memory. Without `lock`. */
static qk_status names_are_new(struct embedded *store, qk_id run, const qk__new_job *jobs,
                               size_t count, qk_error *err)
{
    qk_status rc = borrow_database(store, err);
    for (size_t i = 0; rc == QK_OK && i < count; i++) {
        qk__row_set rows = { NULL, 0, NULL };
        rc = qk__reader_node(store->reader, &rows, run, jobs[i].node, err);
        if (rc == QK_OK && rows.count > 0) {
            rc = qk__error(err, QK_ECONFLICT, "the run has a node '%s': use another name",
                           jobs[i].node);
        }
        qk__row_set_dispose(&rows);
        if (i + 1 == count || rc != QK_OK) {
            return_database(store);
            return rc;
        }
    }
    if (rc == QK_OK) {
        return_database(store);
    }
    return rc;
}

static qk_status add_locked(struct embedded *store, const qk_lease *lease, const qk__new_job *jobs,
                            size_t count, qk__cold_set *cold, qk_error *err)
{
    bool read = false;
    qk_status rc = cold_for_jobs(store, jobs, count, cold, NULL, &read, err);
    if (read) {
        return rc == QK_OK ? QK_EMPTY : rc;
    }
    if (rc == QK_OK) {
        rc =
            qk__engine_add_nodes(store->engine, embedded_now(store), lease, jobs, count, cold, err);
    }
    announce(store);
    if (rc == QK_OK) {
        rc = wait_durable(store, present_gate(store), err);
    }
    leave(store);
    return rc == QK_ELEASE ? lease_lost(err, lease) : rc;
}

qk_status embedded_add_nodes(qk_store *base, const qk_lease *lease, const qk__new_job *jobs,
                             size_t count, qk_error *err)
{
    struct embedded *store = embedded_of(base);
    qk__cold_set cold = { NULL, 0 };
    qk__row row = { 0 };
    pthread_mutex_lock(&store->cold); /* two additions of one name must not pass each other */
    qk_status rc = enter_to_write(store, err);
    if (rc == QK_OK) {
        rc = wait_durable(store, present_gate(store), err);
        bool known = qk__engine_get(store->engine, lease->job, &row, NULL);
        leave(store);
        rc = rc == QK_OK && !known ? lease_lost(err, lease) : rc;
    }
    if (rc == QK_OK && !qk_id_is_none(row.related)) {
        rc = names_are_new(store, row.related, jobs, count, err);
    }
    for (bool again = rc == QK_OK; again; again = rc == QK_EMPTY) {
        rc = enter_to_write(store, err);
        rc = rc == QK_OK ? add_locked(store, lease, jobs, count, &cold, err) : rc;
    }
    pthread_mutex_unlock(&store->cold);
    cold_dispose(&cold);
    return rc;
}

static qk__run_facts *facts_find(qk__run_facts *facts, size_t count, qk_id id)
{
    for (size_t low = 0, high = count; low < high;) {
        size_t middle = (low + high) / 2;
        int order = qk_id_compare(facts[middle].id, id);
        if (order == 0) {
            return &facts[middle];
        }
        *(order < 0 ? &low : &high) = order < 0 ? middle + 1 : middle;
    }
    return NULL;
}

static int by_id(const void *a, const void *b)
{
    return qk_id_compare(((const qk__run_facts *)a)->id, ((const qk__run_facts *)b)->id);
}

qk_status run_facts(struct embedded *store, qk__run_facts *facts, size_t count, qk_error *err)
{
    qk__row_set rows = { NULL, 0, NULL };
    qk_id *ids = malloc((count + 1) * sizeof *ids);
    if (ids == NULL) {
        return no_memory(err);
    }
    qsort(facts, count, sizeof *facts, by_id);
    for (size_t i = 0; i < count; i++) {
        ids[i] = facts[i].id;
    }
    /* One row per run (op 9) with its status, and one per run and status of its jobs (op 0): seq is
     * how many, attempts how many of them make the run fail. */
    qk_status rc = qk__reader_run_facts(store->reader, &rows, ids, count, err);
    for (size_t i = 0; rc == QK_OK && i < rows.count; i++) {
        const qk__row *row = &rows.rows[i];
        qk__run_facts *own = facts_find(facts, count, row->related);
        if (own == NULL) {
            continue;
        }
        if (row->op == QK__OP_RUN) {
            own->found = true;
            own->status = row->status;
        } else if (row->status < QK_JOB_STATUS_COUNT) {
            own->counts[row->status] = row->seq;
            own->bad += (uint64_t)row->attempts;
        }
    }
    qk__row_set_dispose(&rows);
    free(ids);
    return rc;
}
