/*
 * The views, stored and live, over journals written by hand.
 * Covers src/store/embedded/views.c and live_table.c.
 */
#include "unit/store/store_fixture.h"

#include "store/embedded/views.h"

/* Ids are written short: '01' stands for 01000000-0000-7000-8000-000000000000. */
#define ID(n) "'" n "000000-0000-7000-8000-000000000000'"

/* batch, op, id, seq, kind, queue, payload, status, execute_after, claimed_at, claimed_by,
 * finished_at, attempts, attempt, error, ext */
#define ROW_INTO(table)                                                                            \
    "INSERT INTO " table " (batch, op, id, seq, kind, queue, priority, payload, created_at, "      \
    "status, execute_after, claimed_at, claimed_by, finished_at, attempts, attempt, error, ext) "  \
    "VALUES "

static const char story[] =
    /* 01: done long ago. Its history row is all there is */
    "INSERT INTO history (batch, id, seq, kind, queue, priority, payload, created_at, status, state, "
    "claimed_at, claimed_by, finished_at, attempts, attempt, result) VALUES (1, " ID(
        "01") ", 1, 'resize', 'default', 50, '{\"w\":1}', '2026-11-01 10:00:00', 3, 'done', "
              "'2026-11-01 10:00:01', 'w1', '2026-11-01 10:00:02', 1, 1, '[7]');"
    /* 02: failed once, was retried: pending, claimed, done in the other journal */
    ROW_INTO("journal_a") "(2, 0, " ID(
        "02") ", 2, 'resize', 'default', 50, '{}', '2026-11-01 11:00:00', 0, "
              "NULL, NULL, NULL, NULL, 0, 0, NULL, NULL),"
              "(3, 0, " ID(
                  "02") ", 2, 'resize', 'default', 50, '{}', '2026-11-01 11:00:00', 4, "
                        "NULL, '2026-11-01 11:00:01', 'w1', '2026-11-01 11:00:02', 1, 1, 'boom', NULL);" ROW_INTO(
                            "journal_b") "(10, 2, " ID("02") ", NULL, NULL, NULL, NULL, NULL, NULL, 2, "
                                                             "NULL, '2026-11-01 11:00:01', 'w1', '2026-11-01 11:00:02', NULL, 1, 'boom', NULL),"
                                                             "(10, 1, " ID(
                                                                 "02") ", 2, 'resize', 'default', 50, '{}', '2026-11-01 11:00:00', 0, "
                                                                       "NULL, NULL, NULL, NULL, 0, 1, NULL, NULL),"
                                                                       "(11, 0, " ID(
                                                                           "02") ", 2, 'resize', 'default', 50, '{}', '2026-11-01 11:00:00', 3, "
                                                                                 "NULL, '2026-11-01 12:00:00', 'w2', '2026-11-01 12:00:01', 1, 2, NULL, NULL);"
    /* 03: pending in a, carried to b as it was */
    ROW_INTO("journal_a") "(4, 0, " ID(
        "03") ", 3, 'command', 'other', 90, '{}', '2026-11-01 11:30:00', 0, "
              "NULL, NULL, NULL, NULL, 0, 0, NULL, NULL);" ROW_INTO("journal_b") "(12, 0, " ID(
                  "03") ", 3, 'command', 'other', 90, '{}', '2026-11-01 11:30:00', 0, "
                        "NULL, NULL, NULL, NULL, 0, 0, NULL, NULL);"
    /* 04: delayed into the past; 05: into the future; both with things in ext */
    ROW_INTO("journal_b") "(13, 0, " ID(
        "04") ", 4, 'resize', 'default', 50, '{}', '2026-11-01 11:40:00', 1, "
              "'2020-01-01', NULL, NULL, NULL, 0, 0, NULL, "
              "'{\"ma\":5,\"to\":-1,\"tg\":[\"a\",\"b\"],\"nm\":\"four\",\"uk\":\"k\",\"dm\":2}'),"
              "(13, 0, " ID(
                  "05") ", 5, 'resize', 'default', 50, '{}', '2026-11-01 11:50:00', 1, "
                        "'2100-01-01', NULL, NULL, NULL, 0, 0, NULL, '{\"to\":1500000,\"pg\":0.5,\"pm\":\"half\"}');"
    /* 06: claimed, after a nack; its payload is large and stands in a row of its own, twice */
    ROW_INTO("journal_a") "(5, 3, " ID(
        "06") ", NULL, NULL, NULL, NULL, '{\"big\":true}', NULL, NULL, "
              "NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL),"
              "(5, 2, " ID(
                  "06") ", NULL, NULL, NULL, NULL, NULL, NULL, 3, "
                        "NULL, '2026-11-01 12:00:00', 'w1', '2026-11-01 12:00:01', NULL, 1, NULL, NULL);" ROW_INTO(
                            "journal_b") "(14, 3, " ID("06") ", NULL, NULL, NULL, NULL, '{\"big\":true}', NULL, NULL, "
                                                             "NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL),"
                                                             "(14, 0, " ID(
                                                                 "06") ", 6, 'resize', 'default', 50, NULL, '2026-11-01 12:00:00', 2, "
                                                                       "NULL, '2026-11-01 12:00:02', 'w2', NULL, 1, 2, NULL, NULL);"
    /* 07: skipped; 08: failed, still in the journal */
    ROW_INTO("journal_b") "(15, 0, " ID(
        "07") ", 7, 'sql', 'default', 50, '{}', '2026-11-01 12:10:00', 5, "
              "NULL, NULL, NULL, '2026-11-01 12:20:00', 0, 0, NULL, "
              "'{\"sk\":1793535600000000,\"sr\":\"condition\"}'),"
              "(15, 0, " ID(
                  "08") ", 8, 'resize', 'default', 50, '{}', '2026-11-01 12:10:00', 4, "
                        "NULL, '2026-11-01 12:10:01', 'w2', '2026-11-01 12:30:00', 3, 3, 'no', NULL);"
                        "INSERT INTO attempts VALUES (1, " ID(
                            "08") ", 1, 'w1', '2026-11-01 12:10:00', "
                                  "'2026-11-01 12:10:00', 4, 'worker lost', NULL, NULL);"
                                  /* dependencies: settled, in a journal, copied */
                                  "INSERT INTO edges VALUES (1, " ID("02") ", " ID(
                                      "01") ");"
                                            "INSERT INTO journal_a (batch, op, id, related) VALUES (5, 5, " ID("03") ", " ID(
                                                "02") ");"
                                                      "INSERT INTO journal_b (batch, op, id, related) VALUES (12, 5, " ID("03") ", " ID(
                                                          "02") ");"
                                                                /* workers and queues */
                                                                "INSERT INTO journal_a (batch, op, status, claimed_by, created_at, claimed_at, ext) VALUES "
                                                                "(5, 6, 0, 'w1', '2026-11-01', '2026-11-01', '{\"host\":\"h\",\"pid\":1,\"slots\":2,\"running\":0,"
                                                                "\"queues\":[\"default\"]}'), (5, 6, 0, 'w2', '2026-11-01', '2026-11-01', '{\"host\":\"h\","
                                                                "\"pid\":2,\"slots\":4,\"running\":1,\"queues\":[\"default\",\"other\"]}');"
                                                                "INSERT INTO journal_b (batch, op, status, claimed_by, created_at, claimed_at, ext) VALUES "
                                                                "(12, 6, 1, 'w1', '2026-11-01', '2026-11-02', '{}');"
                                                                "INSERT INTO journal_a (batch, op, status, queue) VALUES (5, 4, 1, 'default'), (6, 4, 0, 'default');"
                                                                "INSERT INTO journal_b (batch, op, status, queue) VALUES (12, 4, 1, 'other'), (12, 4, 1, 'empty');"
                                                                "INSERT INTO runs (batch, id, name, created_at, status) VALUES (1, " ID(
                                                                    "a1") ", 'nightly', '2026-11-01', 1);"
                                                                          "UPDATE journal_b SET related = " ID(
                                                                              "a1") " WHERE op = 0 AND seq IN (3, 5, 6, 7, 8);";

