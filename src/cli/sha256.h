/*
 * SHA-256 (FIPS 180-4). The identity of a batch's content: ids that follow from it make a repeated
 * batch recognisable, so nobody must be able to make two contents with one hash.
 */
#ifndef CLI_SHA256_H
#define CLI_SHA256_H

#include <stddef.h>
#include <stdint.h>

typedef struct sha256 {
    uint32_t state[8];
    uint64_t length; /* bytes so far */
    uint8_t block[64];
} sha256;

void sha256_init(sha256 *hash);
void sha256_add(sha256 *hash, const void *data, size_t length);
/* The hash is not to be used afterwards. */
void sha256_end(sha256 *hash, uint8_t out[32]);

#endif
