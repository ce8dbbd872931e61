/*
 * Settling: ended jobs move from the inactive journal table to the flat history; and checkpoints.
 *
 * In slices of batches, oldest first, each one transaction: one large commit would hold up the
 * writer for as long as it takes to log it (measured: 280 ms for 500,000 rows, 8 ms in slices). Oldest first
 * keeps what is left a suffix of the log, in which the last image of every job is still the last.
 * Large payloads stay until the end, since the image that needs them may come later. Statements for
 * rows that are not there are left out: each scans the table.
 *
 * Runs on the keeper's thread with connections of its own, while the writer appends to the other
 * table.
 */
#include "store/embedded/journal_duckdb.h"

#include "store/embedded/database.h"

#include <stdio.h>

#define SLICE_ROWS 8000u

#define INTO_HISTORY(payload)                                                                      \
    "INSERT INTO history (batch, id, seq, related, node, kind, queue, priority, payload, "         \
    "created_at, status, execute_after, claimed_at, claimed_by, finished_at, attempts, attempt, "  \
    "result, error, exit_code, log_tail, ext, state) SELECT "                                      \
    "e.batch, e.id, e.seq, e.related, e.node, e.kind, e.queue, e.priority, " payload               \
    ", e.created_at, e.status, e.execute_after, e.claimed_at, e.claimed_by, e.finished_at, "       \
    "e.attempts, e.attempt, e.result, e.error, e.exit_code, e.log_tail, e.ext, "                   \
    "CASE e.status WHEN 3 THEN 'done' WHEN 4 THEN 'failed' WHEN 5 THEN 'skipped' "                 \
    "WHEN 6 THEN 'cancelled' END FROM %1$s e "

#define ENDED "e.op <= 1 AND e.status >= 3 AND e.batch BETWEEN %3$lld AND %4$lld"

/* A terminal image holds unless its job was reopened later. %1$s: settled, %2$s: the other. */
static const char settle_history[] = INTO_HISTORY(
    "coalesce(e.payload, p.payload)") "LEFT JOIN (SELECT id, any_value(payload) AS payload FROM %1$s WHERE op = 3 GROUP BY id) p "
                                      "ON e.id = p.id AND e.payload IS NULL "
                                      "LEFT JOIN (SELECT id, max(batch) AS batch FROM (SELECT id, batch FROM %1$s WHERE op = 1 "
                                      "UNION ALL SELECT id, batch FROM %2$s WHERE op = 1) GROUP BY id) r "
                                      "ON e.id = r.id AND r.batch > e.batch WHERE r.id IS NULL AND " ENDED;

/* The same when nothing was reopened and all payloads are in the images. */
static const char settle_plain_history[] = INTO_HISTORY("e.payload") "WHERE " ENDED;

static const char settle_attempts[] =
    "INSERT INTO attempts (batch, id, attempt, worker, claimed_at, finished_at, outcome, error, "
    "exit_code, log_tail) SELECT batch, id, attempt, claimed_by, claimed_at, finished_at, status, "
    "error, exit_code, log_tail FROM %1$s WHERE op = 2 "
    "AND batch BETWEEN %3$lld AND %4$lld";

static const char settle_edges[] =
    "INSERT INTO edges (batch, child, parent) SELECT o.batch, o.id, o.related FROM %1$s o "
    "LEFT JOIN (SELECT DISTINCT id, related FROM %2$s WHERE op = 5) n "
    "ON o.id = n.id AND o.related = n.related WHERE o.op = 5 AND n.id IS NULL "
    "AND o.batch BETWEEN %3$lld AND %4$lld";

/* A run's image holds unless there is a later one: live runs are carried, so the last one is in one
 * of the journals, and what is terminal here with nothing after it is the end. */
static const char settle_runs[] =
    "INSERT INTO runs (batch, id, parent_job_id, root_run_id, name, description, created_at, "
    "completed_at, status, metadata, params, trigger, scheduled_for, definition) "
    "SELECT e.batch, e.id, e.related, (e.ext->>'$.rt')::UUID, e.node, e.ext->>'$.de', "
    "e.created_at, e.finished_at, e.status, (e.ext->'$.md')::VARCHAR, (e.ext->'$.pr')::VARCHAR, "
    "e.ext->>'$.tr', make_timestamp((e.ext->>'$.sf')::BIGINT), p.payload FROM %1$s e "
    "LEFT JOIN (SELECT id, any_value(payload) AS payload FROM (SELECT id, payload FROM %1$s WHERE op = 3 "
    "UNION ALL SELECT id, payload FROM %2$s WHERE op = 3) GROUP BY id) p "
    "ON e.id = p.id JOIN (SELECT id, max(batch) AS batch FROM ("
    "SELECT id, batch FROM %1$s WHERE op = 9 UNION ALL SELECT id, batch FROM %2$s WHERE op = 9) "
    "GROUP BY id) m ON m.id = e.id AND m.batch = e.batch "
    "WHERE e.op = 9 AND e.status >= 3 AND e.batch BETWEEN %3$lld AND %4$lld";

