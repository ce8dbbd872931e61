/*
 * A map from ids, or names within a run, to numbers. For what `run` knows of its tasks.
 */
#ifndef CLI_RUN_MAP_H
#define CLI_RUN_MAP_H

#include <queuack/types.h>

#define RUN_MAP_NONE SIZE_MAX

typedef struct run_map_slot {
    qk_id key; /* none: free */
    size_t value;
} run_map_slot;

typedef struct run_map {
    run_map_slot *slots;
    size_t count, capacity; /* a power of two */
} run_map;

/* Replaces what was there. False: out of memory. The key must not be none. */
bool run_map_put(run_map *map, qk_id key, size_t value);
/* RUN_MAP_NONE if there is none. */
size_t run_map_get(const run_map *map, qk_id key);
/* A key for a name within a run: 128 bits of hash, so two names never meet in practice. */
qk_id run_map_name(qk_id run, const char *name);
void run_map_dispose(run_map *map);

#endif
