/*
 * Keeps the queue's own files out of reach of SQL: this process's calls of libc that open, create,
 * rename or remove files by name go through here first (guard.c defines them, and DuckDB's calls
 * resolve to them). DuckDB itself can be told which folders may be used, not which files in them may
 * not, and a store usually lies beside its workflow.
 *
 * Out of reach are the file of that path, whatever name leads to it (links included), and everything
 * beside it or below it whose name goes on with a dot: log, lock, socket, outputs. Set once, before
 * other threads exist; then any thread.
 */
#ifndef QK_SQL_GUARD_H
#define QK_SQL_GUARD_H

#include <stdbool.h>

/* A canonical path, borrowed for ever; NULL: nothing is kept out of reach. */
void guard_protect(const char *path);
/* How many calls were refused so far: proves that the guard is in force. */
unsigned long guard_refusals(void);

#endif
