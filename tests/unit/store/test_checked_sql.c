/*
 * People's SQL: what is refused, what is accepted, and that a refusal leaves the store's lock alone.
 * Covers src/store/embedded/checked_sql.c and checked_sql_names.c.
 */
#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>

#include "unit/store/store_fixture.h"

#include "store/embedded/checked_sql.h"
#include "store/embedded/checked_sql_names.h"

extern char **environ;

/* Refused by the check itself, before anything runs. */
static const char *const hostile[] = {
    /* files */
    "SELECT * FROM read_blob('store.duckdb')",
    "SELECT read_blob('store.duckdb')",
    "SELECT * FROM read_text('/etc/passwd')",
    "SELECT * FROM read_csv('/etc/passwd')",
    "SELECT * FROM read_csv_auto('/etc/passwd')",
    "SELECT * FROM read_json('x')",
    "SELECT * FROM read_ndjson_objects('x')",
    "SELECT * FROM read_parquet('x')",
    "SELECT * FROM parquet_scan('x')",
    "SELECT * FROM parquet_metadata('x')",
    "SELECT * FROM read_duckdb('store.duckdb')",
    "SELECT * FROM glob('/etc/*')",
    "SELECT * FROM sniff_csv('/etc/passwd')",
    "SELECT * FROM '/etc/passwd'",
    "SELECT * FROM 'file.csv'",
    "SELECT * FROM \"file.parquet\"",
    "FROM 'store.duckdb'",
    "FROM read_text('/etc/passwd')",
    "FROM read_text('/etc/passwd') SELECT content",
    "SELECT * FROM \"read_text\"('/etc/passwd')",
    "SELECT * FROM READ_TEXT('/etc/passwd')",
    "SELECT * FROM main.read_text('/etc/passwd')",
    "SELECT * FROM system.main.read_text('/etc/passwd')",
    "SELECT * FROM jobs, read_text('/etc/passwd')",
    "SELECT * FROM jobs JOIN read_text('/etc/passwd') ON true",
    "SELECT * FROM jobs LEFT JOIN LATERAL (SELECT * FROM read_text(jobs.name)) ON true",
    "SELECT * FROM (SELECT * FROM read_blob('x'))",
    "SELECT (SELECT content FROM read_text('/etc/passwd'))",
    "SELECT id FROM jobs WHERE name IN (SELECT content FROM read_text('/etc/passwd'))",
    "SELECT id FROM jobs WHERE EXISTS (FROM read_blob('x'))",
    "SELECT id FROM jobs ORDER BY (SELECT count(*) FROM glob('*'))",
    "SELECT id FROM jobs LIMIT (SELECT count(*) FROM glob('*'))",
    "SELECT count(*) FILTER (WHERE EXISTS (FROM glob('*'))) FROM jobs",
    "SELECT sum(1) OVER (ORDER BY (SELECT count(*) FROM glob('*'))) FROM jobs",
    "SELECT id FROM jobs GROUP BY id HAVING (SELECT count(*) FROM glob('*')) > 0",
    "SELECT id FROM jobs QUALIFY (SELECT count(*) FROM glob('*')) > 0",
    "SELECT CASE WHEN true THEN (FROM read_text('x') SELECT content) END",
    "SELECT list_transform([1], lambda x: (SELECT content FROM read_text('x')))",
    "SELECT [(SELECT content FROM read_text('x')) FOR i IN [1]]",
    "SELECT * REPLACE ((SELECT content FROM read_text('x')) AS id) FROM jobs",
    "WITH c AS (SELECT * FROM read_text('x')) SELECT * FROM c",
    "WITH c AS MATERIALIZED (SELECT 1) SELECT * FROM c, read_text('x')",
    "WITH RECURSIVE r AS (SELECT 1 UNION ALL SELECT 1 FROM read_text('x')) SELECT * FROM r",
    "SELECT 1 UNION ALL SELECT content FROM read_text('x')",
    "SELECT * FROM (VALUES ((SELECT content FROM read_text('x')))) v(a)",
    "SELECT * FROM range((SELECT count(*) FROM glob('*')))",
    "VALUES ((SELECT content FROM read_text('x')))",
    "SELECT * FROM jobs/* */,/* */read_text('x') -- comment",
    "SELECT 1 /* ; */ FROM -- jobs\n read_text('x')",
    /* other tables */
    "SELECT * FROM history",
    "SELECT * FROM journal_a",
    "SELECT * FROM main.journal_b",
    "SELECT * FROM queuack_meta",
    "SELECT * FROM queuack_rows",
    "SELECT * FROM qk_live_0()",
    "SELECT * FROM duckdb_settings()",
    "SELECT * FROM duckdb_settings",
    "SELECT * FROM duckdb_secrets()",
    "SELECT * FROM duckdb_tables",
    "SELECT * FROM pragma_database_list",
    "SELECT * FROM pragma_table_info('jobs')",
    "SELECT * FROM pragma_storage_info('history')",
    "SELECT * FROM information_schema.tables",
    "SELECT * FROM pg_catalog.pg_class",
    "SELECT * FROM sqlite_master",
    "SELECT * FROM other.jobs",
    "SELECT * FROM other.main.jobs",
    "SELECT * FROM query('SELECT 1')",
    "SELECT * FROM query_table('history')",
    "SELECT * FROM seq_scan('history')",
    "SELECT * FROM json_execute_serialized_sql('{}')",
    "SELECT * FROM jobs AT (VERSION => 1)",
    "TABLE history",
    /* names of WITH that hide a table */
    "WITH history AS (SELECT 1) SELECT * FROM history",
    "WITH c AS (SELECT * FROM (WITH d AS (SELECT 1) SELECT * FROM d)) SELECT * FROM d",
    "WITH a AS (SELECT * FROM b), b AS (SELECT 1) SELECT * FROM a",
    "WITH c AS (SELECT * FROM c) SELECT * FROM c",
    "WITH RECURSIVE c AS (SELECT * FROM c UNION ALL SELECT 1) SELECT * FROM c",
    "WITH \"x.csv\" AS (SELECT 1) SELECT * FROM \"x.csv\"",
    "SELECT (WITH x AS (SELECT 1) SELECT 1), y FROM x",
    /* settings, environment, catalogue, side effects */
    "SELECT current_setting('temp_directory')",
    "SELECT getenv('HOME')",
    "SELECT getvariable('x')",
    "SELECT nextval('s')",
    "SELECT setseed(0.5)",
    "SELECT sleep_ms(1000)",
    "SELECT pg_sleep(1)",
    "SELECT write_log('x')",
    "SELECT error('x')",
    "SELECT json_serialize_sql('SELECT 1')",
    "SELECT which_secret('x', 's3')",
    "SELECT current_query()",
    "SELECT ('x').getenv()",
    "SELECT kind.upper() FROM jobs",
    "SELECT name.current_setting() FROM jobs",
    "SELECT a: getenv('HOME')",
    "SELECT \"getenv\"('HOME')",
    "SELECT parse_duckdb_log_message('a', 'b')",
    "SELECT st_geomfromwkb('x')",
    /* one call that takes as long and as much as it likes: nothing interrupts it */
    "SELECT length(rpad('x', 2000000000, 'y'))",
    "SELECT length(lpad('x', 2000000000, 'y'))",
    "SELECT length(repeat('x', 2000000000))",
    "SELECT length(printf('%2000000000d', 1))",
    "SELECT length(format('{:>2000000000}', 1))",
    "SELECT length(bar(1, 0, 1, 100000000))",
    "SELECT list_reduce([1, 2], lambda x, y: x + y)",
    "SELECT array_reduce([1, 2], lambda x, y: x + y)",
    "SELECT reduce([1, 2], lambda x, y: x + y)",
    /* statements */
    "COPY jobs TO '/tmp/x'",
    "COPY (SELECT * FROM jobs) TO 'store.duckdb' (use_tmp_file false)",
    "COPY FROM DATABASE a TO b",
    "ATTACH 'x.duckdb'",
    "DETACH x",
    "USE x",
    "SET memory_limit = '1GB'",
    "RESET memory_limit",
    "PRAGMA database_list",
    "PRAGMA disable_checkpoint_on_shutdown",
    "CHECKPOINT",
    "FORCE CHECKPOINT",
    "INSTALL httpfs",
    "LOAD 'x.so'",
    "CALL pragma_version()",
    "EXPORT DATABASE '/tmp/x'",
    "IMPORT DATABASE '/tmp/x'",
    "VACUUM",
    "BEGIN",
    "COMMIT",
    "PREPARE p AS SELECT 1",
    "EXECUTE p",
    "CREATE TABLE t(a INT)",
    "CREATE TEMP VIEW jobs AS SELECT 1",
    "CREATE MACRO f(a) AS a",
    "CREATE SECRET s (TYPE s3)",
    "INSERT INTO history SELECT * FROM history",
    "UPDATE history SET status = 3",
    "DELETE FROM history",
    "TRUNCATE history",
    "DROP VIEW jobs",
    "ALTER TABLE history ADD COLUMN x INT",
    "COMMENT ON TABLE history IS 'x'",
    "EXPLAIN SELECT 1",
    "EXPLAIN ANALYZE SELECT 1",
    "DESCRIBE jobs",
    "SHOW TABLES",
    "SHOW ALL TABLES",
    "SUMMARIZE jobs",
    "SELECT * FROM (DESCRIBE history)",
    "SELECT * FROM (SHOW TABLES)",
    "PIVOT jobs ON status USING count(*)",
    "FROM (PIVOT jobs ON status IN ('done') USING count(*))",
    "UNPIVOT jobs ON id, queue INTO NAME n VALUE v",
    "SELECT 1; SELECT 2",
    "SELECT 1; DROP VIEW jobs",
    "SELECT 1;; DELETE FROM history --",
    "SELECT $1",
    "SELECT ?",
    "",
    ";",
    "-- nothing",
};