typedef struct query {
    const char *sql, *expected;
} query;

/* What both kinds of views must show of the story. */
static const query shown[] = {
    { "SELECT left(id::VARCHAR, 2), status, attempts, queue FROM jobs ORDER BY id",
      "01|done|1|default\n02|done|1|default\n03|pending|0|other\n04|pending|0|default\n"
      "05|delayed|0|default\n06|claimed|1|default\n07|skipped|0|default\n08|failed|3|default\n" },
    { "SELECT left(id::VARCHAR, 2), max_attempts, timeout_seconds, dependency_mode, tags, name, "
      "unique_key, progress, progress_message FROM jobs WHERE id <> " ID(
          "01") " ORDER BY id LIMIT 4",
      "02|3|300|all|NULL|NULL|NULL|NULL|NULL\n03|1|NULL|all|NULL|NULL|NULL|NULL|NULL\n"
      "04|5|NULL|all_done|[\"a\",\"b\"]|four|k|NULL|NULL\n05|3|1.5|all|NULL|NULL|NULL|0.5|half\n" },
    { "SELECT payload, result FROM jobs WHERE id IN (" ID("01") ", " ID("06") ") ORDER BY id",
      "{\"w\":1}|[7]\n{\"big\":true}|NULL\n" },
    { "SELECT skipped_at, skip_reason, skipped_by, completed_at FROM jobs WHERE status = 'skipped'",
      "2026-11-01T12:20:00Z|condition|queuack|2026-11-01T12:20:00Z\n" },
    { "SELECT left(id::VARCHAR, 2), error FROM dead_letter_queue", "08|no\n" },
    { "SELECT left(job_id::VARCHAR, 2), attempt, worker_id, outcome, error, finished_at "
      "FROM job_attempts ORDER BY ALL",
      "01|1|w1|done|NULL|2026-11-01T10:00:02Z\n02|1|w1|failed|boom|2026-11-01T11:00:02Z\n"
      "02|2|w2|done|NULL|2026-11-01T12:00:01Z\n06|1|w1|nacked|NULL|2026-11-01T12:00:01Z\n"
      "06|2|w2|running|NULL|NULL\n08|1|w1|lost|worker lost|2026-11-01T12:10:00Z\n"
      "08|3|w2|failed|no|2026-11-01T12:30:00Z\n" },
    { "SELECT left(child_job_id::VARCHAR, 2), left(parent_job_id::VARCHAR, 2) "
      "FROM job_dependencies ORDER BY ALL",
      "02|01\n03|02\n" },
    { "SELECT id, host, pid, queues, slots, running FROM workers",
      "w2|h|2|[\"default\",\"other\"]|4|1\n" },
    { "SELECT * FROM queues ORDER BY name",
      "default|false|NULL|2|1\nempty|true|NULL|0|0\nother|true|NULL|1|0\n" },
    { "SELECT dag_name, dag_status, total_jobs, completed_jobs, failed_jobs, pending_jobs, "
      "running_jobs, skipped_jobs, delayed_jobs, cancelled_jobs FROM dag_run_stats",
      "nightly|running|5|0|1|1|1|1|1|0\n" },
};
#define SHOWN_COUNT (sizeof(shown) / sizeof(shown[0]))

