/*
 * Who has counted a parent's end: the links of jobs in memory, found by their parent.
 *
 * A parent that ended forgets its children and leaves the memory long before they end. When a person
 * retries it they have to wait for it again, so they are found here, at the cost of those alone. A
 * link is in the table from its connection until it is freed, whatever its state; chains, since many
 * links have one parent. The room for a link is made when it is connected, which may fail.
 */
#include "store/embedded/engine_internal.h"

#include <stdlib.h>
#include <string.h>

static uint32_t slot_of(const qk__engine *engine, qk_id parent)
{
    return (uint32_t)hash_bytes(parent.bytes, sizeof parent.bytes) & engine->hearer_mask;
}

static void chain_put(qk__engine *engine, uint32_t index, uint32_t slot)
{
    struct hearer *own = &engine->hearers.items[index];
    own->slot = slot;
    own->prev = NIL;
    own->next = engine->hearer_map[slot];
    if (own->next != NIL) {
        engine->hearers.items[own->next].prev = index;
    }
    engine->hearer_map[slot] = index;
}

static void relink_job(qk__engine *engine, const struct job *job)
{
    const struct links *links = job->used && job->extra != NULL ? job->extra->links : NULL;
    for (uint32_t i = 0; links != NULL && i < links->parent_count; i++) {
        const struct link *link = &links->parents[i];
        if (link->hearer != 0) {
            chain_put(engine, link->hearer - 1, slot_of(engine, link->parent));
        }
    }
}

static bool map_grow(qk__engine *engine)
{
    uint32_t size = engine->hearer_map == NULL ? 64 : (engine->hearer_mask + 1) * 2;
    uint32_t *map = malloc((size_t)size * sizeof *map);
    if (map == NULL) {
        return false;
    }
    memset(map, 0xff, (size_t)size * sizeof *map);
    free(engine->hearer_map);
    engine->hearer_map = map;
    engine->hearer_mask = size - 1;
    for (uint32_t i = 0; i < engine->chunk_count * CHUNK_JOBS; i++) {
        relink_job(engine, job_at(engine, i));
    }
    return true;
}

bool hear(qk__engine *engine, struct link *link, uint32_t child)
{
    bool full = engine->hearer_map == NULL || engine->hearer_count > engine->hearer_mask;
    if (link->hearer != 0) {
        return true;
    }
    if ((full && !map_grow(engine)) || !VEC_RESERVE(engine->hearers, 1)) {
        return false;
    }
    uint32_t index = engine->hearer_free;
    if (index != NIL) {
        engine->hearer_free = engine->hearers.items[index].slot;
    } else {
        index = (uint32_t)engine->hearers.count++;
    }
    engine->hearers.items[index].child = child;
    chain_put(engine, index, slot_of(engine, link->parent));
    link->hearer = index + 1;
    engine->hearer_count++;
    return true;
}

void unhear(qk__engine *engine, struct link *link)
{
    if (link->hearer == 0 || engine->hearer_map == NULL) { /* NULL: the whole engine goes */
        return;
    }
    uint32_t index = link->hearer - 1;
    struct hearer *own = &engine->hearers.items[index];
    *(own->prev == NIL ? &engine->hearer_map[own->slot] : &engine->hearers.items[own->prev].next) =
        own->next;
    if (own->next != NIL) {
        engine->hearers.items[own->next].prev = own->prev;
    }
    own->slot = engine->hearer_free;
    engine->hearer_free = index;
    link->hearer = 0;
    engine->hearer_count--;
}

uint32_t hearer_next(const qk__engine *engine, qk_id parent, uint32_t after)
{
    if (engine->hearer_map == NULL) {
        return NIL;
    }
    return after == NIL ? engine->hearer_map[slot_of(engine, parent)]
                        : engine->hearers.items[after].next;
}

static bool is_heard(const qk__engine *engine, const struct link *link, uint32_t child)
{
    uint32_t at = hearer_next(engine, link->parent, NIL);
    while (at != NIL && at != link->hearer - 1) {
        at = hearer_next(engine, link->parent, at);
    }
    return at != NIL && engine->hearers.items[at].child == child;
}

const char *check_hearers(const qk__engine *engine)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < engine->chunk_count * CHUNK_JOBS; i++) {
        const struct job *job = job_at(engine, i);
        const struct links *links = job->used && job->extra != NULL ? job->extra->links : NULL;
        for (uint32_t k = 0; links != NULL && k < links->parent_count; k++) {
            if (links->parents[k].hearer == 0 || !is_heard(engine, &links->parents[k], i)) {
                return "8: a link is not found by its parent";
            }
            count++;
        }
    }
    return count == engine->hearer_count ? NULL : "8: more links are kept than there are";
}