static const char *const good[] = {
    "SELECT 1",
    "SELECT * FROM jobs",
    "FROM jobs",
    "SELECT * FROM Jobs AS j WHERE j.\"status\" = 'done';",
    "SELECT status, count(*) FROM jobs GROUP BY ALL ORDER BY ALL",
    "SELECT * FROM dead_letter_queue ORDER BY completed_at DESC LIMIT 100",
    "SELECT * FROM main.jobs",
    "SELECT * FROM temp.jobs",
    "SELECT * FROM job_attempts JOIN jobs ON jobs.id = job_attempts.job_id",
    "SELECT * FROM jobs j LEFT JOIN job_dependencies d ON d.child_job_id = j.id",
    "SELECT * FROM jobs j, LATERAL (SELECT count(*) FROM job_attempts a WHERE a.job_id = j.id) n",
    "SELECT * FROM dag_runs NATURAL JOIN dag_run_stats",
    "SELECT * FROM workers UNION ALL SELECT * FROM workers",
    "SELECT name, waiting FROM queues WHERE NOT paused",
    "WITH slow AS (SELECT id, completed_at - claimed_at AS took FROM jobs) "
    "SELECT * FROM slow WHERE took > INTERVAL 1 SECOND",
    "WITH a AS (SELECT 1 AS x), b AS (SELECT x + 1 AS y FROM a) SELECT * FROM a, b",
    "WITH RECURSIVE up(id) AS (SELECT parent_job_id FROM job_dependencies UNION "
    "SELECT d.parent_job_id FROM job_dependencies d JOIN up ON d.child_job_id = up.id) FROM up",
    "WITH x AS (SELECT 1) SELECT (SELECT count(*) FROM x), (WITH y AS (FROM x) SELECT 2 FROM y)",
    "SELECT payload->>'w', payload->'$.a.b', payload->>0, json_extract(payload, '$.w') FROM jobs",
    "SELECT id FROM jobs WHERE payload->>'w' = '80' AND id = '018f0000-0000-7000-8000-000000000000'",
    "SELECT date_trunc('hour', created_at) AS h, count(*) FILTER (WHERE status = 'failed') "
    "FROM jobs GROUP BY h HAVING count(*) > 1 ORDER BY h",
    "SELECT queue, quantile_cont(epoch(completed_at - claimed_at), 0.99) FROM jobs GROUP BY queue",
    "SELECT id, row_number() OVER (PARTITION BY queue ORDER BY priority DESC, created_at) FROM jobs",
    "SELECT id, lag(completed_at) OVER w FROM jobs WINDOW w AS (ORDER BY completed_at ROWS BETWEEN "
    "1 PRECEDING AND CURRENT ROW)",
    "SELECT * FROM jobs QUALIFY row_number() OVER (PARTITION BY kind ORDER BY id) = 1",
    "SELECT tag, count(*) FROM (SELECT unnest(json_extract_string(tags, '$[*]')) AS tag FROM jobs) "
    "GROUP BY tag",
    "SELECT t.value FROM jobs, json_each(tags) t",
    "SELECT * FROM range(10) r(i) LEFT JOIN jobs ON jobs.priority = r.i",
    "SELECT * FROM generate_series(1, 3)",
    "SELECT * FROM (VALUES (1, 'a'), (2, 'b')) v(n, s)",
    "VALUES (1), (2)",
    "SELECT DISTINCT ON (queue) queue, id FROM jobs ORDER BY queue, id DESC",
    "SELECT * EXCLUDE (payload) REPLACE (upper(kind) AS kind) FROM jobs",
    "SELECT COLUMNS('.*_at') FROM jobs",
    "SELECT CASE WHEN error ILIKE '%time%' THEN 'slow' ELSE coalesce(error, '-') END FROM jobs",
    "SELECT count(*) FROM jobs WHERE created_at > now()::TIMESTAMP - INTERVAL 1 DAY",
    "SELECT strftime(created_at, '%Y-%m'), extract(dow FROM created_at) FROM jobs",
    "SELECT list(id ORDER BY id), string_agg(kind, ','), arg_max(id, priority) FROM jobs",
    "SELECT status FROM jobs WHERE kind IN ('a', 'b') AND priority BETWEEN 10 AND 20 "
    "AND error IS NOT NULL AND NOT starts_with(kind, 'x') AND kind SIMILAR TO 'r.*'",
    "SELECT queue, status, count(*) FROM jobs GROUP BY ROLLUP (queue, status)",
    "SELECT [x + 1 FOR x IN [1, 2, 3] IF x > 1], {'a': 1}.a, MAP {'k': 1}['k']",
    "SELECT list_transform([1, 2], lambda x: x * 2), list_sum([1, 2])",
    "SELECT TRY_CAST('x' AS INTEGER), 7 // 2, 7 % 2, 2 ** 3, 'a' || 'b', round(1.5, 0)",
    "SELECT id FROM jobs USING SAMPLE 5 ROWS",
    "SELECT id FROM jobs TABLESAMPLE 10%",
    "SELECT 'read_blob', '/etc/passwd', 'DROP VIEW jobs; --'",
    "SELECT 1 -- a comment; with a semicolon",
    "SELECT 1 EXCEPT SELECT 2 INTERSECT SELECT 3",
    "(SELECT id FROM jobs LIMIT 1) UNION (SELECT id FROM jobs LIMIT 1)",
    "SELECT a: 1, b: kind FROM jobs",
    "SELECT id FROM jobs WHERE id IN (SELECT job_id FROM job_attempts) "
    "AND EXISTS (SELECT 1 FROM workers) AND priority >= ALL (SELECT priority FROM jobs)",
};

