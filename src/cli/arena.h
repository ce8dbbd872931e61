/*
 * Memory for the lines of one commit, given back all at once.
 */
#ifndef CLI_ARENA_H
#define CLI_ARENA_H

#include <stddef.h>

typedef struct arena_block arena_block;

typedef struct arena {
    arena_block *blocks; /* the first is the one in use */
    size_t used;
} arena;

/* NULL without memory. Aligned for pointers. */
void *arena_take(arena *arena, size_t size);
/* Everything taken is void; keeps one block for what comes next. */
void arena_reset(arena *arena);
void arena_dispose(arena *arena);

#endif
