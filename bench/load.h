/*
 * A paced load: producers that keep to a timetable, and a pool that runs what they put in.
 *
 * Open loop: each call has an intended time, and latencies count from it, so that a stall is charged
 * to every call it delayed and not only to the one that met it. Calls put in `batch` jobs each; the
 * producers' timetables are spread evenly.
 */
#ifndef BENCH_LOAD_H
#define BENCH_LOAD_H

#include <queuack/queuack.h>

#include "measure.h"

typedef struct bench_load bench_load;

typedef struct bench_load_plan {
    double rate; /* jobs per second, all producers together */
    int producers, batch, slots;
} bench_load_plan;

/* Counters and histograms; read from any thread while the load runs. */
typedef struct bench_load_figures {
    bench_histogram enqueue; /* intended time to return of the call: durable */
    bench_histogram start; /* intended time to the handler's first instruction */
    _Atomic uint64_t sent, done;
} bench_load_figures;

bench_load *bench_load_start(qk_queue *queue, const bench_load_plan *plan,
                             bench_load_figures *figures);
/* Ends the producers, waits until what they sent is done and durable, frees. */
void bench_load_stop(bench_load *load);

#endif