#define COUNT(list) (sizeof(list) / sizeof((list)[0]))

static void test_check__hostile_statements_are_refused(void **state)
{
    (void)state;
    fixture f;
    fixture_open(&f, NULL);
    for (size_t i = 0; i < COUNT(hostile); i++) {
        qk_error err = QK_ERROR_INIT;
        qk_status rc = qk__checked_sql(f.connection, hostile[i], &err);
        if (rc != QK_EREFUSED && rc != QK_EINVAL)
            fail_msg("accepted: %s", hostile[i]);
        assert_true(err.message[0] != '\0');
        qk_rows *rows = NULL;
        assert_int_equal(qk__reader_rows(f.reader, &rows, hostile[i], 1000000, &err), rc);
        assert_null(rows);
    }
    fixture_close(&f);
}

/* Only what does not parse may be called invalid; the rest must be a refusal that is counted. */
static void test_check__refusals_are_counted_and_explained(void **state)
{
    (void)state;
    fixture f;
    qk_rows *rows;
    fixture_open(&f, NULL);
    assert_int_equal(qk__reader_rows(f.reader, &rows, "SELECT * FROM history", 1000000, &f.err),
                     QK_EREFUSED);
    assert_non_null(strstr(f.err.message, "\"history\""));
    assert_non_null(strstr(f.err.message, "use jobs"));
    assert_int_equal(qk__reader_rows(f.reader, &rows, "SELECT getenv('A')", 1000000, &f.err),
                     QK_EREFUSED);
    assert_non_null(strstr(f.err.message, "\"getenv\""));
    assert_int_equal(qk__reader_rows(f.reader, &rows, "SELECT FROM WHERE", 1000000, &f.err),
                     QK_EINVAL);
    assert_int_equal(f.refused, 2);
    fixture_close(&f);
}

