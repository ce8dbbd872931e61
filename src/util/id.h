/*
 * Ids in numbers, and randomness. Any thread.
 */
#ifndef QK_UTIL_ID_H
#define QK_UTIL_ID_H

#include <queuack/types.h>

/* Consecutive ids taken at once: one shared step for all, and neighbours that compress well. */
typedef struct qk__id_block {
    uint64_t stamp;
    uint64_t random;
} qk__id_block;

/* Reserves `count` ids (at least 1), larger than all before. */
void qk__id_block_take(qk__id_block *block, size_t count);
/* The next of them; call at most `count` times. */
qk_id qk__id_block_next(qk__id_block *block);

/* 64 random bits from the kernel. */
uint64_t qk__random_u64(void);

#endif
