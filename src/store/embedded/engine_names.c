/*
 * Interned names: symbols (kinds, queue names, worker ids), queues, policies, unique keys.
 *
 * Symbols and queues stay for the engine's life: their number is bounded by how many different
 * names are in use. Policies are counted and reused.
 */
#include "store/embedded/engine_internal.h"

#include <stdlib.h>
#include <string.h>

static bool index_grow(uint32_t **map, uint32_t *mask)
{
    uint32_t size = *map == NULL ? 64 : (*mask + 1) * 2;
    uint32_t *grown = malloc(size * sizeof *grown);
    if (grown == NULL) {
        return false;
    }
    memset(grown, 0xff, size * sizeof *grown);
    free(*map);
    *map = grown;
    *mask = size - 1;
    return true;
}

uint32_t symbol_find(const qk__engine *engine, const char *text, size_t length)
{
    if (engine->symbols.map == NULL) {
        return NIL;
    }
    uint32_t mask = engine->symbols.map_mask;
    for (uint32_t slot = (uint32_t)hash_bytes(text, length) & mask;; slot = (slot + 1) & mask) {
        uint32_t symbol = engine->symbols.map[slot];
        if (symbol == NIL) {
            return NIL;
        }
        const char *known = engine->symbols.text[symbol];
        if (strncmp(known, text, length) == 0 && known[length] == '\0') {
            return symbol;
        }
    }
}

static void symbol_index(qk__engine *engine, uint32_t symbol)
{
    const char *text = engine->symbols.text[symbol];
    uint32_t mask = engine->symbols.map_mask;
    uint32_t slot = (uint32_t)hash_bytes(text, strlen(text)) & mask;
    while (engine->symbols.map[slot] != NIL) {
        slot = (slot + 1) & mask;
    }
    engine->symbols.map[slot] = symbol;
}

uint32_t symbol_make(qk__engine *engine, const char *text, size_t length)
{
    uint32_t symbol = symbol_find(engine, text, length);
    if (symbol != NIL) {
        return symbol;
    }
    size_t capacity = engine->symbols.capacity;
    char *copy = qk__dup_text(text, length);
    if (copy == NULL || !vec_reserve((void **)&engine->symbols.text, &capacity,
                                     engine->symbols.count + 1, sizeof(char *))) {
        free(copy);
        return NIL;
    }
    engine->symbols.capacity = (uint32_t)capacity;
    if (engine->symbols.map == NULL || engine->symbols.count * 2 >= engine->symbols.map_mask) {
        if (!index_grow(&engine->symbols.map, &engine->symbols.map_mask)) {
            free(copy);
            return NIL;
        }
        for (uint32_t i = 0; i < engine->symbols.count; i++) {
            symbol_index(engine, i);
        }
    }
    symbol = engine->symbols.count++;
    engine->symbols.text[symbol] = copy;
    symbol_index(engine, symbol);
    return symbol;
}

struct queue *queue_find(const qk__engine *engine, const char *name)
{
    uint32_t symbol = symbol_find(engine, name, strlen(name));
    for (size_t i = 0; symbol != NIL && i < engine->queues.count; i++) {
        if (engine->queues.items[i]->name == symbol) {
            return engine->queues.items[i];
        }
    }
    return NULL;
}

uint32_t queue_make(qk__engine *engine, const char *name, size_t length)
{
    uint32_t symbol = symbol_make(engine, name, length);
    if (symbol == NIL) {
        return NIL;
    }
    /* Most callers use few queues, and the last one again. */
    for (size_t i = engine->queues.count; i-- > 0;) {
        if (engine->queues.items[i]->name == symbol) {
            return (uint32_t)i;
        }
    }
    struct queue *queue = VEC_RESERVE(engine->queues, 1) ? calloc(1, sizeof *queue) : NULL;
    if (queue == NULL) {
        return NIL;
    }
    queue->name = symbol;
    engine->queues.items[engine->queues.count] = queue;
    return (uint32_t)engine->queues.count++;
}

static uint32_t policy_hash(const struct policy *policy)
{
    int64_t key[] = { policy->kind,
                      policy->route,
                      policy->queue,
                      policy->max_attempts,
                      policy->max_lost,
                      policy->timeout_us,
                      policy->backoff_base_us,
                      policy->backoff_cap_us,
                      policy->mode * 2 + policy->continue_on_failure };
    uint64_t hash = 0;
    for (size_t i = 0; i < sizeof key / sizeof *key; i++) {
        hash = (hash ^ (uint64_t)key[i]) * 0x9e3779b97f4a7c15u;
        hash ^= hash >> 32;
    }
    return (uint32_t)hash;
}

static bool policy_equal(const struct policy *a, const struct policy *b)
{
    return a->kind == b->kind && a->route == b->route && a->queue == b->queue &&
           a->max_attempts == b->max_attempts && a->max_lost == b->max_lost &&
           a->timeout_us == b->timeout_us && a->backoff_base_us == b->backoff_base_us &&
           a->backoff_cap_us == b->backoff_cap_us && a->backoff_factor == b->backoff_factor &&
           a->mode == b->mode && a->continue_on_failure == b->continue_on_failure;
}

