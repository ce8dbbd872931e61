/*
 * Row "raw": what DuckDB can do at best with the rows of Queuack's journal.
 *
 * Whole lifecycles appended by one thread, nothing else, no checkpoint meanwhile; and the commit of
 * a single row through a prepared INSERT. The upper limit that the other rows are compared with.
 */
#include <string.h>

#include "bench.h"
#include "duck.h"
#include "measure.h"
#include "scene.h"

double bench_raw_per_s(const bench *b, uint64_t batch, uint64_t total)
{
    char path[BENCH_PATH_SIZE];
    bench_journal journal;
    bench_fresh_path(path, b, "raw");
    bench_journal_open(&journal, path);
    double began = bench_now();
    for (uint64_t done = 0; done < total; done += batch)
        bench_journal_commit(&journal, batch);
    double seconds = bench_now() - began;
    bench_journal_close(&journal);
    bench_fresh_path(path, b, "raw");
    return (double)total / seconds;
}

static void batches(bench *b)
{
    static const uint64_t sizes[] = { 100, 1000, 10000 };
    double best = 0;
    uint64_t best_size = 0;
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        char key[64];
        double rounds[3];
        uint64_t total = sizes[i] * (b->full ? 100 : 10);
        for (size_t round = 0; round < 3; round++)
            rounds[round] = bench_raw_per_s(b, sizes[i], total);
        double median = bench_quantile(rounds, 3, 0.5);
        snprintf(key, sizeof key, "raw_batch_%llu_per_s", (unsigned long long)sizes[i]);
        bench_report(b, key, median, "/s", "lifecycles of two rows, %llu a commit, median of 3",
                     (unsigned long long)sizes[i]);
        if (median > best) {
            best = median;
            best_size = sizes[i];
        }
    }
    bench_report(b, "raw_lifecycles_per_s", best, "/s", "best of them: %llu a commit",
                 (unsigned long long)best_size);
}

static const char insert_sql[] =
    "INSERT INTO journal SELECT $1, 0, '018bcfe5-6800-7000-8000-0123456789ab', $1, NULL, NULL,"
    " 'noop', 'default', 50, $2, TIMESTAMP '2026-01-01', 0, NULL, NULL, NULL, NULL, 0, 0, NULL,"
    " NULL, NULL, NULL, NULL";

static void one_row_commits(bench *b)
{
    char path[BENCH_PATH_SIZE], payload[BENCH_PAYLOAD_SIZE];
    double times[500];
    bench_journal journal;
    duckdb_prepared_statement insert = NULL;
    bench_fresh_path(path, b, "raw");
    bench_journal_open(&journal, path);
    if (duckdb_prepare(journal.duck.connection, insert_sql, &insert))
        bench_die("DuckDB: %s", duckdb_prepare_error(insert));
    for (int i = 0; i < 500; i++) {
        duckdb_result result;
        bench_payload(payload, (uint64_t)i, 36);
        double began = bench_now();
        duckdb_bind_int64(insert, 1, i);
        duckdb_bind_varchar(insert, 2, payload);
        if (duckdb_execute_prepared(insert, &result))
            bench_die("DuckDB: %s", duckdb_result_error(&result));
        duckdb_destroy_result(&result);
        times[i] = (bench_now() - began) * 1e3;
    }
    duckdb_destroy_prepare(&insert);
    bench_journal_close(&journal);
    bench_fresh_path(path, b, "raw");
    bench_report(b, "raw_commit_ms", bench_quantile(times, 500, 0.5), "ms",
                 "one row, prepared INSERT, autocommit, p50 of 500");
    bench_report(b, "raw_commit_p99_ms", bench_quantile(times, 500, 0.99), "ms", "the same, p99");
}

void bench_row_raw(bench *b)
{
    batches(b);
    one_row_commits(b);
}
