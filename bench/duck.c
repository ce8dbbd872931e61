/* DuckDB used directly: connections and a made-up history; see duck.h. One thread. */
#include "duck.h"

#include <stdio.h>

#include "scene.h"

static void set(duckdb_config config, const char *name, const char *value)
{
    if (duckdb_set_config(config, name, value) != DuckDBSuccess)
        bench_die("DuckDB does not know %s", name);
}

void bench_duck_open(bench_duck *duck, const char *path)
{
    duckdb_config config = NULL;
    char *error = NULL;
    if (duckdb_create_config(&config) != DuckDBSuccess)
        bench_die("no DuckDB configuration");
    set(config, "threads", "1");
    set(config, "checkpoint_threshold", "100GB");
    if (duckdb_open_ext(path, &duck->database, config, &error) != DuckDBSuccess)
        bench_die("%s: %s", path, error ? error : "cannot be opened");
    duckdb_destroy_config(&config);
    if (duckdb_connect(duck->database, &duck->connection) != DuckDBSuccess)
        bench_die("no DuckDB connection");
}

void bench_duck_close(bench_duck *duck)
{
    duckdb_disconnect(&duck->connection);
    duckdb_close(&duck->database);
}

void bench_duck_run(bench_duck *duck, const char *sql)
{
    duckdb_result result;
    if (duckdb_query(duck->connection, sql, &result) != DuckDBSuccess)
        bench_die("DuckDB: %s", duckdb_result_error(&result));
    duckdb_destroy_result(&result);
}

char *bench_duck_text(bench_duck *duck, const char *sql)
{
    duckdb_result result;
    if (duckdb_query(duck->connection, sql, &result) != DuckDBSuccess)
        bench_die("DuckDB: %s", duckdb_result_error(&result));
    char *text = duckdb_value_varchar(&result, 0, 0);
    duckdb_destroy_result(&result);
    return text;
}

static const char history_sql[] =
    "INSERT INTO history BY NAME "
    "SELECT i // 1000 + 1 AS batch, uuidv7() AS id, i + 1 AS seq, '" BENCH_KIND "' AS kind,"
    " 'default' AS queue, 50 AS priority,"
    " '{\"i\":' || (10000000 + i %% 90000000) || ',\"s\":\"abcdefghijklmno\"}' AS payload,"
    " t AS created_at, CASE WHEN i %% 100 = 99 THEN 4 ELSE 3 END AS status,"
    " CASE WHEN i %% 100 = 99 THEN 'failed' ELSE 'done' END AS state,"
    " t + INTERVAL 2 MILLISECOND AS claimed_at, 'bench-12345-abcdef01' AS claimed_by,"
    " t + INTERVAL 3 MILLISECOND AS finished_at, 1 AS attempts, 1 AS attempt,"
    " CASE WHEN i %% 100 = 99 THEN 'no such file' END AS error "
    "FROM (SELECT i, now()::TIMESTAMP - to_microseconds(20 * (%llu - i)) AS t"
    " FROM range(%llu) AS r(i))";

void bench_duck_history(const char *path, uint64_t count)
{
    bench_duck duck;
    char sql[sizeof history_sql + 64];
    snprintf(sql, sizeof sql, history_sql, (unsigned long long)count, (unsigned long long)count);
    bench_duck_open(&duck, path);
    bench_duck_run(&duck, sql);
    bench_duck_run(&duck, "CHECKPOINT");
    bench_duck_close(&duck);
}
