/*
 * Definitions of the views; see views.h.
 *
 * Rules of the file they rely on are in docs/file-format.md. Shapes that matter for speed, measured
 * with 10 M history rows: history's status is shown from its stored text (`state`), never through a
 * CASE; history takes part in no join; what a query does not select (JSON of ext) is not computed.
 *
 * Building blocks: queuack_images (every image in both journals), queuack_reopens, queuack_payloads,
 * queuack_ended (history and terminal images that no later reopen voids), queuack_live (jobs that
 * have not ended), queuack_rows (both). Any thread; no state.
 */
#include "store/embedded/views.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "store/embedded/database.h"
#include "util/buffer.h"
#include "util/error.h"

typedef struct view {
    const char *name;
    bool published;
    const char *stored; /* definition over tables */
    const char *live; /* of the TEMP view if it differs; %s is the table function */
} view;

#define BOTH(columns, condition)                                                                   \
    "SELECT " columns " FROM journal_a WHERE " condition " UNION ALL SELECT " columns              \
    " FROM journal_b WHERE " condition

/* The same columns as QK__ROW_COLUMNS from alias i, with a large payload fetched from its own row
 * in p, and `status` given. */
#define WITH_PAYLOAD(status)                                                                       \
    "SELECT i.id, i.seq, i.related, i.node, i.kind, i.queue, i.priority, "                         \
    "coalesce(i.payload, p.payload) AS payload, i.created_at, " status " AS status, "              \
    "i.execute_after, i.claimed_at, i.claimed_by, i.finished_at, i.attempts, i.attempt, "          \
    "i.result, i.error, i.exit_code, i.log_tail, i.ext"

/* A stored delayed job whose time has come is pending: nobody is there to move it. */
#define READY_STATUS                                                                               \
    "CASE WHEN i.status = 1 AND i.execute_after <= make_timestamp(epoch_us(now())) "               \
    "THEN 0::UTINYINT ELSE i.status END"

#define STATE_OF(status)                                                                           \
    "CASE " status " WHEN 0 THEN 'pending' WHEN 1 THEN 'delayed' WHEN 2 THEN 'claimed' "           \
    "WHEN 3 THEN 'done' WHEN 4 THEN 'failed' WHEN 5 THEN 'skipped' WHEN 6 THEN 'cancelled' END"

#define JOB_COLUMNS                                                                                \
    "SELECT id, related AS dag_run_id, node AS node_name, "                                        \
    "CASE coalesce((ext->>'$.dm')::INTEGER, 0) WHEN 0 THEN 'all' WHEN 1 THEN 'any' "               \
    "WHEN 2 THEN 'all_done' WHEN 3 THEN 'one_failed' WHEN 4 THEN 'none_failed' END "               \
    "AS dependency_mode, kind, payload::JSON AS payload, queue, state AS status, "                 \
    "priority::INTEGER AS priority, created_at, execute_after, claimed_at, claimed_by, "           \
    "finished_at AS completed_at, attempts, "                                                      \
    "coalesce((ext->>'$.ma')::INTEGER, CASE WHEN kind IN ('command', 'sql') THEN 1 ELSE 3 END) "   \
    "AS max_attempts, "                                                                            \
    "CASE WHEN ext->>'$.to' IS NULL "                                                              \
    "THEN CASE WHEN kind IN ('command', 'sql', 'dag') THEN NULL ELSE 300.0::DOUBLE END "           \
    "WHEN (ext->>'$.to')::BIGINT < 0 THEN NULL "                                                   \
    "ELSE (ext->>'$.to')::BIGINT / 1000000.0::DOUBLE END AS timeout_seconds, "                     \
    "result::JSON AS result, error, make_timestamp((ext->>'$.sk')::BIGINT) AS skipped_at, "        \
    "ext->>'$.sr' AS skip_reason, CASE WHEN state = 'skipped' THEN 'queuack' END AS skipped_by, "  \
    "ext->'$.tg' AS tags, ext->>'$.nm' AS name, ext->>'$.uk' AS unique_key, "                      \
    "(ext->>'$.pg')::DOUBLE AS progress, ext->>'$.pm' AS progress_message, "                       \
    "(ext->>'$.mi')::INTEGER AS map_index, exit_code "

