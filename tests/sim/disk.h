/*
 * A model disk: what the DuckDB journal does, in arrays. Two journal tables, the history, settled
 * attempts and edges; a batch is there whole or not at all. Rows are deep copies in blocks of their
 * exact size, so that reading past a text is seen by a sanitizer.
 *
 * One thread. Aborts when out of memory.
 */
#ifndef QUEUACK_TESTS_SIM_DISK_H
#define QUEUACK_TESTS_SIM_DISK_H

#include "store/embedded/engine.h"

struct disk_row {
    qk__row row;
    uint64_t batch;
    char *text; /* owns what the row points to */
};

struct disk_table {
    struct disk_row *rows;
    size_t count, capacity;
};

struct disk {
    struct disk_table journal[2], history, attempts, edges;
    int active;
};

struct disk *disk_new(void);
void disk_free(struct disk *disk); /* NULL-safe */

/* A deep copy of a cut's rows, for a commit that may come later. */
void disk_copy_rows(struct disk_table *out, const qk__cut *cut);
void disk_table_free(struct disk_table *table);
/* NULL, or what was wrong with the batch (static). */
const char *disk_commit(struct disk *disk, const qk__cut *cut);
uint64_t disk_last_batch(const struct disk *disk);
bool disk_unsettled(const struct disk *disk);
void disk_turn(struct disk *disk);
/* The oldest so many batches, in one transaction. True: nothing is left. */
bool disk_settle(struct disk *disk, uint64_t batches);
/* After a crash: which table is active is read off the batches. */
void disk_reopen(struct disk *disk);

/* The row of an ended job that holds; NULL: none. *copies: how many there are. */
const qk__row *disk_ended(const struct disk *disk, qk_id id, size_t *copies);
/* How that attempt ended, as the tables tell; RUNNING: they do not. `max_lost` of its job. */
qk__attempt_outcome disk_attempt(const struct disk *disk, const qk_lease *lease, int max_lost);
/* A large payload; absent: NULL data. */
qk__text disk_payload(const struct disk *disk, qk_id id);
/* Up to `room` different parents, edges of every table; returns how many. */
size_t disk_parents(const struct disk *disk, qk_id child, qk_id *out, size_t room);
/* Facts about jobs that are not in memory; sorted, malloc'd. */
qk__cold_job *disk_cold(const struct disk *disk, const qk_id *ids, size_t count, size_t *found);

/* A value of a row's ext; false: not there. Text values end at the next quote. */
bool disk_ext_number(const qk__row *row, const char *key, int64_t *out);
bool disk_ext_text(const qk__row *row, const char *key, char *out, size_t size);

bool same_id(qk_id a, qk_id b);

#endif