/* The stored views as plain DuckDB shows them: through the same text form as people's rows, but on
 * a connection without TEMP views. */
static char *ask_stored(duckdb_connection connection, const char *sql)
{
    char text[8192];
    duckdb_result result;
    size_t used = 0;
    /* Values as DuckDB's own text; times become RFC 3339 so that both sides compare. */
    snprintf(text, sizeof(text),
             "SELECT concat_ws('|', *COLUMNS(c -> true)) FROM (SELECT "
             "coalesce(regexp_replace(COLUMNS(*)::VARCHAR, "
             "'^(\\d{4}-\\d\\d-\\d\\d) (\\d\\d:\\d\\d:\\d\\d)$', '\\1T\\2Z'), 'NULL') FROM (%s))",
             sql);
    if (duckdb_query(connection, text, &result) != DuckDBSuccess)
        fail_msg("%s: %s", sql, duckdb_result_error(&result));
    char *out = calloc(1, 1 << 16);
    assert_non_null(out);
    duckdb_data_chunk chunk;
    while ((chunk = duckdb_fetch_chunk(result)) != NULL) {
        duckdb_string_t *rows = duckdb_vector_get_data(duckdb_data_chunk_get_vector(chunk, 0));
        for (idx_t i = 0; i < duckdb_data_chunk_get_size(chunk); i++)
            used += (size_t)snprintf(out + used, (1 << 16) - used, "%.*s\n",
                                     (int)duckdb_string_t_length(rows[i]),
                                     duckdb_string_t_data(&rows[i]));
        duckdb_destroy_data_chunk(&chunk);
    }
    duckdb_destroy_result(&result);
    return out;
}

