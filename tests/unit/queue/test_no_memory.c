/*
 * Each allocation of a call fails once: the call says QK_ENOMEM, leaks nothing, has changed nothing,
 * and works when it is repeated.
 *
 * This program's own malloc, calloc and realloc stand before libc's. Only the thread under test
 * fails, and only allocations that our code asks for, directly or through libc and jansson: DuckDB
 * has other ways to run out of memory. Under a sanitizer, which brings its own malloc, it skips.
 */
#include <errno.h>
#include <link.h>
#include <stdlib.h>

#include "handle_support.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define CAN_FAIL 0
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define CAN_FAIL 0
#endif
#endif
#ifndef CAN_FAIL
#define CAN_FAIL 1
#endif

/* The n-th allocation from now fails; 0: none. */
static _Thread_local long fail_at;
static _Thread_local bool has_failed;

typedef struct range {
    uintptr_t start, end;
} range;

static range foreign[16]; /* code whose allocations do not fail */
static size_t foreign_count;

static int note_foreign(struct dl_phdr_info *info, size_t size, void *user)
{
    (void)size;
    (void)user;
    if (!strstr(info->dlpi_name, "duckdb") && !strstr(info->dlpi_name, "stdc++"))
        return 0;
    for (int i = 0; i < info->dlpi_phnum && foreign_count < 16; i++) {
        if (info->dlpi_phdr[i].p_type != PT_LOAD)
            continue;
        uintptr_t start = info->dlpi_addr + info->dlpi_phdr[i].p_vaddr;
        foreign[foreign_count++] = (range){ start, start + info->dlpi_phdr[i].p_memsz };
    }
    return 0;
}

#if CAN_FAIL
extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t count, size_t size);
extern void *__libc_realloc(void *old, size_t size);

static bool must_fail(const void *caller)
{
    if (fail_at == 0)
        return false;
    for (size_t i = 0; i < foreign_count; i++) {
        if ((uintptr_t)caller >= foreign[i].start && (uintptr_t)caller < foreign[i].end)
            return false;
    }
    if (--fail_at > 0)
        return false;
    has_failed = true;
    errno = ENOMEM;
    return true;
}

void *malloc(size_t size)
{
    return must_fail(__builtin_return_address(0)) ? NULL : __libc_malloc(size);
}

void *calloc(size_t count, size_t size)
{
    return must_fail(__builtin_return_address(0)) ? NULL : __libc_calloc(count, size);
}

void *realloc(void *old, size_t size)
{
    return must_fail(__builtin_return_address(0)) ? NULL : __libc_realloc(old, size);
}
#endif

typedef struct scene {
    qk_queue *queue;
    qk_claims *claims; /* held while a call is tried */
    qk_id done; /* a job that left a result */
} scene;

/* One call; frees what it handed out. */
typedef qk_status (*trial)(scene *scene, qk_error *err);

static uint64_t jobs_waiting(qk_queue *queue)
{
    qk_error err = QK_ERROR_INIT;
    qk_stats *stats = NULL;
    uint64_t count = 0;
    assert_good(qk_stats_get(&stats, queue, &err));
    for (size_t i = 0; i < stats->count; i++)
        count += stats->queues[i].counts[QK_JOB_PENDING] + stats->queues[i].counts[QK_JOB_DELAYED];
    qk_stats_free(stats);
    return count;
}

/* Fails the first allocation, then the second, until the call needs no more of them. A call may
 * get along without one (`tolerant`), but never claim memory was short when it was not. */
static void fail_each(scene *scene, trial try, bool tolerant, long at_least)
{
    uint64_t before = scene->queue ? jobs_waiting(scene->queue) : 0;
    for (long n = 1;; n++) {
        qk_error err = QK_ERROR_INIT;
        if (n > 10000)
            fail_msg("there is no end of allocations");
        has_failed = false;
        fail_at = n;
        qk_status rc = try(scene, &err);
        fail_at = 0;
        if (!has_failed) {
            if (rc != QK_OK)
                fail_msg("after %ld allocations: %s", n - 1, err.message);
            assert_true(n - 1 >= at_least);
            return;
        }
        if (rc != QK_ENOMEM && !(tolerant && rc == QK_OK))
            fail_msg("allocation %ld: code %d, %s", n, (int)rc, err.message);
        if (rc == QK_OK) {
            before = scene->queue ? jobs_waiting(scene->queue) : 0;
            continue;
        }
        assert_int_equal(err.code, QK_ENOMEM);
        assert_true(err.message[0] != '\0');
        if (scene->queue)
            assert_int_equal(jobs_waiting(scene->queue), before);
    }
}

