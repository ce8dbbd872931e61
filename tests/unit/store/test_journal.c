/*
 * The DuckDB journal below the engine: what settling moves, and which kind of checkpoint is made.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "store/embedded/database.h"
#include "store/embedded/journal_duckdb.h"
#include "util/clock.h"

#define MANY 3000

typedef struct world {
    char path[512];
    qk__store_config config;
    qk__spill spill;
    duckdb_database database;
    duckdb_connection connection;
    pthread_mutex_t gate;
    qk__journal *journal;
    uint64_t batch;
} world;

static void check(qk_status rc, const qk_error *err)
{
    if (rc != QK_OK)
        fail_msg("%s", err->message);
}

static int open_world(void **state)
{
    world *w = calloc(1, sizeof(*w));
    qk_error err = QK_ERROR_INIT;
    const char *tmp = getenv("TMPDIR");
    assert_non_null(w);
    snprintf(w->path, sizeof(w->path), "%.400s/journal-XXXXXX", tmp ? tmp : "/tmp");
    assert_non_null(mkdtemp(w->path));
    strcat(w->path, "/q.duckdb");
    w->config = (qk__store_config){ .path = w->path, .clock = qk__clock_system() };
    pthread_mutex_init(&w->gate, NULL);
    check(qk__database_open(&w->database, &w->spill, &w->config, &err), &err);
    check(qk__journal_duckdb_open(&w->journal, w->database, w->path, &w->gate, &err), &err);
    assert_int_equal(duckdb_connect(w->database, &w->connection), DuckDBSuccess);
    *state = w;
    return 0;
}

static int close_world(void **state)
{
    static const char *const suffixes[] = { "", ".wal", ".lock" };
    world *w = *state;
    duckdb_disconnect(&w->connection);
    w->journal->ops->close(w->journal);
    qk__database_close(&w->database, &w->spill);
    pthread_mutex_destroy(&w->gate);
    for (size_t i = 0; i < sizeof(suffixes) / sizeof(*suffixes); i++) {
        char name[600];
        snprintf(name, sizeof(name), "%s%s", w->path, suffixes[i]);
        unlink(name);
    }
    *strrchr(w->path, '/') = '\0';
    int rc = rmdir(w->path);
    free(w);
    return rc;
}

static int64_t number(world *w, const char *sql)
{
    int64_t value = -1;
    qk_error err = QK_ERROR_INIT;
    check(journal_numbers(w->connection, sql, &value, 1, &err), &err);
    return value;
}

static qk__text text(const char *value)
{
    return (qk__text){ value, (uint32_t)strlen(value) };
}

static qk__row image(qk_id id, qk_job_status status)
{
    return (qk__row){ .op = QK__OP_IMAGE,
                      .status = (uint8_t)status,
                      .id = id,
                      .seq = 1,
                      .kind = text("work"),
                      .queue = text("default"),
                      .payload = text("{}"),
                      .created_us = 1 };
}

static void commit(world *w, qk__row *rows, size_t count)
{
    qk_error err = QK_ERROR_INIT;
    qk__cut cut = { .batch = ++w->batch, .rows = rows, .count = count };
    check(w->journal->ops->commit(w->journal, &cut, &err), &err);
}

static void settle(world *w)
{
    qk_error err = QK_ERROR_INIT;
    w->journal->ops->turn(w->journal);
    check(w->journal->ops->settle(w->journal, &err), &err);
}

static void checkpoint(world *w, bool quiet)
{
    qk_error err = QK_ERROR_INIT;
    check(w->journal->ops->checkpoint(w->journal, quiet, &err), &err);
}

/* What is left of a table that was emptied: an exclusive checkpoint drops it, and makes every commit
 * wait meanwhile. */
static int64_t segments(world *w)
{
    return number(w, "SELECT count(*) FROM pragma_storage_info('journal_a')");
}

/* Without a commit between its start and the one before, DuckDB takes the exclusive kind even though
 * a transaction is open: at 50,000 jobs/s all callers then waited for seconds now and then. */
static void test_checkpoint__is_never_exclusive_under_load(void **state)
{
    world *w = *state;
    static qk__row rows[MANY];
    for (size_t i = 0; i < MANY; i++)
        rows[i] = image(qk_id_new(), QK_JOB_DONE);
    commit(w, rows, MANY);
    settle(w);
    checkpoint(w, false);
    assert_true(segments(w) > 0);
    commit(w, rows, 1);
    checkpoint(w, true);
    assert_int_equal(segments(w), 0);
    assert_int_equal(number(w, "SELECT count(*) FROM history"), MANY);
}

static void test_settle__moves_what_ended_once(void **state)
{
    world *w = *state;
    static qk__row rows[MANY];
    for (size_t round = 0; round < 3; round++) {
        for (size_t i = 0; i < MANY; i++)
            rows[i] = image(qk_id_new(), QK_JOB_FAILED);
        commit(w, rows, MANY);
    }
    settle(w);
    assert_int_equal(number(w, "SELECT count(DISTINCT id) FROM history WHERE state = 'failed'"),
                     3 * MANY);
    assert_int_equal(number(w, "SELECT count(*) FROM history"), 3 * MANY);
    assert_int_equal(number(w, "SELECT count(*) FROM journal_a"), 0);
}

static void test_settle__finds_large_payloads_and_leaves_what_was_reopened(void **state)
{
    world *w = *state;
    qk_id large = qk_id_new(), again = qk_id_new();
    qk__row begun[2] = { image(large, QK_JOB_PENDING), image(again, QK_JOB_FAILED) };
    qk__row payload = { .op = QK__OP_PAYLOAD, .id = large, .payload = text("\"large\"") };
    qk__row ended = image(large, QK_JOB_DONE), opened = image(again, QK_JOB_PENDING);
    begun[0].payload = ended.payload = (qk__text){ NULL, 0 };
    opened.op = QK__OP_REOPEN;
    commit(w, begun, 2);
    commit(w, &payload, 1);
    commit(w, &opened, 1);
    commit(w, &ended, 1);
    settle(w);
    assert_int_equal(number(w, "SELECT count(*) FROM history"), 1);
    assert_int_equal(number(w, "SELECT count(*) FROM history WHERE payload = '\"large\"'"), 1);
}

static void test_settle__moves_attempts_edges_and_runs(void **state)
{
    world *w = *state;
    qk_id run = qk_id_new(), child = qk_id_new(), parent = qk_id_new();
    qk__row rows[] = {
        { .op = QK__OP_ATTEMPT, .id = child, .attempt = 1, .status = QK__ATTEMPT_FAILED },
        { .op = QK__OP_EDGE, .id = child, .related = parent },
        { .op = QK__OP_RUN, .id = run, .node = text("nightly"), .status = QK_JOB_DONE },
        image(child, QK_JOB_DONE),
    };
    commit(w, rows, sizeof(rows) / sizeof(*rows));
    settle(w);
    assert_int_equal(number(w, "SELECT count(*) FROM attempts"), 1);
    assert_int_equal(number(w, "SELECT count(*) FROM edges"), 1);
    assert_int_equal(number(w, "SELECT count(*) FROM runs WHERE name = 'nightly'"), 1);
    assert_int_equal(number(w, "SELECT count(*) FROM history"), 1);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, open_world, close_world)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_checkpoint__is_never_exclusive_under_load),
        TEST(test_settle__moves_what_ended_once),
        TEST(test_settle__finds_large_payloads_and_leaves_what_was_reopened),
        TEST(test_settle__moves_attempts_edges_and_runs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