/* DuckDB writes 300.0 where JSON says 300. */
static void drop_point_zero(char *text)
{
    for (char *at; (at = strstr(text, ".0|")) != NULL;)
        memmove(at, at + 2, strlen(at + 2) + 1);
}

static void assert_stored(duckdb_connection connection)
{
    for (size_t i = 0; i < SHOWN_COUNT; i++) {
        char *text = ask_stored(connection, shown[i].sql);
        drop_point_zero(text);
        assert_string_equal(text, shown[i].expected);
        free(text);
    }
}

static void test_stored__show_the_story_on_an_open_store(void **state)
{
    (void)state;
    fixture f;
    fixture_open(&f, NULL);
    must_run(f.connection, story);
    assert_stored(f.connection);
    fixture_close(&f);
}

static void test_stored__plain_duckdb_shows_them_on_the_closed_file(void **state)
{
    (void)state;
    fixture f;
    char path[512];
    duckdb_database database;
    duckdb_connection connection;
    fixture_open(&f, "views-closed");
    must_run(f.connection, story);
    memcpy(path, f.path, sizeof(path));
    f.path[0] = ':'; /* keeps the file */
    fixture_close(&f);
    assert_int_equal(duckdb_open(path, &database), DuckDBSuccess);
    assert_int_equal(duckdb_connect(database, &connection), DuckDBSuccess);
    assert_stored(connection);
    duckdb_disconnect(&connection);
    duckdb_close(&database);
    remove_store(path);
}

static qk__text text(const char *value)
{
    return (qk__text){ value, value ? (uint32_t)strlen(value) : 0 };
}

static qk__row live_job(const char *id, const char *kind, const char *queue, qk_job_status status)
{
    char full[QK_ID_TEXT_SIZE];
    qk__row row = { .op = QK__OP_IMAGE,
                    .status = (uint8_t)status,
                    .kind = text(kind),
                    .queue = text(queue),
                    .payload = text("{}") };
    snprintf(full, sizeof(full), "%s000000-0000-7000-8000-000000000000", id);
    assert_int_equal(qk_id_parse(&row.id, full), QK_OK);
    return row;
}

