/*
 * See upstream_cache.h. Buckets of four by the end of the id, which is random; the oldest of a bucket
 * gives way.
 */
#include "store/embedded/upstream_cache.h"

#include "store/store.h"

#include <stdlib.h>
#include <string.h>

#define WAYS 4
#define BUCKETS 2048 /* a power of two */

struct bucket {
    qk__left items[WAYS];
    unsigned next; /* where the next one goes */
};

struct qk__upstream_cache {
    struct bucket buckets[BUCKETS];
};

static size_t bucket_of(qk_id id)
{
    uint32_t end;
    memcpy(&end, id.bytes + 12, sizeof end);
    return (end ^ end >> 11 ^ end >> 22) & (BUCKETS - 1);
}

static char *dup_text(qk__text text)
{
    char *copy = malloc(text.length + 1);
    if (copy != NULL) {
        memcpy(copy, text.data, text.length);
        copy[text.length] = '\0';
    }
    return copy;
}

static qk__left *slot_for(struct bucket *bucket, qk_id id)
{
    for (size_t i = 0; i < WAYS; i++) {
        if (qk_id_compare(bucket->items[i].id, id) == 0) {
            return &bucket->items[i];
        }
    }
    return &bucket->items[bucket->next++ % WAYS];
}

void qk__upstream_cache_put(qk__upstream_cache **cache, const qk__row *row)
{
    if (row->node.data == NULL || row->status != QK_JOB_DONE ||
        row->result.length > QK__UPSTREAM_INLINE_MAX ||
        (*cache == NULL && (*cache = calloc(1, sizeof **cache)) == NULL)) {
        return;
    }
    char *node = dup_text(row->node);
    char *result = row->result.data == NULL ? NULL : dup_text(row->result);
    if (node == NULL || (result == NULL && row->result.data != NULL)) {
        free(node);
        free(result);
        return;
    }
    qk__left *slot = slot_for(&(*cache)->buckets[bucket_of(row->id)], row->id);
    free(slot->node);
    free(slot->result);
    *slot = (qk__left){ row->id, row->attempt, node, result };
}

const qk__left *qk__upstream_cache_get(const qk__upstream_cache *cache, qk_id id)
{
    for (size_t i = 0; cache != NULL && i < WAYS; i++) {
        const qk__left *item = &cache->buckets[bucket_of(id)].items[i];
        if (item->node != NULL && qk_id_compare(item->id, id) == 0) {
            return item;
        }
    }
    return NULL;
}

void qk__upstream_cache_free(qk__upstream_cache **cache)
{
    for (size_t i = 0; *cache != NULL && i < BUCKETS; i++) {
        for (size_t k = 0; k < WAYS; k++) {
            free((*cache)->buckets[i].items[k].node);
            free((*cache)->buckets[i].items[k].result);
        }
    }
    free(*cache);
    *cache = NULL;
}
