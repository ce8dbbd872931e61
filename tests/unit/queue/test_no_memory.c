/*
 * Each allocation of a call fails once: the call says QK_ENOMEM, leaks nothing, has changed nothing,
 * and works when it is repeated.
 *
 * Only the thread under test fails; see no_memory.h. Pools and a store's own threads are the business
 * of test_no_memory_worker.c.
 *
 * long file: one short trial per call of the library.
 */
#include <stdlib.h>

#include "no_memory.h"

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

static qk_status try_heartbeat(scene *s, qk_error *err)
{
    return qk_heartbeat(s->queue, &s->claims->items[0].lease, qk_seconds(1), err);
}

static void test_heartbeat__needs_none(void **state)
{
    scene *s = *state;
    qk_error err = QK_ERROR_INIT;
    SKIP_IF_SANITIZED();
    assert_good(qk_enqueue(NULL, s->queue, "k", NULL, NULL, &err));
    s->claims = claim_one(s->queue);
    fail_each(s, try_heartbeat, false, 0);
}

/* One that needs the last one, so that what waits behind it is decided as well. */
static void enqueue_pair(scene *s, qk_id pair[2])
{
    qk_error err = QK_ERROR_INIT;
    qk_job_options options = QK_JOB_OPTIONS_INIT;
    assert_good(qk_enqueue(&pair[0], s->queue, "k", NULL, NULL, &err));
    options.needs = &pair[0];
    options.needs_count = 1;
    assert_good(qk_enqueue(&pair[1], s->queue, "k", NULL, &options, &err));
}

static qk_id pair[2];

static qk_status try_cancel(scene *s, qk_error *err)
{
    return qk_cancel(s->queue, pair[0], err);
}

static void test_cancel__fails_whole(void **state)
{
    scene *s = *state;
    qk_error err = QK_ERROR_INIT;
    qk_job *job = NULL;
    SKIP_IF_SANITIZED();
    enqueue_pair(s, pair);
    fail_each(s, try_cancel, false, 0);
    assert_good(qk_job_get(&job, s->queue, pair[1], &err));
    assert_int_equal(job->status, QK_JOB_SKIPPED);
    qk_job_free(job);
}

static qk_status try_retry(scene *s, qk_error *err)
{
    return qk_retry(s->queue, pair[0], err);
}

/* It ended before: the job is read back from the tables. */
static void test_retry__fails_whole(void **state)
{
    scene *s = *state;
    qk_error err = QK_ERROR_INIT;
    SKIP_IF_SANITIZED();
    enqueue_pair(s, pair);
    assert_good(qk_cancel(s->queue, pair[0], &err));
    uint64_t before = jobs_waiting(s->queue);
    fail_each(s, try_retry, false, 1);
    assert_int_equal(jobs_waiting(s->queue), before + 1);
}

static qk_status try_get(scene *s, qk_error *err)
{
    qk_job *job = NULL;
    qk_status rc = qk_job_get(&job, s->queue, pair[0], err);
    assert_true(rc ? job == NULL : strcmp(job->kind, "k") == 0);
    qk_job_free(job);
    return rc;
}

static void test_get__fails_whole(void **state)
{
    SKIP_IF_SANITIZED();
    enqueue_pair(*state, pair);
    fail_each(*state, try_get, false, 1); /* live */
    pair[0] = ((scene *)*state)->done;
    fail_each(*state, try_get, false, 1); /* in the tables */
}

static qk_status try_wait(scene *s, qk_error *err)
{
    qk_job *job = NULL;
    qk_status rc = qk_wait(&job, s->queue, s->done, qk_seconds(10), err);
    assert_true(rc ? job == NULL : job->status == QK_JOB_DONE);
    qk_job_free(job);
    return rc;
}

static void test_wait__fails_whole(void **state)
{
    SKIP_IF_SANITIZED();
    fail_each(*state, try_wait, false, 1);
}

