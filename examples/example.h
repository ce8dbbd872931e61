/*
 * What the examples share, so that each of them shows one thing: how they end when something cannot
 * be done, and which store they use.
 */
#ifndef EXAMPLES_EXAMPLE_H
#define EXAMPLES_EXAMPLE_H

#include <stdio.h>
#include <stdlib.h>

#include <queuack/queuack.h>

/* An example has nobody to hand an error to: it says what went wrong and ends. */
static inline void check(qk_status rc, const qk_error *err)
{
    if (rc != QK_OK) {
        fprintf(stderr, "%s\n", err->message);
        exit(qk_status_exit_code(rc));
    }
}

/* The store that the first argument names; in memory without one. */
static inline qk_queue *open_store(int argc, char **argv, const qk_queue_options *options)
{
    qk_error err = QK_ERROR_INIT;
    qk_queue *queue = NULL;
    check(qk_queue_open(&queue, argc > 1 ? argv[1] : ":memory:", options, &err), &err);
    return queue;
}

#endif
