/*
 * Open addressing; see run_map.h. Ids made by one process share their first bytes, so all of them
 * are mixed.
 */
#include "run_map.h"

#include <stdlib.h>
#include <string.h>

static uint64_t mix(uint64_t hash, const void *data, size_t length)
{
    const unsigned char *bytes = data;
    for (size_t i = 0; i < length; i++)
        hash = (hash ^ bytes[i]) * 1099511628211ULL;
    return hash ^ hash >> 29;
}

static run_map_slot *find(const run_map *map, qk_id key)
{
    size_t at = mix(14695981039346656037ULL, key.bytes, sizeof(key.bytes)) & (map->capacity - 1);
    while (!qk_id_is_none(map->slots[at].key) && qk_id_compare(map->slots[at].key, key) != 0)
        at = (at + 1) & (map->capacity - 1);
    return &map->slots[at];
}

static bool grow(run_map *map)
{
    run_map bigger = { .capacity = map->capacity ? map->capacity * 2 : 64, .count = map->count };
    bigger.slots = calloc(bigger.capacity, sizeof(*bigger.slots));
    if (!bigger.slots)
        return false;
    for (size_t i = 0; i < map->capacity; i++) {
        if (!qk_id_is_none(map->slots[i].key))
            *find(&bigger, map->slots[i].key) = map->slots[i];
    }
    free(map->slots);
    *map = bigger;
    return true;
}

bool run_map_put(run_map *map, qk_id key, size_t value)
{
    if ((map->count + 1) * 2 > map->capacity && !grow(map))
        return false;
    run_map_slot *slot = find(map, key);
    map->count += qk_id_is_none(slot->key);
    *slot = (run_map_slot){ key, value };
    return true;
}

size_t run_map_get(const run_map *map, qk_id key)
{
    if (map->capacity == 0)
        return RUN_MAP_NONE;
    const run_map_slot *slot = find(map, key);
    return qk_id_is_none(slot->key) ? RUN_MAP_NONE : slot->value;
}

qk_id run_map_name(qk_id run, const char *name)
{
    qk_id key;
    uint64_t parts[2];
    parts[0] = mix(mix(14695981039346656037ULL, run.bytes, sizeof(run.bytes)), name, strlen(name));
    parts[1] = mix(mix(1099511628211ULL, name, strlen(name)), run.bytes, sizeof(run.bytes));
    parts[0] |= 1; /* never none */
    memcpy(key.bytes, parts, sizeof(key.bytes));
    return key;
}

void run_map_dispose(run_map *map)
{
    free(map->slots);
    *map = (run_map){ 0 };
}