#define OUTCOME_TEXT(column)                                                                       \
    "CASE " column " WHEN 0 THEN 'running' WHEN 1 THEN 'done' WHEN 2 THEN 'failed' "               \
    "WHEN 3 THEN 'nacked' WHEN 4 THEN 'lost' WHEN 5 THEN 'cancelled' END"

/* The last attempt of a job, told from its own row. */
#define OWN_ATTEMPT(outcome, source)                                                               \
    "SELECT id AS job_id, attempt, claimed_by AS worker_id, claimed_at, finished_at, " outcome     \
    " AS outcome, error, exit_code, log_tail FROM " source " WHERE attempt > 0 AND "               \
    "claimed_by IS NOT NULL AND state IN ('claimed', 'done', 'failed', 'cancelled')"

/* Run rows as the table `runs` has them. */
#define RUN_COLUMNS                                                                                \
    "id, parent_job_id, root_run_id, name, description, created_at, completed_at, status, "        \
    "metadata, params, trigger, scheduled_for, definition"
#define RUN_FROM_ROW                                                                               \
    "SELECT i.id, i.related AS parent_job_id, (i.ext->>'$.rt')::UUID AS root_run_id, "             \
    "i.node AS name, i.ext->>'$.de' AS description, i.created_at, "                                \
    "i.finished_at AS completed_at, i.status, (i.ext->'$.md')::VARCHAR AS metadata, "              \
    "(i.ext->'$.pr')::VARCHAR AS params, i.ext->>'$.tr' AS trigger, "                              \
    "make_timestamp((i.ext->>'$.sf')::BIGINT) AS scheduled_for, p.payload AS definition "

#define RUN_STATUS_TEXT                                                                            \
    "CASE status WHEN 0 THEN 'pending' WHEN 1 THEN 'running' WHEN 2 THEN 'paused' "                \
    "WHEN 3 THEN 'done' WHEN 4 THEN 'failed' WHEN 6 THEN 'cancelled' END"

/* Last row of a worker or queue: `key` identifies it. */
#define LAST_ROW(columns, key, op)                                                                 \
    "SELECT " columns " FROM (SELECT " key ", arg_max({'created_at': created_at, 'claimed_at': "   \
    "claimed_at, 'status': status, 'ext': ext}, batch) AS last FROM (" BOTH(                       \
        "batch, " key ", created_at, claimed_at, status, ext", "op = " op) ") GROUP BY " key ")"

#define LAST_COLUMNS                                                                               \
    "last.created_at AS created_at, last.claimed_at AS claimed_at, last.status AS status, "        \
    "last.ext AS ext"

