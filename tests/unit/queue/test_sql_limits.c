/*
 * What a person's query may cost the process: it is stopped when it makes it grow too much, and one
 * that spills instead runs to its end.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <queuack/queuack.h>

#include "handle_support.h"

#define MEMORY ((size_t)80 << 20)
#define DOUBLINGS 26 /* of 16 bytes: 1 GiB, if nobody stops it */

static qk_queue *open_small(const char *url)
{
    qk_queue_options options = QK_QUEUE_OPTIONS_INIT;
    options.query_memory = MEMORY;
    return open_or_fail(url, &options);
}

static qk_status run(qk_queue *queue, const char *sql, qk_error *err)
{
    qk_rows *rows = NULL;
    qk_status rc = qk_rows_open(&rows, queue, sql, (qk_duration){ 60000000 }, err);
    qk_rows_close(rows);
    return rc;
}

/* Sanitizers keep freed memory and shadows of it, which looks like growth. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define GROWTH_IS_TRUE 0
#else
#define GROWTH_IS_TRUE 1
#endif

static void test_sql__growing_without_end_is_stopped(void **state)
{
    (void)state;
    char sql[4096];
    qk_error err = QK_ERROR_INIT;
    qk_queue *queue = open_small(":memory:");
    size_t at = (size_t)snprintf(sql, sizeof(sql),
                                 "WITH a0 AS MATERIALIZED (SELECT 'xxxxxxxxxxxxxxxx' AS s)");
    for (int i = 1; i <= DOUBLINGS; i++)
        at += (size_t)snprintf(sql + at, sizeof(sql) - at,
                               ", a%d AS MATERIALIZED (SELECT s || s AS s FROM a%d)", i, i - 1);
    snprintf(sql + at, sizeof(sql) - at, " SELECT length(s) FROM a%d", DOUBLINGS);
    assert_int_equal(run(queue, sql, &err), QK_ENOMEM);
    assert_good(run(queue, "SELECT count(*) FROM jobs", &err));
    qk_queue_close(queue);
}

/* What histogram() collects is not in DuckDB's own account: 300 MB here, if nobody stops it. */
static void test_sql__memory_that_duckdb_does_not_count_counts(void **state)
{
    (void)state;
    qk_error err = QK_ERROR_INIT;
    qk_queue *queue = open_small(":memory:");
    assert_refused(run(queue, "SELECT cardinality(histogram(i)) FROM range(4000000) r(i)", &err),
                   QK_ENOMEM,
                   "the query was stopped because it needs too much memory: ask for less");
    assert_good(run(queue, "SELECT count(*) FROM jobs", &err));
    qk_queue_close(queue);
}

/* Also shows that DuckDB may use the spill folder, but no other file. */
static void spill(const char *url)
{
    if (!GROWTH_IS_TRUE)
        skip();
    qk_error err = QK_ERROR_INIT;
    qk_queue *queue = open_small(url);
    assert_good(run(queue,
                    "SELECT max(n) FROM (SELECT sha256(i::VARCHAR) AS t, "
                    "row_number() OVER (ORDER BY hash(i)) AS n FROM range(1000000) r(i)) "
                    "WHERE t > '0'",
                    &err));
    qk_queue_close(queue);
}

static void test_sql__spilling_is_not_growing(void **state)
{
    (void)state;
    char path[600];
    snprintf(path, sizeof(path), "%s/spill.duckdb", getenv("TMPDIR") ? getenv("TMPDIR") : "/tmp");
    spill(":memory:");
    spill(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sql__growing_without_end_is_stopped),
        cmocka_unit_test(test_sql__memory_that_duckdb_does_not_count_counts),
        cmocka_unit_test(test_sql__spilling_is_not_growing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
