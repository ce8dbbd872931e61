/*
 * What happened, written outside of Queuack: one file, appended to and synced line by line, so that
 * a SIGKILL loses nothing that was written and the order of lines is the order of events.
 *
 * Lines: a letter, an id, a number.
 *   P planned: a producer is about to enqueue this id
 *   E enqueued: the call had returned
 *   S started: attempt n of a handler, before it does anything
 *   D did its work: attempt n, before it returns
 *   A acknowledged: the report of attempt n was durable, by what the library said
 *   N needs: the id (a child) and, on the next N line, its parent
 */
#ifndef QK_TESTS_CRASH_LEDGER_H
#define QK_TESTS_CRASH_LEDGER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <queuack/types.h>

struct ledger {
    int fd;
    char path[512];
};

bool ledger_open(struct ledger *ledger, const char *path);
void ledger_close(struct ledger *ledger);
/* Durable when it returns. Any thread. */
void ledger_write(struct ledger *ledger, char event, qk_id id, int number);
/* Several in one write. */
struct ledger_line {
    qk_id id;
    char event;
    int number;
    uint64_t order; /* of the line in the file */
};
void ledger_write_all(struct ledger *ledger, const struct ledger_line *lines, size_t count);

/* All whole lines, in order; malloc'd. */
struct ledger_line *ledger_read(const char *path, size_t *count);
/* The same, by id, then by order. */
void ledger_sort(struct ledger_line *lines, size_t count);

#endif
