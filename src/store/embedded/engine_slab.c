/*
 * The engine's memory: the slab of jobs, the id map, extras, and text that may still be in flight.
 *
 * Growing the slab first grows every vector that can hold each job once (dirty, fresh, ended,
 * doomed, the delay heap), so that transitions never have to allocate there.
 */
#include "store/embedded/engine_internal.h"

#include <stdlib.h>
#include <string.h>

#define MAP_START 1024u

bool vec_reserve(void **items, size_t *capacity, size_t needed, size_t item_size)
{
    if (needed <= *capacity) {
        return true;
    }
    size_t grown = *capacity + *capacity / 2 + 16;
    if (grown < needed) {
        grown = needed;
    }
    void *moved = grown > SIZE_MAX / item_size ? NULL : realloc(*items, grown * item_size);
    if (moved == NULL) {
        return false;
    }
    *items = moved;
    *capacity = grown;
    return true;
}

uint64_t hash_bytes(const void *data, size_t length)
{
    const unsigned char *bytes = data;
    uint64_t hash = 0xcbf29ce484222325u;
    for (size_t i = 0; i < length; i++) {
        hash = (hash ^ bytes[i]) * 0x100000001b3u;
    }
    return hash ^ (hash >> 29);
}

static uint32_t id_hash(qk_id id)
{
    uint64_t high = 0;
    uint64_t low = 0;
    memcpy(&high, id.bytes, 8);
    memcpy(&low, id.bytes + 8, 8);
    /* Ids made in a row differ in their last bytes only, which are the high ones of `low`. */
    uint64_t mixed = high ^ (__builtin_bswap64(low) * 0x9e3779b97f4a7c15u);
    mixed = (mixed ^ (mixed >> 32)) * 0xd6e8feb86659fd93u;
    return (uint32_t)(mixed >> 32);
}

uint32_t job_find(const qk__engine *engine, qk_id id)
{
    if (engine->map == NULL) {
        return NIL;
    }
    for (uint32_t slot = id_hash(id) & engine->map_mask;; slot = (slot + 1) & engine->map_mask) {
        uint32_t index = engine->map[slot];
        if (index == NIL || memcmp(job_at(engine, index)->id.bytes, id.bytes, 16) == 0) {
            return index;
        }
    }
}

static void map_put(uint32_t *map, uint32_t mask, uint32_t hash, uint32_t index)
{
    uint32_t slot = hash & mask;
    while (map[slot] != NIL) {
        slot = (slot + 1) & mask;
    }
    map[slot] = index;
}

static bool map_grow(qk__engine *engine)
{
    uint32_t size = engine->map == NULL ? MAP_START : (engine->map_mask + 1) * 2;
    uint32_t *map = malloc((size_t)size * sizeof *map);
    if (map == NULL) {
        return false;
    }
    memset(map, 0xff, (size_t)size * sizeof *map);
    for (uint32_t slot = 0; engine->map != NULL && slot <= engine->map_mask; slot++) {
        uint32_t index = engine->map[slot];
        if (index != NIL) {
            map_put(map, size - 1, id_hash(job_at(engine, index)->id), index);
        }
    }
    free(engine->map);
    engine->map = map;
    engine->map_mask = size - 1;
    return true;
}

/* Linear probing without tombstones: what follows the hole moves back into it where it may. */
static void map_remove(qk__engine *engine, qk_id id)
{
    uint32_t mask = engine->map_mask;
    uint32_t hole = id_hash(id) & mask;
    while (memcmp(job_at(engine, engine->map[hole])->id.bytes, id.bytes, 16) != 0) {
        hole = (hole + 1) & mask;
    }
    for (uint32_t slot = (hole + 1) & mask; engine->map[slot] != NIL; slot = (slot + 1) & mask) {
        uint32_t home = id_hash(job_at(engine, engine->map[slot])->id) & mask;
        if (((slot - home) & mask) >= ((slot - hole) & mask)) {
            engine->map[hole] = engine->map[slot];
            hole = slot;
        }
    }
    engine->map[hole] = NIL;
}

