/*
 * Readers: connections of their own that never touch the writer.
 *
 * Owns a small pool of DuckDB connections. Each has TEMP views that shadow the stored ones and take
 * the live jobs from a snapshot of the engine through a table function of its own (qk_live_<n>).
 * A consistent picture: the host's pin() keeps any commit from becoming visible while the reader
 * begins its transaction and copies the live rows; unpin() lets commits go on.
 * Any thread may call; a connection serves one call at a time, callers wait for a free one.
 */
#ifndef QK_STORE_EMBEDDED_READER_H
#define QK_STORE_EMBEDDED_READER_H

#include <duckdb.h>

#include "store/embedded/row.h"
#include "store/store.h"

#include <queuack/run.h>

/* Rows with the memory their text lives in. */
typedef struct qk__row_set {
    qk__row *rows; /* from malloc, or NULL */
    size_t count;
    void *memory; /* one block from malloc, or NULL */
} qk__row_set;

/* Frees both blocks and empties the set. */
void qk__row_set_dispose(qk__row_set *set);

typedef struct qk__reader_host {
    void *self;
    void (*pin)(void *self);
    void (*unpin)(void *self);
    /* Copies an IMAGE for each live job (and each that ended but is not durable yet), and a WORKER
     * row for each known worker and a QUEUE row for each queue. Called between pin and unpin. */
    qk_status (*snapshot)(void *self, qk__row_set *out, qk_error *err);
    void (*sql_refused)(void *self); /* counts a refusal */
    /* Bytes by which the process may grow while a person's query runs, before it is stopped
     * (QK_ENOMEM); 0: no limit. DuckDB's own limit leaves out what functions allocate. */
    uint64_t memory_max;
} qk__reader_host;

typedef struct qk__reader qk__reader;

qk_status qk__reader_open(qk__reader **out, duckdb_database database, const qk__reader_host *host,
                          const qk_clock *clock, const qk__log *log, qk_error *err);
/* Interrupts running queries, waits for them, closes. Rows still open afterwards return
 * QK_ECLOSED; they are freed by their owner. NULL-safe. */
void qk__reader_close(qk__reader *reader);

/* True if no query runs and no rows are open. */
bool qk__reader_idle(qk__reader *reader);

/* Stops people's queries that run now (QK_ENOMEM): the writer failed for memory. Any thread. */
void qk__reader_interrupt(qk__reader *reader);

/* Last terminal image of a job that is durable and not in memory, with its payload even if large.
 * set->count is 0 or 1. For retry, repeated acks, lookups by id. */
qk_status qk__reader_ended(qk__reader *reader, qk__row_set *out, qk_id id, qk_error *err);

/* Which of these ids are ended jobs: fills an IMAGE row (id, status, kind, queue, error-free) per
 * hit, in no order, without texts but kind and queue. One query for all. */
qk_status qk__reader_ended_many(qk__reader *reader, qk__row_set *out, const qk_id *ids,
                                size_t count, qk_error *err);

/* Number of the last attempt of (job) recorded with this worker, and its outcome; for answering a
 * repeated ack, fail or nack. *found false if there is none. */
qk_status qk__reader_attempt(qk__reader *reader, bool *found, qk__attempt_outcome *outcome,
                             const qk_lease *lease, qk_error *err);

/* Payload rows (op PAYLOAD) of live jobs by id. One query for all. */
qk_status qk__reader_payloads(qk__reader *reader, qk__row_set *out, const qk_id *ids, size_t count,
                              qk_error *err);

/* Runs as RUN rows: node the name, claimed_by the root's id as text, payload the definition if that
 * is asked for. reader_runs.c. */
qk_status qk__reader_run(qk__reader *reader, qk__row_set *out, qk_id id, qk_error *err);
/* Every run of the tree that the run belongs to. */
qk_status qk__reader_tree_runs(qk__reader *reader, qk__row_set *out, qk_id run, qk_error *err);
/* The same in order of id: id, related, node, status, and result the id of the run around it as text. */
qk_status qk__reader_hierarchy(qk__reader *reader, qk__row_set *out, qk_id run, qk_error *err);
qk_status qk__reader_list_runs(qk__reader *reader, qk__row_set *out, const qk_run_filter *filter,
                               size_t limit, qk_error *err);
/* Ended jobs of a whole tree, and the job of no run that the root is of: id, related the run, status,
 * error the reason of a skip. */
qk_status qk__reader_tree_nodes(qk__reader *reader, qk__row_set *out, qk_id root, qk_error *err);
/* Dependencies of a whole tree's jobs: id, related. */
qk_status qk__reader_tree_edges(qk__reader *reader, qk__row_set *out, qk_id root, qk_error *err);
/* The id of a node, live or ended. */
qk_status qk__reader_node(qk__reader *reader, qk__row_set *out, qk_id run, const char *node,
                          qk_error *err);
/* Terminal images, as qk__reader_ended. One query for all. */
qk_status qk__reader_ended_full(qk__reader *reader, qk__row_set *out, const qk_id *ids,
                                size_t count, qk_error *err);

/* Parents of these jobs from the tables: id, related. One query for all. */
qk_status qk__reader_parents_many(qk__reader *reader, qk__row_set *out, const qk_id *ids,
                                  size_t count, qk_error *err);

/* Ended jobs as upstream: id, node, status, attempt, result unless it is large (seq: its length). */
qk_status qk__reader_upstream(qk__reader *reader, qk__row_set *out, const qk_id *ids, size_t count,
                              qk_error *err);
/* Done leaves of a run: node, result. */
qk_status qk__reader_leaves(qk__reader *reader, qk__row_set *out, qk_id run, qk_error *err);

/* Facts about runs, see run_facts in embedded_runs.c. One query for all. */
qk_status qk__reader_run_facts(qk__reader *reader, qk__row_set *out, const qk_id *ids, size_t count,
                               qk_error *err);

/* Dependencies of a job, live or ended: an EDGE row (id, related) per parent. */
qk_status qk__reader_parents(qk__reader *reader, qk__row_set *out, qk_id child, qk_error *err);

/* The job in one allocation, the list likewise with all its jobs and text: free() frees either.
 * A person's view of one row; ops->get and ops->list are built on these. */
qk_status qk__row_to_job(qk_job **out, const qk__row *row, qk_error *err);
qk_status qk__reader_list(qk__reader *reader, qk_job_list **out, const qk_job_filter *filter,
                          qk_error *err);

/* Counts of ended jobs by queue and status. */
typedef struct qk__ended_count {
    char queue[QK_NAME_MAX + 1];
    qk_job_status status;
    uint64_t count;
} qk__ended_count;
/* *out: malloc'd array, the caller frees. */
qk_status qk__reader_ended_counts(qk__reader *reader, qk__ended_count **out, size_t *count,
                                  qk_error *err);

qk_status qk__reader_rows(qk__reader *reader, qk_rows **out, const char *sql, int64_t timeout_us,
                          qk_error *err);

#endif