static qk_claims *claim_one(qk_queue *queue)
{
    qk_error err = QK_ERROR_INIT;
    qk_claims *claims = NULL;
    assert_good(qk_claim(&claims, queue, NULL, &err));
    return claims;
}

static int setup(void **state)
{
    qk_error err = QK_ERROR_INIT;
    scene *s = calloc(1, sizeof(*s));
    if (!s)
        return -1;
    s->queue = open_or_fail(":memory:", NULL);
    assert_good(qk_enqueue(&s->done, s->queue, "k", NULL, NULL, &err));
    qk_claims *claims = claim_one(s->queue);
    assert_good(qk_ack(s->queue, &claims->items[0].lease, "[1,2,3]", &err));
    qk_claims_free(claims);
    *state = s;
    return 0;
}

static int teardown(void **state)
{
    scene *s = *state;
    qk_claims_free(s->claims);
    qk_queue_close(s->queue);
    free(s);
    return 0;
}

#define SKIP_IF_SANITIZED()                                                                        \
    do {                                                                                           \
        if (!CAN_FAIL)                                                                             \
            skip();                                                                                \
    } while (0)

static qk_status try_open(scene *s, qk_error *err)
{
    (void)s;
    qk_queue *queue = NULL;
    qk_queue_options options = QK_QUEUE_OPTIONS_INIT;
    options.workers_num = 2; /* migrates: a file is made too */
    qk_status rc = qk_queue_open(&queue, ":memory:", &options, err);
    if (rc)
        assert_null(queue);
    qk_queue_close(queue);
    return rc;
}

static void test_open__fails_whole(void **state)
{
    (void)state;
    SKIP_IF_SANITIZED();
    scene none = { 0 };
    fail_each(&none, try_open, true, 5);
}

static qk_status try_enqueue(scene *s, qk_error *err)
{
    const char *tags[] = { "a", "b" };
    qk_id needs[] = { s->done, s->done };
    qk_job_options options = QK_JOB_OPTIONS_INIT;
    options.tags = tags;
    options.tag_count = 2;
    options.needs = needs;
    options.needs_count = 2;
    options.name = "n";
    static unsigned round;
    char key[16];
    snprintf(key, sizeof(key), "key %u", round++);
    options.unique_key = key;
    return qk_enqueue(NULL, s->queue, "command", "{\"argv\":[\"true\"],\"env\":{\"A\":\"b\"}}",
                      &options, err);
}

static void test_enqueue__fails_whole(void **state)
{
    SKIP_IF_SANITIZED();
    fail_each(*state, try_enqueue, true, 5);
}

static qk_status try_batch(scene *s, qk_error *err)
{
    static char large[2000];
    memset(large, ' ', sizeof(large) - 2);
    large[sizeof(large) - 2] = '1';
    qk_job_options elsewhere = QK_JOB_OPTIONS_INIT;
    elsewhere.queue = "elsewhere";
    const qk_job_spec specs[] = { { "a", "1", NULL },
                                  { "b", large, NULL },
                                  { "c", "3", &elsewhere } };
    return qk_enqueue_batch(NULL, s->queue, specs, 3, err);
}

static void test_batch__fails_whole(void **state)
{
    SKIP_IF_SANITIZED();
    fail_each(*state, try_batch, false, 2);
}

/* A claim that ran out of memory must leave the job to be claimed: the trial gives it back. */
static qk_status try_claim(scene *s, qk_error *err)
{
    qk_claims *claims = NULL;
    qk_status rc = qk_claim(&claims, s->queue, NULL, err);
    if (rc) {
        assert_null(claims);
        return rc;
    }
    long armed = fail_at;
    fail_at = 0;
    assert_int_equal(qk_nack(s->queue, &claims->items[0].lease, qk_us(0), true, err), QK_OK);
    fail_at = armed;
    qk_claims_free(claims);
    return rc;
}

static void test_claim__fails_whole(void **state)
{
    scene *s = *state;
    qk_error err = QK_ERROR_INIT;
    SKIP_IF_SANITIZED();
    assert_good(qk_enqueue(NULL, s->queue, "k", "{\"a\":1}", NULL, &err));
    fail_each(s, try_claim, false, 1);
}

