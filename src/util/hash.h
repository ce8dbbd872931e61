/*
 * A keyed hash for tables whose keys come from outside: without the key, nobody can make names that
 * collide. SipHash-1-3. Any thread.
 */
#ifndef QK_UTIL_HASH_H
#define QK_UTIL_HASH_H

#include <stddef.h>
#include <stdint.h>

typedef struct qk__hash_key {
    uint64_t words[2];
} qk__hash_key;

qk__hash_key qk__hash_key_new(void);
uint64_t qk__hash(const qk__hash_key *key, const void *data, size_t length);

#endif