/* The engine's side of the same story. */
static size_t live_story(qk__row rows[16])
{
    size_t n = 0;
    qk_id run;
    qk_id_parse(&run, "a1000000-0000-7000-8000-000000000000");
    rows[n++] = live_job("03", "command", "other", QK_JOB_PENDING);
    rows[0].related = run;
    qk__row *row = &rows[n++];
    *row = live_job("04", "resize", "default", QK_JOB_DELAYED);
    row->execute_after_us = 1;
    row->ext =
        text("{\"ma\":5,\"to\":-1,\"tg\":[\"a\",\"b\"],\"nm\":\"four\",\"uk\":\"k\",\"dm\":2}");
    row = &rows[n++];
    *row = live_job("05", "resize", "default", QK_JOB_DELAYED);
    row->execute_after_us = INT64_C(4102444800000000);
    row->ext = text("{\"to\":1500000,\"pg\":0.5,\"pm\":\"half\"}");
    row->related = run;
    row = &rows[n++];
    *row = live_job("06", "resize", "default", QK_JOB_CLAIMED);
    row->payload = text(NULL);
    row->claimed_by = text("w2");
    row->claimed_us = 1793534402000000;
    row->attempts = 1;
    row->attempt = 2;
    row->related = run;
    rows[n++] = (qk__row){ .op = QK__OP_WORKER,
                           .claimed_by = text("w2"),
                           .ext = text("{\"host\":\"h\",\"pid\":2,\"slots\":4,\"running\":1,"
                                       "\"queues\":[\"default\",\"other\"]}") };
    rows[n++] = (qk__row){ .op = QK__OP_QUEUE, .queue = text("default") };
    rows[n++] = (qk__row){ .op = QK__OP_QUEUE, .queue = text("other"), .status = 1 };
    rows[n++] = (qk__row){ .op = QK__OP_QUEUE, .queue = text("empty"), .status = 1 };
    return n;
}

static void test_live__show_the_same_story(void **state)
{
    (void)state;
    fixture f;
    qk__row rows[16];
    fixture_open(&f, NULL);
    must_run(f.connection, story);
    f.live = (qk__row_set){ rows, live_story(rows), NULL };
    for (size_t i = 0; i < SHOWN_COUNT; i++)
        assert_answer(&f, shown[i].sql, shown[i].expected);
    fixture_close(&f);
}

/* What is in memory counts, not the tables: a job claimed since, and one that ended a moment ago
 * and is not durable yet. */
static void test_live__memory_is_ahead_of_the_tables(void **state)
{
    (void)state;
    fixture f;
    qk__row rows[16];
    fixture_open(&f, NULL);
    must_run(f.connection, story);
    f.live = (qk__row_set){ rows, live_story(rows), NULL };
    rows[0].status = QK_JOB_CLAIMED;
    rows[0].claimed_by = text("w9");
    rows[0].attempt = 1;
    rows[1].status = QK_JOB_FAILED;
    rows[1].error = text("fresh");
    assert_answer(&f,
                  "SELECT left(id::VARCHAR, 2), status, claimed_by FROM jobs WHERE queue = 'other'",
                  "03|claimed|w9\n");
    assert_answer(
        &f, "SELECT outcome, worker_id FROM job_attempts WHERE left(job_id::VARCHAR, 2) = '03'",
        "running|w9\n");
    assert_answer(&f, "SELECT error FROM dead_letter_queue ORDER BY id", "fresh\nno\n");
    assert_answer(&f, "SELECT count(*) FROM jobs", "8\n");
    fixture_close(&f);
}

/* More rows than a chunk of DuckDB's holds, and more than two. */
static void test_live__many_rows(void **state)
{
    (void)state;
    enum { ROWS = 5000 };
    fixture f;
    qk__row *rows = calloc(ROWS, sizeof(*rows));
    assert_non_null(rows);
    fixture_open(&f, NULL);
    for (size_t i = 0; i < ROWS; i++) {
        rows[i] = live_job("09", i % 2 ? "odd" : "even", "default", QK_JOB_PENDING);
        rows[i].id.bytes[15] = (uint8_t)i;
        rows[i].id.bytes[14] = (uint8_t)(i >> 8);
        rows[i].seq = i;
        rows[i].has_exit_code = i % 3 == 0;
        rows[i].exit_code = (int32_t)i;
    }
    f.live = (qk__row_set){ rows, ROWS, NULL };
    assert_answer(&f,
                  "SELECT kind, count(*), count(DISTINCT id), count(exit_code), max(exit_code) "
                  "FROM jobs GROUP BY kind ORDER BY kind",
                  "even|2500|2500|834|4998\nodd|2500|2500|833|4995\n");
    fixture_close(&f);
    free(rows);
}

