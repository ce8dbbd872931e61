/*
 * Row "sql": people's questions about a long history while jobs are processed.
 *
 * The history is made as in row "finished". Meanwhile the paced load runs at --rate; each query runs
 * 20 times through qk_rows_open, read to its last row.
 */
#include <stdlib.h>
#include <string.h>

#include "bench.h"
#include "duck.h"
#include "load.h"
#include "scene.h"

#define REPEATS 20

static size_t run_query(qk_queue *queue, const char *sql)
{
    qk_error err = QK_ERROR_INIT;
    qk_rows *rows = NULL;
    qk_status status;
    size_t count = 0;
    bench_must(qk_rows_open(&rows, queue, sql, qk_seconds(60), &err), &err, "sql");
    while ((status = qk_rows_next(rows, &err)) == QK_OK)
        count++;
    if (status != QK_EMPTY)
        bench_must(status, &err, "rows");
    qk_rows_close(rows);
    return count;
}

static void query(bench *b, qk_queue *queue, const char *name, const char *sql, size_t expected)
{
    double ms[REPEATS];
    char key[64];
    size_t rows = 0;
    for (size_t i = 0; i < REPEATS; i++) {
        double began = bench_now();
        rows = run_query(queue, sql);
        ms[i] = (bench_now() - began) * 1e3;
        if (rows < expected)
            bench_die("%s: %zu rows", name, rows);
    }
    snprintf(key, sizeof key, "sql_%s_p50_ms", name);
    bench_report(b, key, bench_quantile(ms, REPEATS, 0.5), "ms", "%zu rows, %d times", rows,
                 REPEATS);
    snprintf(key, sizeof key, "sql_%s_max_ms", name);
    bench_report(b, key, bench_quantile(ms, REPEATS, 1), "ms", "the slowest of them");
}

static void get_job(bench *b, qk_queue *queue, const char *text)
{
    qk_error err = QK_ERROR_INIT;
    double ms[REPEATS];
    qk_id id;
    bench_must(qk_id_parse(&id, text), &err, "id");
    for (size_t i = 0; i < REPEATS; i++) {
        qk_job *job = NULL;
        double began = bench_now();
        bench_must(qk_job_get(&job, queue, id, &err), &err, "job");
        ms[i] = (bench_now() - began) * 1e3;
        qk_job_free(job);
    }
    bench_report(b, "job_get_p50_ms", bench_quantile(ms, REPEATS, 0.5), "ms",
                 "qk_job_get of a finished job");
    bench_report(b, "job_get_max_ms", bench_quantile(ms, REPEATS, 1), "ms", "the slowest of them");
}

static void ask(bench *b, qk_queue *queue, const char *id)
{
    char by_id[128];
    snprintf(by_id, sizeof by_id, "SELECT * FROM jobs WHERE id = '%s'", id);
    query(b, queue, "counts", "SELECT status, count(*) FROM jobs GROUP BY status", 2);
    query(b, queue, "failures",
          "SELECT id, kind, error, completed_at FROM jobs WHERE status = 'failed'"
          " ORDER BY completed_at DESC LIMIT 100",
          100);
    query(b, queue, "one_job", by_id, 1);
    get_job(b, queue, id);
}

/* The id of a job in the middle of the history, as text. */
static char *make(const bench *b, char path[BENCH_PATH_SIZE], uint64_t finished)
{
    bench_duck duck;
    char sql[128];
    bench_fresh_path(path, b, "sql");
    qk_queue_close(bench_open(path));
    bench_duck_history(path, finished);
    bench_duck_open(&duck, path);
    snprintf(sql, sizeof sql, "SELECT id::VARCHAR FROM history WHERE seq = %llu",
             (unsigned long long)finished / 2);
    char *id = bench_duck_text(&duck, sql);
    bench_duck_close(&duck);
    if (!id)
        bench_die("the history has no such row");
    return id;
}

void bench_row_sql(bench *b)
{
    static bench_load_figures figures;
    char path[BENCH_PATH_SIZE];
    uint64_t finished = b->full ? 10000000 : 200000;
    if (b->finished != UINT64_MAX && b->finished >= 10000)
        finished = b->finished;
    char *id = make(b, path, finished);
    qk_queue *queue = bench_open(path);
    bench_load_plan plan = { .rate = b->rate, .producers = 32, .batch = 50, .slots = b->slots };
    bench_load *load = bench_load_start(queue, &plan, &figures);
    double began = bench_now();
    bench_sleep_until_us(bench_now_us() + 500000);
    ask(b, queue, id);
    double rate = (double)atomic_load(&figures.done) / (bench_now() - began);
    bench_load_stop(load);
    bench_report(b, "sql_background_per_s", rate, "/s",
                 "processed meanwhile, %llu finished jobs before", (unsigned long long)finished);
    bench_report(b, "sql_background_enqueue_p99_ms", bench_histogram_ms(&figures.enqueue, 0.99),
                 "ms", "from the intended time, while queries ran");
    qk_queue_close(queue);
    duckdb_free(id);
    bench_fresh_path(path, b, "sql");
}
