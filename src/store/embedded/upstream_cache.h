/*
 * What nodes of runs left, kept for the nodes behind them: a job leaves the engine when its end is
 * durable, and reading it back costs a query, which a hundred siblings would each pay.
 *
 * A bounded set of done jobs with small results; what is not in it is read from the tables. An entry
 * is right as long as its job has not been opened again, so whoever opens jobs forgets everything.
 * The caller serialises all calls: the store's `lock`. No I/O.
 */
#ifndef QK_STORE_EMBEDDED_UPSTREAM_CACHE_H
#define QK_STORE_EMBEDDED_UPSTREAM_CACHE_H

#include "store/embedded/row.h"

typedef struct qk__upstream_cache qk__upstream_cache;

typedef struct qk__left {
    qk_id id;
    int32_t attempt;
    char *node; /* the cache's */
    char *result; /* NULL: none */
} qk__left;

/* Keeps a done job of a run; does nothing about others, or without memory. *cache is made when
 * needed. */
void qk__upstream_cache_put(qk__upstream_cache **cache, const qk__row *row);
/* NULL: not in it. Borrowed until the next call that changes it. */
const qk__left *qk__upstream_cache_get(const qk__upstream_cache *cache, qk_id id);
/* Forgets everything; NULL-safe. */
void qk__upstream_cache_free(qk__upstream_cache **cache);

#endif