static qk_status try_fail(scene *s, qk_error *err)
{
    return qk_fail(s->queue, &s->claims->items[0].lease, "not \xff UTF-8", true, err);
}

static void test_fail__fails_whole(void **state)
{
    scene *s = *state;
    qk_error err = QK_ERROR_INIT;
    SKIP_IF_SANITIZED();
    assert_good(qk_enqueue(NULL, s->queue, "k", NULL, NULL, &err));
    s->claims = claim_one(s->queue);
    fail_each(s, try_fail, false, 1);
}

static qk_status try_ack(scene *s, qk_error *err)
{
    qk_outcome outcome;
    memset(&outcome, 0, sizeof(outcome));
    outcome.lease = s->claims->items[0].lease;
    outcome.result = "{\"a\":[1,2,3]}";
    outcome.log_tail = "bad \xff";
    return qk_complete_batch(s->queue, NULL, &outcome, 1, err);
}

static void test_ack__fails_whole(void **state)
{
    scene *s = *state;
    qk_error err = QK_ERROR_INIT;
    SKIP_IF_SANITIZED();
    assert_good(qk_enqueue(NULL, s->queue, "k", NULL, NULL, &err));
    s->claims = claim_one(s->queue);
    fail_each(s, try_ack, false, 5);
}

static qk_status try_progress(scene *s, qk_error *err)
{
    return qk_progress(s->queue, &s->claims->items[0].lease, 0.5, "bad \xff", err);
}

static void test_progress__fails_whole(void **state)
{
    scene *s = *state;
    qk_error err = QK_ERROR_INIT;
    SKIP_IF_SANITIZED();
    assert_good(qk_enqueue(NULL, s->queue, "k", NULL, NULL, &err));
    s->claims = claim_one(s->queue);
    fail_each(s, try_progress, false, 1);
}

static qk_status try_result(scene *s, qk_error *err)
{
    char *text = NULL;
    qk_status rc = qk_result(&text, s->queue, s->done, err);
    assert_true(rc ? text == NULL : strcmp(text, "[1,2,3]") == 0);
    free(text);
    return rc;
}

static void test_result__fails_whole(void **state)
{
    SKIP_IF_SANITIZED();
    fail_each(*state, try_result, false, 2);
}

static qk_status try_list(scene *s, qk_error *err)
{
    qk_job_list *list = NULL;
    qk_status rc = qk_job_list_get(&list, s->queue, NULL, err);
    assert_true(rc ? list == NULL : list->count == 1);
    qk_job_list_free(list);
    return rc;
}

static void test_list__fails_whole(void **state)
{
    SKIP_IF_SANITIZED();
    fail_each(*state, try_list, false, 1);
}

static qk_status try_stats(scene *s, qk_error *err)
{
    qk_stats *stats = NULL;
    qk_status rc = qk_stats_get(&stats, s->queue, err);
    assert_true(rc ? stats == NULL : stats->count >= 1);
    qk_stats_free(stats);
    return rc;
}

static void test_stats__fails_whole(void **state)
{
    SKIP_IF_SANITIZED();
    fail_each(*state, try_stats, false, 1);
}

static qk_status try_rows(scene *s, qk_error *err)
{
    qk_rows *rows = NULL;
    qk_status rc = qk_rows_open(&rows, s->queue, "SELECT kind, result FROM jobs", qk_us(0), err);
    if (rc == QK_OK)
        rc = qk_rows_next(rows, err);
    if (rc == QK_OK)
        assert_string_equal(qk_rows_text(rows, 1), "[1,2,3]");
    qk_rows_close(rows);
    return rc;
}

static void test_rows__fail_whole(void **state)
{
    SKIP_IF_SANITIZED();
    fail_each(*state, try_rows, false, 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_open__fails_whole),
        TEST(test_enqueue__fails_whole),
        TEST(test_batch__fails_whole),
        TEST(test_claim__fails_whole),
        TEST(test_fail__fails_whole),
        TEST(test_ack__fails_whole),
        TEST(test_progress__fails_whole),
        TEST(test_result__fails_whole),
        TEST(test_list__fails_whole),
        TEST(test_stats__fails_whole),
        TEST(test_rows__fail_whole),
    };
    dl_iterate_phdr(note_foreign, NULL);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