static bool policies_rehash(qk__engine *engine)
{
    if (!index_grow(&engine->policy_map, &engine->policy_mask)) {
        return false;
    }
    for (uint32_t i = 0; i < engine->policies.count; i++) {
        struct policy *policy = &engine->policies.items[i];
        if (policy->references > 0) {
            uint32_t slot = policy_hash(policy) & engine->policy_mask;
            policy->next = engine->policy_map[slot];
            engine->policy_map[slot] = i;
        }
    }
    return true;
}

uint32_t policy_make(qk__engine *engine, const struct policy *wanted)
{
    if ((engine->policy_map == NULL || engine->policies.count > engine->policy_mask) &&
        !policies_rehash(engine)) {
        return NIL;
    }
    uint32_t slot = policy_hash(wanted) & engine->policy_mask;
    for (uint32_t i = engine->policy_map[slot]; i != NIL; i = engine->policies.items[i].next) {
        if (policy_equal(&engine->policies.items[i], wanted)) {
            engine->policies.items[i].references++;
            return i;
        }
    }
    uint32_t index = engine->policy_free;
    if (index != NIL) {
        engine->policy_free = engine->policies.items[index].next;
    } else if (VEC_RESERVE(engine->policies, 1)) {
        index = (uint32_t)engine->policies.count++;
    } else {
        return NIL;
    }
    struct policy *policy = &engine->policies.items[index];
    *policy = *wanted;
    policy->references = 1;
    policy->next = engine->policy_map[slot];
    engine->policy_map[slot] = index;
    return index;
}

void policy_release(qk__engine *engine, uint32_t index)
{
    struct policy *policy = &engine->policies.items[index];
    if (--policy->references > 0) {
        return;
    }
    uint32_t *link = &engine->policy_map[policy_hash(policy) & engine->policy_mask];
    while (*link != index) {
        link = &engine->policies.items[*link].next;
    }
    *link = policy->next;
    policy->next = engine->policy_free;
    engine->policy_free = index;
}

uint32_t unique_find(const qk__engine *engine, const char *key)
{
    if (engine->unique_map == NULL) {
        return NIL;
    }
    uint32_t slot = (uint32_t)hash_bytes(key, strlen(key)) & engine->unique_mask;
    uint32_t index = engine->unique_map[slot];
    while (index != NIL && strcmp(job_at(engine, index)->extra->unique_key, key) != 0) {
        index = job_at(engine, index)->extra->unique_next;
    }
    return index;
}

static void unique_link(qk__engine *engine, uint32_t *map, uint32_t mask, uint32_t index)
{
    struct extra *extra = job_at(engine, index)->extra;
    uint32_t slot = (uint32_t)hash_bytes(extra->unique_key, strlen(extra->unique_key)) & mask;
    extra->unique_next = map[slot];
    map[slot] = index;
}

bool unique_insert(qk__engine *engine, uint32_t index)
{
    if (engine->unique_map == NULL || engine->unique_count > engine->unique_mask) {
        uint32_t *old = engine->unique_map;
        uint32_t old_mask = engine->unique_mask;
        engine->unique_map = NULL;
        engine->unique_mask = old == NULL ? 0 : old_mask;
        uint32_t size = old == NULL ? 64 : (old_mask + 1) * 2;
        engine->unique_map = malloc(size * sizeof *engine->unique_map);
        if (engine->unique_map == NULL) {
            engine->unique_map = old;
            return false;
        }
        memset(engine->unique_map, 0xff, size * sizeof *engine->unique_map);
        engine->unique_mask = size - 1;
        for (uint32_t slot = 0; old != NULL && slot <= old_mask; slot++) {
            for (uint32_t i = old[slot]; i != NIL;) {
                uint32_t following = job_at(engine, i)->extra->unique_next;
                unique_link(engine, engine->unique_map, engine->unique_mask, i);
                i = following;
            }
        }
        free(old);
    }
    unique_link(engine, engine->unique_map, engine->unique_mask, index);
    engine->unique_count++;
    return true;
}

void unique_remove(qk__engine *engine, uint32_t index)
{
    const char *key = job_at(engine, index)->extra->unique_key;
    if (engine->unique_map == NULL) {
        return; /* undone before it was inserted */
    }
    uint32_t slot = (uint32_t)hash_bytes(key, strlen(key)) & engine->unique_mask;
    uint32_t *link = &engine->unique_map[slot];
    while (*link != NIL && *link != index) {
        link = &job_at(engine, *link)->extra->unique_next;
    }
    if (*link == index) {
        *link = job_at(engine, index)->extra->unique_next;
        engine->unique_count--;
    }
}

void names_free(qk__engine *engine)
{
    for (uint32_t i = 0; i < engine->symbols.count; i++) {
        free(engine->symbols.text[i]);
    }
    for (size_t i = 0; i < engine->queues.count; i++) {
        struct queue *queue = engine->queues.items[i];
        free(queue->settings);
        for (uint32_t lane = 0; lane < queue->lane_count; lane++) {
            free(queue->lanes[lane]->returned);
            free(queue->lanes[lane]);
        }
        free(queue->lanes);
        free(queue);
    }
    free(engine->symbols.text);
    free(engine->symbols.map);
    free(engine->queues.items);
    free(engine->policies.items);
    free(engine->policy_map);
    free(engine->unique_map);
}
