/*
 * What a worker measured: a file for Prometheus that is renewed while it runs (for the textfile
 * collector of its node exporter, or anybody), and a summary at the end.
 */
#ifndef CLI_WORKER_METRICS_H
#define CLI_WORKER_METRICS_H

#include "cli.h"

typedef struct worker_metrics worker_metrics;

/* Writes the file, so that a path that cannot be written is known at once, and starts a thread that
 * replaces it every five seconds, each time whole. The store must stay open until it is closed. */
qk_status worker_metrics_open(worker_metrics **out, const cli *cli, const char *path,
                              qk_error *err);
/* Writes it a last time and frees. NULL-safe. */
void worker_metrics_close(worker_metrics *metrics);

/* As remarks for people. */
void worker_metrics_print(const cli *cli);
/* As a JSON object. */
void worker_metrics_json(const cli *cli, FILE *out);

#endif
