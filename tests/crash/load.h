/*
 * The load that is killed: eight producing threads, eight worker slots, one thread that claims and
 * acknowledges for itself, all on one store, all writing the ledger.
 */
#ifndef QK_TESTS_CRASH_LOAD_H
#define QK_TESTS_CRASH_LOAD_H

#include <stdatomic.h>

#include <queuack/queuack.h>

#include "ledger.h"

#define LOAD_PRODUCERS 8
#define LOAD_SLOTS 8

struct load {
    const char *path;
    struct ledger ledger;
    qk_queue *queue;
    qk_worker *worker;
    /* Planned in an earlier life, and not known to be enqueued. */
    const struct ledger_line *unsure;
    size_t unsure_count;
    int kill_handler_at, kill_producer_at; /* 0: never */
    atomic_int *handler_hits, *producer_hits;
    bool checkpoints; /* one after the other while the load runs */
    atomic_int started, produced, outstanding;
};

/* Opens the store and hands in what was unsure. Aborts with a message when that fails. */
void load_open(struct load *load);
/* Runs until killed. */
void load_run(struct load *load);
/* Runs what is left and closes. */
void load_drain(struct load *load);

#endif