static void test_check__good_statements_run(void **state)
{
    (void)state;
    fixture f;
    fixture_open(&f, NULL);
    for (size_t i = 0; i < COUNT(good); i++) {
        qk_rows *rows = NULL;
        qk_status rc = qk__reader_rows(f.reader, &rows, good[i], 10000000, &f.err);
        if (rc)
            fail_msg("%s: %s", good[i], f.err.message);
        rows->ops->close(rows);
    }
    fixture_close(&f);
}

static void test_check__deep_and_long_statements_are_refused(void **state)
{
    (void)state;
    fixture f;
    enum { DEPTH = 3000, LENGTH = 300000 };
    char *text = malloc(LENGTH + 64);
    assert_non_null(text);
    fixture_open(&f, NULL);
    size_t used = (size_t)sprintf(text, "SELECT 1");
    for (int i = 0; i < DEPTH; i++)
        used += (size_t)sprintf(text + used, "+(1");
    memset(text + used, ')', DEPTH);
    text[used + DEPTH] = '\0';
    qk_status rc = qk__checked_sql(f.connection, text, &f.err);
    assert_true(rc == QK_EINVAL || rc == QK_EREFUSED);
    memset(text, ' ', LENGTH);
    strcpy(text + LENGTH - 9, "SELECT 1");
    assert_int_equal(qk__checked_sql(f.connection, text, &f.err), QK_EINVAL);
    free(text);
    fixture_close(&f);
}