static qk_status try_pause(scene *s, qk_error *err)
{
    static unsigned round;
    char name[32];
    snprintf(name, sizeof(name), "queue %u", round++);
    qk_status rc = qk_queue_pause(s->queue, name, err);
    return rc ? rc : qk_queue_resume(s->queue, name, err);
}

static void test_pause__fails_whole(void **state)
{
    SKIP_IF_SANITIZED();
    fail_each(*state, try_pause, false, 1);
}

static qk_status try_dead(scene *s, qk_error *err)
{
    qk_job_list *list = NULL;
    qk_status rc = qk_dead_letters(&list, s->queue, NULL, err);
    assert_true(rc ? list == NULL : list->count == 1);
    qk_job_list_free(list);
    return rc;
}

static void test_dead_letters__fail_whole(void **state)
{
    scene *s = *state;
    qk_error err = QK_ERROR_INIT;
    SKIP_IF_SANITIZED();
    assert_good(qk_enqueue(NULL, s->queue, "k", NULL, NULL, &err));
    s->claims = claim_one(s->queue);
    assert_good(qk_fail(s->queue, &s->claims->items[0].lease, "no", true, &err));
    fail_each(s, try_dead, false, 1);
}

static qk_status try_nack(scene *s, qk_error *err)
{
    return qk_nack(s->queue, &s->claims->items[0].lease, qk_us(0), false, err);
}

static void test_nack__fails_whole(void **state)
{
    scene *s = *state;
    qk_error err = QK_ERROR_INIT;
    SKIP_IF_SANITIZED();
    assert_good(qk_enqueue(NULL, s->queue, "k", NULL, NULL, &err));
    s->claims = claim_one(s->queue);
    fail_each(s, try_nack, false, 0);
}

static qk_status try_purge(scene *s, qk_error *err)
{
    size_t count = 0;
    qk_job_filter filter = QK_JOB_FILTER_INIT;
    filter.kind = "k";
    qk_status rc = qk_purge(&count, s->queue, &filter, err);
    assert_int_equal(count, rc ? 0 : 1);
    return rc;
}

static void test_purge__fails_whole(void **state)
{
    SKIP_IF_SANITIZED();
    fail_each(*state, try_purge, false, 1);
}

/* A claim of many, with payloads that are no longer in memory. */
static qk_status try_claim_batch(scene *s, qk_error *err)
{
    qk_claims *claims = NULL;
    qk_claim_options options = QK_CLAIM_OPTIONS_INIT;
    options.max = 40;
    options.strict = true;
    qk_status rc = qk_claim_batch(&claims, s->queue, &options, err);
    if (rc)
        return rc;
    long armed = fail_at;
    fail_at = 0;
    assert_true(claims->count == 40 || (has_failed && claims->count > 0));
    for (size_t i = 0; i < claims->count; i++)
        assert_int_equal(qk_nack(s->queue, &claims->items[i].lease, qk_us(0), true, err), QK_OK);
    fail_at = armed;
    qk_claims_free(claims);
    return rc;
}

static void test_claim_batch__fails_whole(void **state)
{
    scene *s = *state;
    qk_error err = QK_ERROR_INIT;
    static char large[2000];
    qk_job_spec specs[40];
    SKIP_IF_SANITIZED();
    memset(large, '1', sizeof(large) - 1);
    for (size_t i = 0; i < 40; i++)
        specs[i] = (qk_job_spec){ "k", i % 2 ? large : "1", NULL };
    assert_good(qk_enqueue_batch(NULL, s->queue, specs, 40, &err));
    fail_each(s, try_claim_batch, true, 2);
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
        TEST(test_heartbeat__needs_none),
        TEST(test_cancel__fails_whole),
        TEST(test_retry__fails_whole),
        TEST(test_get__fails_whole),
        TEST(test_wait__fails_whole),
        TEST(test_pause__fails_whole),
        TEST(test_dead_letters__fail_whole),
        TEST(test_nack__fails_whole),
        TEST(test_purge__fails_whole),
        TEST(test_claim_batch__fails_whole),
    };
    dl_iterate_phdr(note_foreign, NULL);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