static void test_columns__are_those_of_the_specification_in_order(void **state)
{
    (void)state;
    static const query columns[] = {
        { "jobs",
          "id,dag_run_id,node_name,dependency_mode,kind,payload,queue,status,priority,created_at,"
          "execute_after,claimed_at,claimed_by,completed_at,attempts,max_attempts,timeout_seconds,"
          "result,error,skipped_at,skip_reason,skipped_by,tags,name,unique_key,progress,"
          "progress_message,map_index,exit_code" },
        { "dead_letter_queue",
          "id,dag_run_id,node_name,dependency_mode,kind,payload,queue,status,priority,created_at,"
          "execute_after,claimed_at,claimed_by,completed_at,attempts,max_attempts,timeout_seconds,"
          "result,error,skipped_at,skip_reason,skipped_by,tags,name,unique_key,progress,"
          "progress_message,map_index,exit_code" },
        { "job_dependencies", "child_job_id,parent_job_id" },
        { "job_attempts", "job_id,attempt,worker_id,claimed_at,finished_at,outcome,error,exit_code,"
                          "log_tail" },
        { "dag_runs",
          "id,parent_job_id,root_run_id,name,description,created_at,completed_at,status,"
          "metadata,params,trigger,scheduled_for,definition" },
        { "dag_run_stats",
          "dag_run_id,dag_name,dag_status,created_at,completed_at,total_jobs,completed_jobs,"
          "failed_jobs,pending_jobs,running_jobs,skipped_jobs,delayed_jobs,cancelled_jobs" },
        { "workers", "id,host,pid,started_at,heartbeat_at,queues,slots,running" },
        { "queues", "name,paused,concurrency,waiting,claimed" },
    };
    fixture f;
    fixture_open(&f, NULL);
    for (size_t i = 0; i < sizeof(columns) / sizeof(columns[0]); i++) {
        char sql[256], expected[1024];
        qk_rows *rows;
        snprintf(sql, sizeof(sql),
                 "SELECT string_agg(column_name, ',' ORDER BY column_index) FROM duckdb_columns() "
                 "WHERE table_name = '%s' AND database_name = current_database()",
                 columns[i].sql);
        char *stored = ask_stored(f.connection, sql);
        snprintf(expected, sizeof(expected), "%s\n", columns[i].expected);
        assert_string_equal(stored, expected);
        free(stored);
        snprintf(sql, sizeof(sql), "SELECT * FROM %s", columns[i].sql);
        assert_int_equal(qk__reader_rows(f.reader, &rows, sql, 5000000, &f.err), QK_OK);
        char live[1024] = "";
        for (size_t c = 0; c < rows->ops->column_count(rows); c++) {
            strcat(live, c ? "," : "");
            strcat(live, rows->ops->column_name(rows, c));
        }
        rows->ops->close(rows);
        assert_string_equal(live, columns[i].expected);
        assert_true(qk__views_published(columns[i].sql));
        assert_non_null(strstr(qk__views_list(), columns[i].sql));
    }
    assert_false(qk__views_published("queuack_rows"));
    fixture_close(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_stored__show_the_story_on_an_open_store),
        cmocka_unit_test(test_stored__plain_duckdb_shows_them_on_the_closed_file),
        cmocka_unit_test(test_live__show_the_same_story),
        cmocka_unit_test(test_live__memory_is_ahead_of_the_tables),
        cmocka_unit_test(test_live__many_rows),
        cmocka_unit_test(test_columns__are_those_of_the_specification_in_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
