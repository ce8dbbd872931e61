/*
 * Ids: form, order across threads, forks, text.
 */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "util/id.h"

#define THREADS 8
#define IDS_PER_THREAD 50000
#define FORKED_IDS 2000

static uint64_t milliseconds_of(qk_id id)
{
    uint64_t ms = 0;
    for (int i = 0; i < 6; i++)
        ms = ms << 8 | id.bytes[i];
    return ms;
}

static void test_new__is_a_version_7_uuid_of_now(void **state)
{
    (void)state;
    struct timespec now;
    qk_id id = qk_id_new();
    clock_gettime(CLOCK_REALTIME, &now);
    uint64_t ms = (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
    assert_int_equal(id.bytes[6] >> 4, 7);
    assert_int_equal(id.bytes[8] >> 6, 2);
    assert_in_range(milliseconds_of(id), ms - 1000, ms + 1000);
    assert_false(qk_id_is_none(id));
}

static qk_id *all_ids;
static _Atomic uint64_t turn;
static uint64_t *order_before; /* the turn read before, and the one read after, making each id */
static uint64_t *order_after;

static void *make_ids(void *arg)
{
    size_t first = (size_t)(uintptr_t)arg * IDS_PER_THREAD;
    for (size_t i = first; i < first + IDS_PER_THREAD; i++) {
        order_before[i] = atomic_fetch_add(&turn, 1);
        all_ids[i] = qk_id_new();
        order_after[i] = atomic_fetch_add(&turn, 1);
    }
    return NULL;
}

static int by_before(const void *a, const void *b)
{
    uint64_t x = order_before[*(const size_t *)a], y = order_before[*(const size_t *)b];
    return x < y ? -1 : x > y;
}

static int by_id(const void *a, const void *b)
{
    return qk_id_compare(*(const qk_id *)a, *(const qk_id *)b);
}

static void start_and_join(void)
{
    pthread_t threads[THREADS];
    for (uintptr_t i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, make_ids, (void *)i), 0);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
}

/* If one id was finished before the other was begun, on whatever thread, it is the smaller one. */
static void test_new__rises_across_threads_and_never_repeats(void **state)
{
    (void)state;
    const size_t count = (size_t)THREADS * IDS_PER_THREAD;
    all_ids = calloc(count, sizeof(*all_ids));
    order_before = calloc(count, sizeof(*order_before));
    order_after = calloc(count, sizeof(*order_after));
    size_t *sorted = calloc(count, sizeof(*sorted));
    assert_true(all_ids && order_before && order_after && sorted);
    start_and_join();

    /* Walk in the order of beginnings and of ends at once: `largest` is the largest id that had
     * ended before the present one began. */
    for (size_t i = 0; i < count; i++)
        sorted[i] = i;
    qsort(sorted, count, sizeof(*sorted), by_before);
    size_t *at_turn = calloc(2 * count, sizeof(*at_turn)); /* which id ended at a turn, plus 1 */
    assert_non_null(at_turn);
    for (size_t i = 0; i < count; i++)
        at_turn[order_after[i]] = i + 1;
    qk_id largest = { { 0 } };
    uint64_t seen = 0;
    size_t compared = 0;
    for (size_t k = 0; k < count; k++) {
        for (; seen < order_before[sorted[k]]; seen++) {
            if (at_turn[seen] && qk_id_compare(all_ids[at_turn[seen] - 1], largest) > 0)
                largest = all_ids[at_turn[seen] - 1];
        }
        compared += !qk_id_is_none(largest);
        if (qk_id_compare(all_ids[sorted[k]], largest) <= 0)
            fail_msg("an id is not larger than one made before it");
    }
    assert_true(compared > count / 2);

    qsort(all_ids, count, sizeof(*all_ids), by_id);
    for (size_t i = 1; i < count; i++)
        assert_true(qk_id_compare(all_ids[i - 1], all_ids[i]) < 0);
    free(at_turn);
    free(sorted);
    free(all_ids);
    free(order_before);
    free(order_after);
}

static void make_when_told(int go, int fd)
{
    qk_id ids[FORKED_IDS];
    char byte;
    (void)!read(go, &byte, 1); /* returns when the parent closes its end */
    for (int i = 0; i < FORKED_IDS; i++)
        ids[i] = qk_id_new();
    _exit(write(fd, ids, sizeof(ids)) == (ssize_t)sizeof(ids) ? 0 : 1);
}

static void read_all(int fd, void *data, size_t size)
{
    size_t got = 0;
    while (got < size) {
        ssize_t n = read(fd, (char *)data + got, size - got);
        assert_true(n > 0);
        got += (size_t)n;
    }
}

/* All start from the same inherited state in the same moment, so that only their own randomness can
 * keep them apart. */
static void test_new__forked_children_make_their_own(void **state)
{
    (void)state;
    enum { CHILDREN = 8 };
    static qk_id ids[CHILDREN * FORKED_IDS];
    pid_t pids[CHILDREN];
    int go[2], results[CHILDREN][2], status;
    assert_false(qk_id_is_none(qk_id_new())); /* the parent has drawn */
    assert_int_equal(pipe(go), 0);
    for (int child = 0; child < CHILDREN; child++) {
        assert_int_equal(pipe(results[child]), 0);
        pids[child] = fork();
        assert_true(pids[child] >= 0);
        if (pids[child] == 0) {
            close(go[1]);
            make_when_told(go[0], results[child][1]);
        }
        close(results[child][1]);
    }
    close(go[0]);
    close(go[1]);
    for (int child = 0; child < CHILDREN; child++) {
        read_all(results[child][0], ids + (size_t)child * FORKED_IDS, FORKED_IDS * sizeof(qk_id));
        close(results[child][0]);
        assert_int_equal(waitpid(pids[child], &status, 0), pids[child]);
        assert_int_equal(status, 0);
    }
    qsort(ids, sizeof(ids) / sizeof(ids[0]), sizeof(ids[0]), by_id);
    for (size_t i = 1; i < sizeof(ids) / sizeof(ids[0]); i++)
        assert_true(qk_id_compare(ids[i - 1], ids[i]) < 0);
}

