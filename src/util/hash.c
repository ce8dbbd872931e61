/*
 * SipHash-1-3 as published by Aumasson and Bernstein; see hash.h. The words are read in the
 * machine's byte order, since hashes never leave the process.
 */
#include "util/hash.h"

#include <string.h>

#include "util/id.h"

typedef struct sip {
    uint64_t a, b, c, d;
} sip;

static uint64_t rotate(uint64_t x, int bits)
{
    return x << bits | x >> (64 - bits);
}

static void sip_round(sip *s)
{
    s->a += s->b;
    s->b = rotate(s->b, 13) ^ s->a;
    s->a = rotate(s->a, 32);
    s->c += s->d;
    s->d = rotate(s->d, 16) ^ s->c;
    s->a += s->d;
    s->d = rotate(s->d, 21) ^ s->a;
    s->c += s->b;
    s->b = rotate(s->b, 17) ^ s->c;
    s->c = rotate(s->c, 32);
}

static void absorb(sip *s, uint64_t word)
{
    s->d ^= word;
    sip_round(s);
    s->a ^= word;
}

qk__hash_key qk__hash_key_new(void)
{
    return (qk__hash_key){ { qk__random_u64(), qk__random_u64() } };
}

uint64_t qk__hash(const qk__hash_key *key, const void *data, size_t length)
{
    const unsigned char *at = data;
    size_t left = length;
    uint64_t word;
    sip s = { key->words[0] ^ 0x736f6d6570736575u, key->words[1] ^ 0x646f72616e646f6du,
              key->words[0] ^ 0x6c7967656e657261u, key->words[1] ^ 0x7465646279746573u };
    for (; left >= sizeof(word); left -= sizeof(word), at += sizeof(word)) {
        memcpy(&word, at, sizeof(word));
        absorb(&s, word);
    }
    word = (uint64_t)length << 56;
    for (size_t i = 0; i < left; i++)
        word |= (uint64_t)at[i] << (8 * i);
    absorb(&s, word);
    s.c ^= 0xff;
    for (int i = 0; i < 3; i++)
        sip_round(&s);
    return s.a ^ s.b ^ s.c ^ s.d;
}