static const char settle_slice[] =
    "DELETE FROM %1$s WHERE op <> 3 AND batch BETWEEN %3$lld AND %4$lld";

static const char settle_rest[] = "DELETE FROM %1$s";

/* What the settled table holds; those who reopen wait while it is settled. */
struct contents {
    int64_t first, last; /* batches */
    int64_t outliers; /* reopened jobs, here or in the other table, and payloads of their own */
    int64_t attempts, edges, runs;
};

static const char count_contents[] =
    "SELECT coalesce(min(batch), 0), coalesce(max(batch), -1), "
    "count(*) FILTER (op = 1 OR op = 3) + (SELECT count(*) FROM %2$s WHERE op = 1), "
    "count(*) FILTER (op = 2), count(*) FILTER (op = 5), count(*) FILTER (op = 9) FROM %1$s";

static qk_status run(struct duckdb_journal *journal, const char *format, int64_t first,
                     int64_t last, qk_error *err)
{
    char sql[2048];
    int settled = !journal->active;
    // cppcheck-suppress [wrongPrintfScanfArgNum, wrongPrintfScanfParameterPositionError, invalidPrintfArgType_sint]
    snprintf(sql, sizeof sql, format, journal_table(settled), journal_table(!settled),
             (long long)first, (long long)last);
    return qk__database_run(journal->maintenance, sql, err);
}

static qk_status finish(struct duckdb_journal *journal, qk_status rc, qk_error *err)
{
    if (rc == QK_OK) {
        rc = qk__database_run(journal->maintenance, "COMMIT", err);
    }
    if (rc != QK_OK) {
        (void)qk__database_run(journal->maintenance, "ROLLBACK", NULL);
    }
    return rc;
}

static qk_status look_into(struct duckdb_journal *journal, struct contents *out, qk_error *err)
{
    char sql[512];
    int64_t numbers[6] = { 0 };
    int settled = !journal->active;
    // cppcheck-suppress [wrongPrintfScanfArgNum, wrongPrintfScanfParameterPositionError]
    snprintf(sql, sizeof sql, count_contents, journal_table(settled), journal_table(!settled));
    qk_status rc = journal_numbers(journal->maintenance, sql, numbers, 6, err);
    *out =
        (struct contents){ numbers[0], numbers[1], numbers[2], numbers[3], numbers[4], numbers[5] };
    return rc;
}

static qk_status move_slice(struct duckdb_journal *journal, const struct contents *contents,
                            int64_t first, int64_t last, qk_error *err)
{
    qk_status rc = qk__database_run(journal->maintenance, "BEGIN TRANSACTION", err);
    if (rc != QK_OK) {
        return rc;
    }
    rc = run(journal, contents->outliers > 0 ? settle_history : settle_plain_history, first, last,
             err);
    if (rc == QK_OK && contents->attempts > 0) {
        rc = run(journal, settle_attempts, first, last, err);
    }
    if (rc == QK_OK && contents->edges > 0) {
        rc = run(journal, settle_edges, first, last, err);
    }
    if (rc == QK_OK && contents->runs > 0) {
        rc = run(journal, settle_runs, first, last, err);
    }
    rc = rc == QK_OK ? run(journal, settle_slice, first, last, err) : rc;
    return finish(journal, rc, err);
}

static qk_status move_rows(struct duckdb_journal *journal, qk_error *err)
{
    struct contents contents;
    qk_status rc = look_into(journal, &contents, err);
    uint64_t batches = (uint64_t)(contents.last - contents.first + 1);
    uint64_t rows = journal->rows[!journal->active];
    int64_t step = (int64_t)(rows <= SLICE_ROWS ? batches : batches * SLICE_ROWS / rows);
    step = step < 1 ? 1 : step;
    for (int64_t first = contents.first; rc == QK_OK && first <= contents.last; first += step) {
        rc = move_slice(journal, &contents, first, first + step - 1, err);
    }
    return rc == QK_OK ? run(journal, settle_rest, 0, 0, err) : rc;
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
    return rc;
}
