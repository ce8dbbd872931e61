/*
 * The pool's insides, shared by reader*.c.
 *
 * reader->mutex guards the pool, every slot's state (not its connection), and the deadlines. A slot
 * that is busy belongs to the thread that took it; only duckdb_interrupt is called from others, under
 * the mutex, so that it never hits the next user. Lock order: reader->mutex, then nothing.
 */
#ifndef QK_STORE_EMBEDDED_READER_INTERNAL_H
#define QK_STORE_EMBEDDED_READER_INTERNAL_H

#include <pthread.h>

#include "store/embedded/reader.h"

#define QK__READER_SLOTS 4
#define QK__READER_PERSON_SLOTS 2 /* so that a person's long query never blocks a look-up */

typedef enum qk__slot_stop {
    QK__SLOT_RUNS = 0,
    QK__SLOT_LATE, /* past its deadline */
    QK__SLOT_CLOSING,
    QK__SLOT_MEMORY, /* the writer needs the memory, or the query took too much */
} qk__slot_stop;

typedef struct qk__slot {
    qk__reader *reader;
    duckdb_connection connection; /* NULL until first used */
    char function[32]; /* its qk_live_<n> */
    const qk__row_set *live; /* what the function shows; NULL: nothing */
    qk__row_set snapshot;
    bool in_transaction;
    /* Guarded by the mutex: */
    bool busy, person;
    bool ending; /* nothing is left to interrupt */
    int64_t deadline_us; /* CLOCK_MONOTONIC; 0: none */
    uint64_t resident; /* the process's resident bytes when a person's query began */
    qk__slot_stop stop;
} qk__slot;

struct qk__reader {
    duckdb_database database;
    qk__reader_host host;
    qk_clock clock;
    qk__log log;
    pthread_mutex_t mutex;
    pthread_cond_t changed; /* CLOCK_MONOTONIC; a slot was freed or taken, closing began */
    qk__slot slots[QK__READER_SLOTS];
    size_t persons; /* slots in use by people's SQL */
    size_t waiting; /* callers waiting for a slot; close waits for them */
    bool closing;
    bool watched; /* the watchdog runs */
    pthread_t watchdog;
    struct qk__rows_registry *rows;
};

/* A parameter of a query. */
typedef struct qk__parameter {
    enum { QK__PARAMETER_TEXT, QK__PARAMETER_ID, QK__PARAMETER_INT, QK__PARAMETER_TIME } kind;
    qk_id id;
    int64_t number; /* integer, or microseconds */
    const char *text;
} qk__parameter;

int64_t qk__reader_monotonic_us(void);

/* Takes a free slot, waiting for one. timeout_us 0: no limit, neither for waiting nor for what is
 * run. QK_ECLOSED, QK_ETIMEDOUT, QK_ENOMEM. */
qk_status qk__slot_take(qk__slot **out, qk__reader *reader, bool person, int64_t timeout_us,
                        qk_error *err);
/* Ends the transaction, if there is one, and gives the slot back. */
void qk__slot_release(qk__slot *slot);

/* Begins a read-only transaction together with a snapshot of the live rows. */
qk_status qk__slot_begin(qk__slot *slot, qk_error *err);

/* Prepares, binds, executes; the result is materialised. The caller destroys it on success. */
qk_status qk__slot_query(qk__slot *slot, duckdb_result *out, const char *sql,
                         const qk__parameter *parameters, size_t count, qk_error *err);

/* Why a query of this slot failed, for people: interruptions by their reason. */
qk_status qk__slot_error(qk__slot *slot, const char *doing, duckdb_error_type type,
                         const char *text, qk_error *err);

/* Take, query without live rows, read all rows, release. */
qk_status qk__reader_fetch(qk__reader *reader, qk__row_set *out, const char *sql,
                           const qk__parameter *parameters, size_t count, qk_error *err);

/* Open rows; see rows.c. */
struct qk__rows_registry *qk__rows_registry_new(void);
/* Closes every row set still open (they then say QK_ECLOSED) and drops the reader's reference. */
void qk__rows_registry_close(struct qk__rows_registry *registry);

#endif
