/*
 * The arena; see arena.h.
 */
#include "arena.h"

#include <stdlib.h>

#define BLOCK ((size_t)1 << 20)

struct arena_block {
    arena_block *next;
    size_t size;
    _Alignas(max_align_t) char data[];
};

void *arena_take(arena *arena, size_t size)
{
    size = (size + 15) & ~(size_t)15;
    if (!arena->blocks || arena->blocks->size - arena->used < size) {
        size_t room = size > BLOCK ? size : BLOCK;
        arena_block *block = malloc(sizeof(*block) + room);
        if (!block)
            return NULL;
        *block = (arena_block){ .next = arena->blocks, .size = room };
        arena->blocks = block;
        arena->used = 0;
    }
    void *taken = arena->blocks->data + arena->used;
    arena->used += size;
    return taken;
}

void arena_reset(arena *arena)
{
    while (arena->blocks && arena->blocks->next) {
        arena_block *rest = arena->blocks->next;
        free(arena->blocks);
        arena->blocks = rest;
    }
    arena->used = 0;
}

void arena_dispose(arena *arena)
{
    arena_reset(arena);
    free(arena->blocks);
    arena->blocks = NULL;
}