static bool slab_grow(qk__engine *engine)
{
    size_t jobs = ((size_t)engine->chunk_count + 1) * CHUNK_JOBS;
    struct job **chunks =
        realloc(engine->chunks, (engine->chunk_count + 1) * sizeof *engine->chunks);
    if (chunks == NULL) {
        return false;
    }
    engine->chunks = chunks;
#define GROW(vec) vec_reserve((void **)&(vec).items, &(vec).capacity, jobs, sizeof *(vec).items)
    struct job *chunk = NULL;
    if (jobs >= NIL || !GROW(engine->dirty) || !GROW(engine->fresh) || !GROW(engine->ended) ||
        !GROW(engine->delayed) || !GROW(engine->doomed) ||
        (chunk = malloc(CHUNK_JOBS * sizeof *chunk)) == NULL) {
        return false;
    }
#undef GROW
    for (uint32_t i = CHUNK_JOBS; i-- > 0;) {
        chunk[i].used = false;
        chunk[i].next = engine->free_head;
        engine->free_head = engine->chunk_count * CHUNK_JOBS + i;
    }
    engine->chunks[engine->chunk_count++] = chunk;
    return true;
}

uint32_t job_new(qk__engine *engine, qk_id id)
{
    bool map_full = engine->map == NULL || engine->used >= (engine->map_mask + 1) / 4 * 3;
    if ((map_full && !map_grow(engine)) || (engine->free_head == NIL && !slab_grow(engine))) {
        return NIL;
    }
    uint32_t index = engine->free_head;
    struct job *job = job_at(engine, index);
    engine->free_head = job->next;
    memset(job, 0, sizeof *job);
    job->id = id;
    job->used = true;
    job->prev = job->next = job->policy = job->run = NIL;
    map_put(engine->map, engine->map_mask, id_hash(id), index);
    engine->used++;
    return index;
}

static void extra_free(qk__engine *engine, struct extra *extra)
{
    free(extra->node);
    free(extra->when);
    free(extra->unique_key);
    free(extra->name);
    free(extra->tags);
    free(extra->error);
    free(extra->result);
    free(extra->log_tail);
    free(extra->progress_message);
    links_free(engine, extra->links);
    extra->free_next = engine->extra_free;
    engine->extra_free = extra;
}

void job_release(qk__engine *engine, uint32_t index)
{
    struct job *job = job_at(engine, index);
    if (engine->map != NULL) { /* NULL: the whole engine goes */
        map_remove(engine, job->id);
    }
    if (job->payload != NULL && (job->flags & JF_LARGE) != 0) {
        engine->payload_resident -= job->payload_length;
    }
    if (engine->map != NULL) {
        run_detach(engine, job);
    }
    free(job->payload);
    if (job->extra != NULL) {
        extra_free(engine, job->extra);
    }
    if (job->policy != NIL) {
        policy_release(engine, job->policy);
    }
    job->used = false;
    job->extra = NULL;
    job->payload = NULL;
    job->next = engine->free_head;
    engine->free_head = index;
    engine->used--;
}

struct extra *job_extra(qk__engine *engine, struct job *job)
{
    if (job->extra != NULL) {
        return job->extra;
    }
    struct extra *extra = engine->extra_free;
    if (extra != NULL) {
        engine->extra_free = extra->free_next;
    } else if ((extra = malloc(sizeof *extra)) == NULL) {
        return NULL;
    }
    memset(extra, 0, sizeof *extra);
    extra->worker = extra->closed_worker = extra->unique_next = NIL;
    extra->progress = -1;
    job->extra = extra;
    return extra;
}

bool retire_reserve(qk__engine *engine, size_t more)
{
    return VEC_RESERVE(engine->retired, more);
}

void retire(qk__engine *engine, void *text)
{
    if (text != NULL) {
        engine->retired.items[engine->retired.count++] = text;
    }
}