static const view views[] = {
    { "queuack_images", false, BOTH("batch, op, " QK__ROW_COLUMNS, "op <= 1"), NULL },
    { "queuack_reopens", false, BOTH("batch, id", "op = 1"), NULL },
    { "queuack_payloads", false,
      "SELECT id, any_value(payload) AS payload FROM (" BOTH("id, payload",
                                                             "op = 3") ") GROUP BY id",
      NULL },
    { "queuack_ended", false,
      WITH_PAYLOAD("i.status") ", " STATE_OF(
          "i.status") " AS state"
                      " FROM queuack_images i LEFT JOIN queuack_payloads p USING (id) WHERE i.status >= 3 "
                      "AND NOT EXISTS (SELECT 1 FROM queuack_reopens r WHERE r.id = i.id AND r.batch > i.batch) "
                      "UNION ALL SELECT " QK__ROW_COLUMNS ", state FROM history",
      NULL },
    { "queuack_live", false,
      "SELECT *, " STATE_OF("status") " AS state FROM (" WITH_PAYLOAD(
          READY_STATUS) " FROM queuack_images i JOIN (SELECT id, max(batch) AS batch FROM queuack_images GROUP BY id)"
                        " m USING (id, batch) LEFT JOIN queuack_payloads p USING (id) WHERE i.status < 3)",
      WITH_PAYLOAD("i.status") ", " STATE_OF(
          "i.status") " AS state"
                      " FROM %s() i LEFT JOIN queuack_payloads p USING (id) WHERE i.op <= 1" },
    { "queuack_run_images", false, BOTH("batch, op, " QK__ROW_COLUMNS, "op = 9"), NULL },
    { "queuack_run_rows", false,
      RUN_FROM_ROW
      "FROM queuack_run_images i JOIN (SELECT id, max(batch) AS batch FROM queuack_run_images GROUP BY id)"
      " m USING (id, batch) LEFT JOIN queuack_payloads p USING (id) "
      "UNION ALL SELECT " RUN_COLUMNS " FROM runs",
      RUN_FROM_ROW
      "FROM %s() i LEFT JOIN queuack_payloads p USING (id) WHERE i.op = 9 UNION ALL " RUN_FROM_ROW
      "FROM queuack_run_images i JOIN (SELECT id, max(batch) AS batch FROM queuack_run_images GROUP BY id)"
      " m USING (id, batch) LEFT JOIN queuack_payloads p USING (id) "
      "WHERE i.id NOT IN (SELECT id FROM %s() WHERE op = 9) "
      "UNION ALL SELECT " RUN_COLUMNS
      " FROM runs WHERE id NOT IN (SELECT id FROM %s() WHERE op = 9)" },
    { "queuack_workers", false, LAST_ROW("claimed_by, " LAST_COLUMNS, "claimed_by", "6"),
      "SELECT claimed_by, created_at, claimed_at, status, ext FROM %s() WHERE op = 6" },
    { "queuack_queues", false, LAST_ROW("queue, " LAST_COLUMNS, "queue", "4"),
      "SELECT queue, created_at, claimed_at, status, ext FROM %s() WHERE op = 4" },
    { "queuack_rows", false, "FROM queuack_ended UNION ALL FROM queuack_live", NULL },
    { "jobs", true, JOB_COLUMNS "FROM queuack_rows", NULL },
    { "dead_letter_queue", true, JOB_COLUMNS "FROM queuack_rows WHERE state = 'failed'", NULL },
    { "job_dependencies", true,
      "SELECT child AS child_job_id, parent AS parent_job_id FROM edges UNION (" BOTH("id, related",
                                                                                      "op = 5") ")",
      NULL },
    { "job_attempts", true,
      "SELECT id AS job_id, attempt, worker AS worker_id, claimed_at, finished_at, " OUTCOME_TEXT("outcome") " AS outcome, error, exit_code, log_tail FROM attempts UNION ALL " BOTH(
          "id, attempt, claimed_by, claimed_at, finished_at, " OUTCOME_TEXT(
              "status") ", error, exit_code, log_tail",
          "op = 2") " UNION ALL " OWN_ATTEMPT("state",
                                              "queuack_ended") " UNION ALL " OWN_ATTEMPT("CASE state WHEN 'claimed' THEN 'running' ELSE state END",
                                                                                         "queuack_live"),
      NULL },
    { "dag_runs", true,
      "SELECT id, parent_job_id, root_run_id, name, description, created_at, completed_at, " RUN_STATUS_TEXT
      " AS status, metadata::JSON AS metadata, params::JSON AS params, "
      "trigger, scheduled_for, definition::JSON AS definition FROM queuack_run_rows",
      NULL },
    { "dag_run_stats", true,
      "SELECT r.id AS dag_run_id, r.name AS dag_name, r.status AS dag_status, r.created_at, "
      "r.completed_at, coalesce(total, 0) AS total_jobs, coalesce(done, 0) AS completed_jobs, "
      "coalesce(failed, 0) AS failed_jobs, coalesce(pending, 0) AS pending_jobs, "
      "coalesce(running, 0) AS running_jobs, coalesce(skipped, 0) AS skipped_jobs, "
      "coalesce(\"delayed\", 0) AS delayed_jobs, coalesce(cancelled, 0) AS cancelled_jobs "
      "FROM dag_runs r LEFT JOIN (SELECT related, count(*) AS total, "
      "count(*) FILTER (state = 'pending') AS pending, count(*) FILTER (state = 'delayed') AS \"delayed\", "
      "count(*) FILTER (state = 'claimed') AS running, count(*) FILTER (state = 'done') AS done, "
      "count(*) FILTER (state = 'failed') AS failed, count(*) FILTER (state = 'skipped') AS skipped, "
      "count(*) FILTER (state = 'cancelled') AS cancelled FROM queuack_rows WHERE related IS NOT NULL "
      "GROUP BY related) c ON c.related = r.id",
      NULL },
    { "workers", true,
      "SELECT claimed_by AS id, ext->>'$.host' AS host, (ext->>'$.pid')::INTEGER AS pid, "
      "created_at AS started_at, claimed_at AS heartbeat_at, ext->'$.queues' AS queues, "
      "(ext->>'$.slots')::INTEGER AS slots, (ext->>'$.running')::INTEGER AS running "
      "FROM queuack_workers WHERE status = 0",
      NULL },
    { "queues", true,
      "SELECT coalesce(n.queue, q.queue) AS name, coalesce(q.status, 0) = 1 AS paused, "
      "(q.ext->>'$.co')::INTEGER AS concurrency, coalesce(n.waiting, 0) AS waiting, "
      "coalesce(n.claimed, 0) AS claimed FROM (SELECT queue, "
      "count(*) FILTER (state IN ('pending', 'delayed')) AS waiting, "
      "count(*) FILTER (state = 'claimed') AS claimed "
      "FROM (SELECT queue, state FROM queuack_live UNION ALL SELECT queue, NULL FROM "
      "(SELECT DISTINCT queue FROM history) UNION ALL SELECT queue, NULL FROM "
      "(SELECT DISTINCT queue FROM queuack_images)) GROUP BY queue) n "
      "FULL JOIN queuack_queues q USING (queue)",
      NULL },
};

