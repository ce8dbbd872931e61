/*
 * Settings of queues: the limit on how many jobs of a queue run at a time.
 */
#include <string.h>

#include "suite.h"

static void limit(suite *s, const char *queue, uint32_t concurrency)
{
    good(s, qk_queue_limit(s->queue, queue, concurrency, &s->err));
}

/* Claims up to 10 of the queue. */
static qk_claims *claim_many(suite *s, const char *queue)
{
    qk_claims *claims = NULL;
    qk_claim_options options = QK_CLAIM_OPTIONS_INIT;
    options.queues = &queue;
    options.queue_count = 1;
    options.max = 10;
    qk_status rc = qk_claim_batch(&claims, s->queue, &options, &s->err);
    if (rc != QK_EMPTY)
        assert_int_equal(rc, QK_OK);
    return claims;
}

static size_t count_and_free(qk_claims *claims)
{
    size_t count = claims ? claims->count : 0;
    qk_claims_free(claims);
    return count;
}

static void fill(suite *s, const char *queue, int count)
{
    for (int i = 0; i < count; i++)
        (void)suite_enqueue_in(s, queue);
}

static void test_limit__no_more_are_claimed_than_it_allows(suite *s)
{
    fill(s, "small", 5);
    fill(s, "other", 5);
    limit(s, "small", 2);
    qk_claims *claims = claim_many(s, "small");
    assert_non_null(claims);
    assert_int_equal(claims->count, 2);
    assert_int_equal(count_and_free(claim_many(s, "small")), 0);
    assert_int_equal(count_and_free(claim_many(s, "other")), 5);
    good(s, qk_ack(s->queue, &claims->items[0].lease, NULL, &s->err));
    assert_int_equal(count_and_free(claim_many(s, "small")), 1);
    good(s, qk_nack(s->queue, &claims->items[1].lease, qk_us(0), true, &s->err));
    assert_int_equal(count_and_free(claim_many(s, "small")), 1);
    qk_claims_free(claims);
}

static void test_limit__raised_lowered_and_taken_away(suite *s)
{
    fill(s, "small", 9);
    limit(s, "small", 1);
    assert_int_equal(count_and_free(claim_many(s, "small")), 1);
    limit(s, "small", 3);
    assert_int_equal(count_and_free(claim_many(s, "small")), 2);
    limit(s, "small", 2); /* what runs goes on */
    assert_int_equal(suite_count(s, "small", QK_JOB_CLAIMED), 3);
    assert_int_equal(count_and_free(claim_many(s, "small")), 0);
    limit(s, "small", 0);
    assert_int_equal(count_and_free(claim_many(s, "small")), 6);
}

static void test_limit__a_lost_lease_makes_room(suite *s)
{
    fill(s, "small", 2);
    limit(s, "small", 1);
    assert_int_equal(count_and_free(claim_many(s, "small")), 1);
    suite_advance(s, 301LL * 1000000);
    assert_int_equal(count_and_free(claim_many(s, "small")), 1);
}

static void test_limit__outlives_the_handle_and_is_shown(suite *s)
{
    static const char shown[] = "SELECT concurrency FROM queues WHERE name = 'small'";
    fill(s, "small", 3);
    limit(s, "small", 7);
    limit(s, "small", 2);
    good(s, qk_queue_pause(s->queue, "small", &s->err));
    assert_int_equal(suite_sql_number(s, shown), 2);
    for (int i = 0; i < 3 && suite_reopen(s); i++) {
        assert_int_equal(suite_sql_number(s, shown), 2);
        assert_null(claim_many(s, "small"));
    }
    good(s, qk_queue_resume(s->queue, "small", &s->err));
    assert_int_equal(count_and_free(claim_many(s, "small")), 2);
    limit(s, "small", 0);
    (void)suite_reopen(s);
    assert_int_equal(suite_sql_number(s, "SELECT count(*) FROM queues WHERE name = 'small' AND "
                                         "concurrency IS NULL"),
                     1);
}

static void test_limit__of_a_queue_that_has_no_jobs_yet(suite *s)
{
    limit(s, "new", 1);
    (void)suite_reopen(s);
    fill(s, "new", 2);
    assert_int_equal(count_and_free(claim_many(s, "new")), 1);
    refused(s, QK_EINVAL, qk_queue_limit(s->queue, "", 1, &s->err));
}

static const suite_test tests[] = {
    SUITE_TEST(test_limit__no_more_are_claimed_than_it_allows),
    SUITE_TEST(test_limit__raised_lowered_and_taken_away),
    SUITE_TEST(test_limit__a_lost_lease_makes_room),
    SUITE_TEST(test_limit__outlives_the_handle_and_is_shown),
    SUITE_TEST(test_limit__of_a_queue_that_has_no_jobs_yet),
};
SUITE_MAIN("conformance: queues", tests)
