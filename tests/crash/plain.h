/*
 * Plain DuckDB on a copy of a store: nothing of Queuack's.
 */
#ifndef QK_TESTS_CRASH_PLAIN_H
#define QK_TESTS_CRASH_PLAIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Copies a store (file and log) as it is at one moment into an existing folder; `out` gets the
 * copy's path. A log left there by an earlier copy goes. */
void plain_copy(char *out, size_t size, const char *store, const char *folder);

/* Opens, runs each statement, keeps the number in its first cell, closes. False: a message is on
 * stderr. Opens DuckDB in this process. */
bool plain_numbers(const char *path, const char *const *statements, int64_t *numbers, size_t count);

#endif