#define VIEW_COUNT (sizeof(views) / sizeof(views[0]))

static void append_view(qk__buffer *sql, const view *v, const char *live_function)
{
    qk__buffer_printf(sql, "CREATE OR REPLACE %sVIEW %s AS ", live_function ? "TEMP " : "",
                      v->name);
    const char *body = live_function && v->live ? v->live : v->stored;
    const char *hole;
    while (live_function && v->live && (hole = strstr(body, "%s")) != NULL) {
        qk__buffer_append(sql, body, (size_t)(hole - body));
        qk__buffer_text(sql, live_function);
        body = hole + 2;
    }
    qk__buffer_text(sql, body);
    qk__buffer_text(sql, ";\n");
}

qk_status qk__views_create(duckdb_connection connection, const char *live_function, qk_error *err)
{
    qk__buffer sql;
    qk__buffer_init(&sql, 1 << 20);
    for (size_t i = 0; i < VIEW_COUNT; i++)
        append_view(&sql, &views[i], live_function);
    qk_status rc = sql.failed ? qk__error(err, QK_ENOMEM, "out of memory")
                              : qk__database_run(connection, sql.data, err);
    qk__buffer_dispose(&sql);
    return rc;
}

bool qk__views_published(const char *name)
{
    for (size_t i = 0; i < VIEW_COUNT; i++) {
        if (views[i].published && strcasecmp(views[i].name, name) == 0)
            return true;
    }
    return false;
}

const char *qk__views_list(void)
{
    return "jobs, job_dependencies, job_attempts, dag_runs, dag_run_stats, dead_letter_queue, "
           "workers, queues";
}
