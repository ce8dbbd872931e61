/*
 * Ids: UUIDv7 (RFC 9562).
 *
 *   48 bits  milliseconds | 4 version | 12 random | 2 variant | 42 random | 20 counter
 *
 * One 64-bit word holds milliseconds (44 bits: until the year 2527) and counter of the last id.
 * Invariant: each id takes a value of that word that is larger than all before, so ids of one
 * process are unique and rise, across threads as well, and a wall clock that jumps back changes
 * nothing. The counter starts anywhere and goes on from one millisecond to the next, since people
 * name a job by the last digits of its id; when it flows over, the milliseconds run ahead.
 * The random bits are drawn once per process, which tells processes apart and keeps neighbours
 * close together (they compress to almost nothing). A forked child inherits the word, so it draws
 * its own. The 42 bits are stirred with the milliseconds, so that ids whose counters are equal
 * differ in the digits before it too. Any thread, no lock.
 */
#include <queuack/types.h>

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include "util/error.h"
#include "util/fork.h"
#include "util/id.h"

#define COUNTER_BITS 20
#define COUNTER_MASK ((UINT64_C(1) << COUNTER_BITS) - 1)
#define RANDOM_LOW_MASK ((UINT64_C(1) << 42) - 1)

static _Atomic uint64_t last_stamp; /* milliseconds << COUNTER_BITS | counter */
static _Atomic uint64_t seed; /* 54 random bits << 10 | fork generation; 0: not drawn yet */

#define GENERATION_MASK UINT64_C(0x3FF)

uint64_t qk__random_u64(void)
{
    uint64_t random = 0;
    if (getrandom(&random, sizeof(random), 0) == (ssize_t)sizeof(random))
        return random;
    /* No kernel source (a very strict sandbox): the best that is left. splitmix64 mixes it. */
    struct timespec now = { 0, 0 };
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    random = (uint64_t)now.tv_nsec ^ ((uint64_t)now.tv_sec << 30) ^ ((uint64_t)getpid() << 40) ^
             (uint64_t)(uintptr_t)&random;
    random = (random ^ (random >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    random = (random ^ (random >> 27)) * UINT64_C(0x94d049bb133111eb);
    return random ^ (random >> 31);
}

/* Moves the counter to a random place, one millisecond further so that the word still rises. */
static void scatter_counter(uint64_t random)
{
    uint64_t last = atomic_load(&last_stamp);
    uint64_t next;
    do
        next = ((last >> COUNTER_BITS) + 1) << COUNTER_BITS | (random & COUNTER_MASK);
    while (!atomic_compare_exchange_weak(&last_stamp, &last, next));
}

/* In a process that has not drawn yet, or was forked from one that has. Threads may race here:
 * the first to store wins, so that all of them use one seed. */
static uint64_t draw_seed(uint64_t old)
{
    qk__fork_watch();
    uint64_t drawn =
        (qk__random_u64() & ~GENERATION_MASK) | (qk__fork_generation() & GENERATION_MASK);
    if (!atomic_compare_exchange_strong(&seed, &old, drawn))
        return old;
    scatter_counter(qk__random_u64());
    return drawn;
}

/* The upper 54 bits are those that ids get. */
static uint64_t process_seed(void)
{
    uint64_t drawn = atomic_load_explicit(&seed, memory_order_relaxed);
    if (drawn == 0 || ((drawn ^ qk__fork_generation()) & GENERATION_MASK) != 0)
        drawn = draw_seed(drawn);
    return drawn;
}

static uint64_t now_stamp(void)
{
    struct timespec now;
    /* The coarse clock costs a quarter of the fine one; its steps of a few milliseconds are finer
     * than anything ids are compared with. */
    if (clock_gettime(CLOCK_REALTIME_COARSE, &now) != 0)
        return 0;
    uint64_t ms = (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
    return ms << COUNTER_BITS;
}

/* First of `count` stamps that nobody else gets. */
static uint64_t take_stamps(uint64_t count)
{
    uint64_t now = now_stamp();
    uint64_t first = atomic_fetch_add_explicit(&last_stamp, count, memory_order_relaxed) + 1;
    if (first >= now)
        return first;
    uint64_t last = atomic_load_explicit(&last_stamp, memory_order_relaxed);
    do {
        first = last + 1 > now ? last + 1 : now | ((last + 1) & COUNTER_MASK);
    } while (!atomic_compare_exchange_weak_explicit(&last_stamp, &last, first + count - 1,
                                                    memory_order_relaxed, memory_order_relaxed));
    return first;
}

static void put_be64(uint8_t *out, uint64_t value)
{
    value = __builtin_bswap64(value);
    memcpy(out, &value, sizeof(value));
}

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "put_be64 swaps bytes");

static qk_id make_id(uint64_t stamp, uint64_t random)
{
    qk_id id;
    uint64_t ms = stamp >> COUNTER_BITS;
    uint64_t stirred = (random >> 10 ^ (ms * UINT64_C(0x9e3779b97f4a7c15)) >> 22) & RANDOM_LOW_MASK;
    put_be64(id.bytes, ms << 16 | UINT64_C(0x7000) | random >> 52);
    put_be64(id.bytes + 8, UINT64_C(2) << 62 | stirred << COUNTER_BITS | (stamp & COUNTER_MASK));
    return id;
}

qk_id qk_id_new(void)
{
    uint64_t random = process_seed();
    return make_id(take_stamps(1), random);
}

void qk__id_block_take(qk__id_block *block, size_t count)
{
    block->random = process_seed();
    block->stamp = take_stamps(count);
}

qk_id qk__id_block_next(qk__id_block *block)
{
    return make_id(block->stamp++, block->random);
}

static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

qk_status qk_id_parse(qk_id *out, const char *text)
{
    qk_id id;
    size_t at = 0;

    if (!out || !text)
        return QK_EINVAL;
    for (size_t i = 0; i < sizeof(id.bytes); i++) {
        if ((i == 4 || i == 6 || i == 8 || i == 10) && text[at++] != '-')
            return QK_EINVAL;
        int high = hex_value(text[at]);
        if (high < 0)
            return QK_EINVAL;
        int low = hex_value(text[at + 1]);
        if (low < 0)
            return QK_EINVAL;
        id.bytes[i] = (uint8_t)(high << 4 | low);
        at += 2;
    }
    if (text[at] != '\0')
        return QK_EINVAL;
    *out = id;
    return QK_OK;
}

char *qk_id_format(char out[QK_ID_TEXT_SIZE], qk_id id)
{
    static const char digits[] = "0123456789abcdef";
    size_t at = 0;
    for (size_t i = 0; i < sizeof(id.bytes); i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10)
            out[at++] = '-';
        out[at++] = digits[id.bytes[i] >> 4];
        out[at++] = digits[id.bytes[i] & 15];
    }
    out[at] = '\0';
    return out;
}

bool qk_id_is_none(qk_id id)
{
    static const qk_id none;
    return memcmp(id.bytes, none.bytes, sizeof(id.bytes)) == 0;
}

int qk_id_compare(qk_id a, qk_id b)
{
    return memcmp(a.bytes, b.bytes, sizeof(a.bytes));
}
