/*
 * What the rows of the benchmark share: options, the report, the table of rows.
 *
 * Each row runs in a child process of its own, so that neither memory, threads nor a crash of one
 * row reaches the next. A row tells its figures through bench_report; the parent collects them and
 * later rows find them with bench_value (the table is inherited at fork).
 * A benchmark has nobody to report an error to: helpers print it and end the row.
 */
#ifndef BENCH_BENCH_H
#define BENCH_BENCH_H

#include <queuack/queuack.h>

#define BENCH_VALUES_MAX 256

typedef struct bench_value {
    char key[64];
    double value;
    char unit[16];
    char note[160];
} bench_value;

typedef struct bench {
    bool full; /* the sizes of docs/benchmarks.md; else a whole run in less than 30 s */
    const char *dir; /* a temp folder on disk, removed afterwards */
    int slots; /* of worker pools */
    uint64_t finished; /* --finished: one size instead of the row's own; UINT64_MAX: not given */
    int sustained_s;
    double rate; /* jobs per second of the paced rows */
    int channel; /* in a row's process: where figures are written to; else -1 */
    size_t count;
    bench_value values[BENCH_VALUES_MAX];
} bench;

typedef struct bench_row {
    const char *name, *what;
    void (*run)(bench *b);
} bench_row;

void bench_row_raw(bench *b);
void bench_row_enqueue(bench *b);
void bench_row_process(bench *b);
void bench_row_idle(bench *b);
void bench_row_direct(bench *b);
void bench_row_delayed(bench *b);
void bench_row_finished(bench *b);
void bench_row_sql(bench *b);
void bench_row_memory(bench *b);
void bench_row_open(bench *b);
void bench_row_command(bench *b);
void bench_row_metrics(bench *b);
void bench_row_dag(bench *b);
void bench_row_runs(bench *b);
void bench_row_shared(bench *b);
void bench_row_sustained(bench *b);

/* Lifecycles a second that DuckDB takes, `batch` a commit; for rows that compare themselves. */
double bench_raw_per_s(const bench *b, uint64_t batch, uint64_t total);

/* Prints the figure and keeps it under `key`. The note says how it was measured. */
void bench_report(bench *b, const char *key, double value, const char *unit, const char *note, ...)
    QK_PRINTF(5, 6);
/* NAN if no row has reported it. */
double bench_find(const bench *b, const char *key);
/* Prints and keeps a figure that a row's process wrote as one line to its channel. */
void bench_receive(bench *b, char *line);
/* Writes everything as one JSON document; false if it could not. */
bool bench_write_json(const bench *b, const char *path, const char *command);

#endif
