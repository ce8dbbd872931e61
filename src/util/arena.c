/*
 * The arena; see arena.h. Blocks grow from small to large, so that a small user pays little and a
 * large one calls malloc rarely. A piece larger than a block gets one of its own, put behind the
 * newest, whose rest stays in use.
 */
#include "util/arena.h"

#include <stdalign.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_BLOCK ((size_t)1 << 10)
#define LAST_BLOCK ((size_t)1 << 18)

struct qk__arena_block {
    qk__arena_block *next;
    size_t size;
    max_align_t data[];
};

static qk__arena_block *new_block(size_t size)
{
    if (size > SIZE_MAX - sizeof(qk__arena_block))
        return NULL;
    qk__arena_block *block = malloc(sizeof(*block) + size);
    if (block)
        block->size = size;
    return block;
}

static void *take_own(qk__arena *arena, size_t size)
{
    qk__arena_block *block = new_block(size);
    if (!block)
        return NULL;
    block->next = arena->blocks->next;
    arena->blocks->next = block;
    return block->data;
}

void *qk__arena_take(qk__arena *arena, size_t size)
{
    const size_t step = alignof(max_align_t);
    if (size > SIZE_MAX - step)
        return NULL;
    size = (size + step - 1) / step * step;
    if (arena->blocks && size <= arena->blocks->size - arena->used) {
        arena->used += size;
        return (char *)arena->blocks->data + (arena->used - size);
    }
    size_t want = arena->blocks ? arena->blocks->size * 2 : FIRST_BLOCK;
    if (want > LAST_BLOCK)
        want = LAST_BLOCK;
    if (arena->blocks && size > want / 4)
        return take_own(arena, size);
    qk__arena_block *block = new_block(size > want ? size : want);
    if (!block)
        return NULL;
    block->next = arena->blocks;
    arena->blocks = block;
    arena->used = size;
    return block->data;
}

char *qk__arena_text(qk__arena *arena, const char *text, size_t length)
{
    char *copy = length < SIZE_MAX ? qk__arena_take(arena, length + 1) : NULL;
    if (copy) {
        if (length)
            memcpy(copy, text, length);
        copy[length] = '\0';
    }
    return copy;
}

void qk__arena_dispose(qk__arena *arena)
{
    qk__arena_block *block = arena->blocks;
    while (block) {
        qk__arena_block *next = block->next;
        free(block);
        block = next;
    }
    arena->blocks = NULL;
    arena->used = 0;
}
