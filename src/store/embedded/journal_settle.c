/*
 * Settling: ended jobs move in bulk from the inactive journal table to the flat history, which is
 * emptied. One transaction, so that a job is always in exactly one of the two; then a checkpoint.
 *
 * Runs on the maintenance thread with its own connection, while the writer appends to the other
 * table.
 */
#include "store/embedded/journal_duckdb.h"

#include "store/embedded/database.h"

#include <stdio.h>

#define COLUMNS                                                                                    \
    "e.batch, e.id, e.seq, e.related, e.node, e.kind, e.queue, e.priority, "                       \
    "coalesce(e.payload, p.payload), e.created_at, e.status, e.execute_after, e.claimed_at, "      \
    "e.claimed_by, e.finished_at, e.attempts, e.attempt, e.result, e.error, e.exit_code, "         \
    "e.log_tail, e.ext, CASE e.status WHEN 3 THEN 'done' WHEN 4 THEN 'failed' "                    \
    "WHEN 5 THEN 'skipped' WHEN 6 THEN 'cancelled' END"

/* A terminal image holds unless its job was reopened later. %1$s: settled, %2$s: the other. */
static const char settle_history[] =
    "INSERT INTO history (batch, id, seq, related, node, kind, queue, priority, payload, "
    "created_at, status, execute_after, claimed_at, claimed_by, finished_at, attempts, attempt, "
    "result, error, exit_code, log_tail, ext, state) SELECT " COLUMNS " FROM %1$s e "
    "LEFT JOIN (SELECT id, any_value(payload) AS payload FROM %1$s WHERE op = 3 GROUP BY id) p "
    "ON e.id = p.id AND e.payload IS NULL "
    "LEFT JOIN (SELECT id, max(batch) AS batch FROM (SELECT id, batch FROM %1$s WHERE op = 1 "
    "UNION ALL SELECT id, batch FROM %2$s WHERE op = 1) GROUP BY id) r "
    "ON e.id = r.id AND r.batch > e.batch "
    "WHERE e.op <= 1 AND e.status >= 3 AND r.id IS NULL";

static const char settle_attempts[] =
    "INSERT INTO attempts (batch, id, attempt, worker, claimed_at, finished_at, outcome, error, "
    "exit_code, log_tail) SELECT batch, id, attempt, claimed_by, claimed_at, finished_at, status, "
    "error, exit_code, log_tail FROM %1$s WHERE op = 2";

static const char settle_edges[] =
    "INSERT INTO edges (batch, child, parent) SELECT o.batch, o.id, o.related FROM %1$s o "
    "LEFT JOIN (SELECT DISTINCT id, related FROM %2$s WHERE op = 5) n "
    "ON o.id = n.id AND o.related = n.related WHERE o.op = 5 AND n.id IS NULL";

static const char settle_empty[] = "DELETE FROM %1$s";

static qk_status run(struct duckdb_journal *journal, const char *format, qk_error *err)
{
    char sql[2048];
    int settled = !journal->active;
    snprintf(sql, sizeof sql, format, journal_table(settled), journal_table(!settled));
    return qk__database_run(journal->maintenance, sql, err);
}

static qk_status move_rows(struct duckdb_journal *journal, qk_error *err)
{
    qk_status rc = qk__database_run(journal->maintenance, "BEGIN TRANSACTION", err);
    if (rc != QK_OK) {
        return rc;
    }
    rc = run(journal, settle_history, err);
    rc = rc == QK_OK ? run(journal, settle_attempts, err) : rc;
    rc = rc == QK_OK ? run(journal, settle_edges, err) : rc;
    rc = rc == QK_OK ? run(journal, settle_empty, err) : rc;
    pthread_mutex_lock(journal->gate);
    if (rc == QK_OK) {
        rc = qk__database_run(journal->maintenance, "COMMIT", err);
    }
    if (rc != QK_OK) {
        (void)qk__database_run(journal->maintenance, "ROLLBACK", NULL);
    }
    pthread_mutex_unlock(journal->gate);
    return rc;
}

qk_status journal_settle(qk__journal *base, qk_error *err)
{
    struct duckdb_journal *journal = (struct duckdb_journal *)base;
    int settled = !journal->active;
    qk_status rc = QK_OK;
    pthread_mutex_lock(&journal->settling);
    if (journal->rows[settled] > 0) {
        rc = move_rows(journal, err);
    }
    if (rc == QK_OK) {
        journal->rows[settled] = journal->commits[settled] = journal->bytes[settled] = 0;
    }
    pthread_mutex_unlock(&journal->settling);
    if (rc == QK_OK) {
        /* Refused while a long reader holds an old snapshot: then the next one does it. */
        (void)qk__database_run(journal->maintenance, "CHECKPOINT", NULL);
    }
    return rc;
}