static int by_number(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return x < y ? -1 : x > y;
}

/* People name a job by the last six digits of its id. */
static void test_new__the_last_six_digits_tell_jobs_apart(void **state)
{
    (void)state;
    enum { COUNT = 15000 };
    static uint32_t tails[COUNT];
    uint64_t first_ms = 0, last_ms = 0;
    for (int i = 0; i < COUNT; i++) {
        qk_id id = qk_id_new();
        last_ms = milliseconds_of(id);
        if (i % 1000 == 999) { /* spread over many milliseconds, as jobs are */
            struct timespec now;
            do
                clock_gettime(CLOCK_REALTIME_COARSE, &now);
            while ((uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000 <= last_ms);
        }
        if (i == 0)
            first_ms = last_ms;
        tails[i] = (uint32_t)id.bytes[13] << 16 | (uint32_t)id.bytes[14] << 8 | id.bytes[15];
    }
    assert_true(last_ms - first_ms > 10);
    qsort(tails, COUNT, sizeof(tails[0]), by_number);
    for (int i = 1; i < COUNT; i++)
        assert_int_not_equal(tails[i - 1], tails[i]);
}

/* Ids whose counters are equal differ in the four digits before it. */
static void test_new__a_longer_suffix_tells_distant_jobs_apart(void **state)
{
    (void)state;
    enum { ROUNDS = 50 };
    uint32_t middles[ROUNDS];
    qk_id first = qk_id_new();
    for (int i = 0; i < ROUNDS; i++) {
        qk__id_block block;
        qk__id_block_take(&block, (1 << 20) - 1);
        qk_id id = qk_id_new();
        middles[i] = (uint32_t)id.bytes[11] << 12 | (uint32_t)id.bytes[12] << 4 | id.bytes[13] >> 4;
        assert_int_not_equal(qk_id_compare(first, id), 0);
    }
    size_t equal = 0;
    qsort(middles, ROUNDS, sizeof(middles[0]), by_number);
    for (int i = 1; i < ROUNDS; i++)
        equal += middles[i - 1] == middles[i];
    assert_true(equal <= 1); /* 20 bits: two of fifty meet once in a thousand runs */
}

static void test_block__lies_between_the_ids_around_it(void **state)
{
    (void)state;
    qk__id_block block;
    qk_id last = qk_id_new();
    for (int round = 0; round < 3; round++) {
        /* More than the counter of one millisecond holds: it flows over without a repeat. */
        qk__id_block_take(&block, 1500000);
        for (int i = 0; i < 1500000; i++) {
            qk_id id = qk__id_block_next(&block);
            assert_true(qk_id_compare(last, id) < 0);
            last = id;
        }
    }
    qk_id after = qk_id_new();
    assert_true(qk_id_compare(last, after) < 0);
    assert_int_equal(after.bytes[6] >> 4, 7);
    assert_int_equal(after.bytes[8] >> 6, 2);
}

static void test_text__round_trip_and_refusals(void **state)
{
    (void)state;
    char text[QK_ID_TEXT_SIZE];
    qk_id id = qk_id_new(), parsed = { { 0 } };
    assert_ptr_equal(qk_id_format(text, id), text);
    assert_int_equal(strlen(text), 36);
    assert_int_equal(qk_id_parse(&parsed, text), QK_OK);
    assert_int_equal(qk_id_compare(id, parsed), 0);
    assert_int_equal(qk_id_parse(&parsed, "0190163D-8694-739B-AEA5-966C26F8AD91"), QK_OK);
    assert_string_equal(qk_id_format(text, parsed), "0190163d-8694-739b-aea5-966c26f8ad91");

    static const char *const bad[] = {
        "",
        "x",
        "0190163d-8694-739b-aea5-966c26f8ad9",
        "0190163d-8694-739b-aea5-966c26f8ad911",
        "0190163d-8694-739b-aea5-966c26f8ad9g",
        "0190163d8694739baea5966c26f8ad91",
        "0190163d-8694-739b-aea5_966c26f8ad91",
        "{0190163d-8694-739b-aea5-966c26f8ad91}",
        " 0190163d-8694-739b-aea5-966c26f8ad91",
        "0190163-d8694-739b-aea5-966c26f8ad91",
        "0190163d-8694-739b-aea5-",
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_int_equal(qk_id_parse(&parsed, bad[i]), QK_EINVAL);
    assert_int_equal(qk_id_parse(&parsed, NULL), QK_EINVAL);
    assert_string_equal(qk_id_format(text, parsed), "0190163d-8694-739b-aea5-966c26f8ad91");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_new__is_a_version_7_uuid_of_now),
        cmocka_unit_test(test_new__rises_across_threads_and_never_repeats),
        cmocka_unit_test(test_new__forked_children_make_their_own),
        cmocka_unit_test(test_new__the_last_six_digits_tell_jobs_apart),
        cmocka_unit_test(test_new__a_longer_suffix_tells_distant_jobs_apart),
        cmocka_unit_test(test_block__lies_between_the_ids_around_it),
        cmocka_unit_test(test_text__round_trip_and_refusals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
