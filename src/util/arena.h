/*
 * An arena: many small pieces of memory that are freed together. Zero-initialise; dispose once.
 * Belongs to one thread at a time.
 */
#ifndef QK_UTIL_ARENA_H
#define QK_UTIL_ARENA_H

#include <stddef.h>

typedef struct qk__arena_block qk__arena_block;

typedef struct qk__arena {
    qk__arena_block *blocks; /* the newest first */
    size_t used; /* bytes of the newest */
} qk__arena;

/* Memory aligned for anything, not initialised, until the arena goes. NULL: out of memory. */
void *qk__arena_take(qk__arena *arena, size_t size);
/* A NUL-terminated copy. NULL: out of memory. */
char *qk__arena_text(qk__arena *arena, const char *text, size_t length);
void qk__arena_dispose(qk__arena *arena);

#endif