/* What a second process says when it opens the store with plain DuckDB: 0 opened, 3 refused. */
static int open_elsewhere(const char *path)
{
    char *arguments[] = { (char *)"test_checked_sql", (char *)"--open", (char *)(uintptr_t)path,
                          NULL };
    pid_t child;
    int status = 0;
    assert_int_equal(posix_spawn(&child, "/proc/self/exe", NULL, NULL, arguments, environ), 0);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

/* read_blob of the database's own path drops DuckDB's lock once its file is closed again. */
static void test_check__refused_statements_leave_the_lock_alone(void **state)
{
    (void)state;
    fixture f;
    char sql[700];
    fixture_open(&f, "checked-lock");
    assert_int_equal(open_elsewhere(f.path), 3);
    snprintf(sql, sizeof(sql), "SELECT size FROM read_blob('%s')", f.path);
    qk_rows *rows;
    assert_int_equal(qk__reader_rows(f.reader, &rows, sql, 1000000, &f.err), QK_EREFUSED);
    snprintf(sql, sizeof(sql), "COPY (SELECT 1) TO '%s' (use_tmp_file false)", f.path);
    assert_int_equal(qk__reader_rows(f.reader, &rows, sql, 1000000, &f.err), QK_EREFUSED);
    snprintf(sql, sizeof(sql), "ATTACH '%s' AS again", f.path);
    assert_int_equal(qk__reader_rows(f.reader, &rows, sql, 1000000, &f.err), QK_EREFUSED);
    assert_int_equal(open_elsewhere(f.path), 3);
    must_run(f.connection, "INSERT INTO edges VALUES (1, NULL, NULL)");
    fixture_close(&f);
}

static void test_names__lists_are_sorted_for_the_search(void **state)
{
    (void)state;
    /* First, last and odd ones: a list out of order loses some of them. */
    static const char *const functions[] = { "!",
                                             "~~~",
                                             "%",
                                             "->>",
                                             "abs",
                                             "now",
                                             "yearweek",
                                             "list_transform",
                                             "JSON_EXTRACT",
                                             "count_star",
                                             "||",
                                             "to_days",
                                             "struct_pack",
                                             "not_ilike_escape" };
    for (size_t i = 0; i < COUNT(functions); i++)
        assert_true(qk__sql_function_listed(functions[i]));
    assert_false(qk__sql_function_listed("read_blob"));
    assert_false(qk__sql_function_listed(""));
    assert_true(qk__sql_table_function_listed("Unnest"));
    assert_true(qk__sql_type_listed("TABLE_FUNCTION"));
    assert_true(qk__sql_class_listed("WINDOW"));
    assert_true(qk__sql_name_reserved("DuckDB_tables"));
    assert_false(qk__sql_name_reserved("slow"));
}

static int open_only(const char *path)
{
    duckdb_database database;
    char *error = NULL;
    if (duckdb_open_ext(path, &database, NULL, &error) != DuckDBSuccess) {
        duckdb_free(error);
        return 3;
    }
    duckdb_close(&database);
    return 0;
}

int main(int argc, char **argv)
{
    if (argc == 3 && strcmp(argv[1], "--open") == 0)
        return open_only(argv[2]);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_check__hostile_statements_are_refused),
        cmocka_unit_test(test_check__refusals_are_counted_and_explained),
        cmocka_unit_test(test_check__good_statements_run),
        cmocka_unit_test(test_check__deep_and_long_statements_are_refused),
        cmocka_unit_test(test_check__refused_statements_leave_the_lock_alone),
        cmocka_unit_test(test_names__lists_are_sorted_for_the_search),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
