/*
 * Shows that the reference model does what each row of section 2's table says, and its rules on
 * places. Covers: tests/sim/model_claim.c, model_time.c, cancel and retry of model_depend.c.
 */
#include "model_fixture.h"

/* --- section 2's table, row by row ----------------------------------------------------------- */

static void test_enqueue__is_pending_or_delayed_until_its_time(void **state)
{
    (void)state;
    qk_id now = add(SPEC(.kind = "a"));
    qk_id past = add(SPEC(.execute_after_us = EPOCH));
    qk_id later = add(SPEC(.delay_us = S(5)));
    assert_status(now, PENDING);
    assert_status(past, PENDING);
    assert_status(later, DELAYED);
    assert_int_equal(model_next_wake_wall(m), EPOCH + S(5));
    model_tick(m, T(4));
    assert_status(later, DELAYED);
    model_tick(m, T(5));
    assert_status(later, PENDING);
    assert_int_equal(model_next_wake_wall(m), INT64_MAX);
}

static void test_claim__takes_ready_jobs_of_queues_not_paused(void **state)
{
    (void)state;
    struct model_claimed claimed;
    qk_id parent = add(SPEC(.kind = "a"));
    qk_id child = add(SPEC(NEEDS(parent), .priority = 100));
    model_pause(m, NULL);
    assert_false(claim_one(&claimed, T(0)));
    model_resume(m, "default");
    claim_this(parent, T(0));
    assert_status(parent, CLAIMED);
    assert_false(claim_one(&claimed, T(0)));
    ack(parent);
    claim_this(child, T(0));
}

static void test_ack__is_done_with_its_result(void **state)
{
    (void)state;
    qk_id job = add(SPEC(.kind = "a"));
    claim_this(job, T(0));
    ack(job);
    assert_status(job, DONE);
    assert_string_equal(model_get(m, job)->result, "{}");
    assert_string_equal(model_get(m, job)->worker, "");
}

static void test_fail__with_attempts_left_is_delayed_by_backoff(void **state)
{
    (void)state;
    qk_id job = add(SPEC(.max_attempts = 9, .backoff_base_us = S(8), .backoff_cap_us = S(20)));
    const int64_t expected[] = { 8, 16, 20, 20 };
    for (int i = 0; i < 4; i++) {
        claim_this(job, T(100 * i));
        struct model_outcome fail = { .lease = lease_of(job), .verdict = QK_VERDICT_FAIL };
        struct model_now now = T(100 * i + 1);
        assert_int_equal(model_complete(m, &fail, now), QK_OK);
        assert_status(job, DELAYED);
        int64_t d = S(expected[i]);
        assert_non_null(model_check(m));
        assert_false(model_accept_backoff(m, job, now.wall_us + d / 2 - 2, now));
        assert_false(model_accept_backoff(m, job, now.wall_us + d + 2, now));
        assert_true(model_accept_backoff(m, job, now.wall_us + (i % 2 ? d : d / 2), now));
        assert_false(model_accept_backoff(m, job, now.wall_us + d, now));
        model_tick(m, T(100 * i + 50));
        assert_status(job, PENDING);
    }
    assert_int_equal(model_get(m, job)->attempts, 4);
}

static void test_fail__with_base_zero_is_pending_at_its_place(void **state)
{
    (void)state;
    qk_id first = add(SPEC(.max_attempts = 2));
    add(SPEC(.kind = "a"));
    claim_this(first, T(0));
    report(first, QK_VERDICT_FAIL, false);
    assert_status(first, PENDING);
    claim_this(first, T(1));
    report(first, QK_VERDICT_FAIL, false);
    assert_status(first, FAILED);
    assert_int_equal(model_get(m, first)->attempts, 2);
    assert_string_equal(model_get(m, first)->error, "broke");
}

static void test_fail__permanent_fails_at_the_first_attempt(void **state)
{
    (void)state;
    qk_id job = add(SPEC(.max_attempts = 5));
    claim_this(job, T(0));
    fail_for_good(job);
    assert_status(job, FAILED);
    assert_int_equal(model_get(m, job)->attempts, 1);
}

static void test_nack__gives_the_attempt_back(void **state)
{
    (void)state;
    struct model_claimed claimed;
    qk_id job = add(SPEC(.kind = "a"));
    add(SPEC(.kind = "b"));
    claim_this(job, T(0));
    report(job, QK_VERDICT_NACK, false);
    assert_status(job, PENDING);
    assert_int_equal(model_get(m, job)->attempts, 0);
    assert_int_equal(model_position(m, job), 0);
    assert_true(claim_one(&claimed, T(0)));
    assert_same(claimed.id, job);
    assert_int_equal(claimed.attempt, 2);
    assert_int_equal(claimed.attempts, 1);
}

static void test_nack__with_delay_takes_a_new_place_when_due(void **state)
{
    (void)state;
    qk_id job = add(SPEC(.kind = "a"));
    claim_this(job, T(0));
    struct model_outcome nack = { .lease = lease_of(job),
                                  .verdict = QK_VERDICT_NACK,
                                  .delay_us = S(3) };
    assert_int_equal(model_complete(m, &nack, T(1)), QK_OK);
    assert_status(job, DELAYED);
    assert_int_equal(model_position(m, job), -1);
    qk_id other = add(SPEC(.kind = "b"));
    model_tick(m, T(4));
    assert_int_equal(model_position(m, other), 0);
    assert_int_equal(model_position(m, job), 1);
}

static void test_nack__without_requeue_fails(void **state)
{
    (void)state;
    qk_id job = add(SPEC(.kind = "a"));
    claim_this(job, T(0));
    struct model_outcome nack = { .lease = lease_of(job),
                                  .verdict = QK_VERDICT_NACK,
                                  .no_requeue = true };
    assert_int_equal(model_complete(m, &nack, T(1)), QK_OK);
    assert_status(job, FAILED);
    assert_true(model_get(m, job)->error_free);
}

static void test_lease__lost_too_often_fails(void **state)
{
    (void)state;
    qk_id job = add(SPEC(.max_attempts = 1));
    for (int i = 0; i < 3; i++) {
        assert_status(job, PENDING);
        claim_this(job, T(100 * i));
        assert_int_equal(model_next_wake_mono(m), S(100 * i + 30));
        model_tick(m, T(100 * i + 29));
        assert_status(job, CLAIMED);
        model_tick(m, T(100 * i + 30));
    }
    assert_status(job, FAILED);
    assert_string_equal(model_get(m, job)->error, "worker lost 3 times");
    assert_int_equal(model_get(m, job)->attempts, 0);
    assert_int_equal(model_get(m, job)->attempt, 3);
}

static void test_skip__reaches_pending_and_delayed_dependents_transitively(void **state)
{
    (void)state;
    qk_id root = add(SPEC(.kind = "a"));
    qk_id child = add(SPEC(NEEDS(root), .delay_us = S(9)));
    qk_id grandchild = add(SPEC(NEEDS(child)));
    claim_this(root, T(0));
    fail_for_good(root);
    assert_reason(child, &root);
    assert_reason(grandchild, &root);
    qk_id late = add(SPEC(NEEDS(grandchild)));
    assert_reason(late, &root);
}

static void test_cancel__any_but_terminal(void **state)
{
    (void)state;
    qk_id claimed = add(SPEC(.kind = "a"));
    claim_this(claimed, T(0));
    qk_id pending = add(SPEC(.kind = "a"));
    qk_id delayed = add(SPEC(.delay_us = S(1)));
    qk_id child = add(SPEC(NEEDS(pending)));
    struct model_outcome late = { .lease = lease_of(claimed) };
    const qk_id all[] = { claimed, pending, delayed };
    for (int i = 0; i < 3; i++) {
        assert_int_equal(model_cancel(m, all[i], T(1)), QK_OK);
        assert_status(all[i], CANCELLED);
        assert_int_equal(model_cancel(m, all[i], T(1)), QK_ESTATE);
    }
    assert_reason(child, &pending);
    assert_int_equal(model_complete(m, &late, T(1)), QK_ELEASE);
    assert_int_equal(model_heartbeat(m, &late.lease, 0, T(1)), QK_ELEASE);
    assert_int_equal(model_cancel(m, make_id(999), T(1)), QK_ENOTFOUND);
}

static void test_retry__starts_the_budget_again_and_keeps_the_numbers(void **state)
{
    (void)state;
    struct model_claimed claimed;
    qk_id job = add(SPEC(.max_attempts = 1));
    claim_this(job, T(0));
    struct model_outcome old = { .lease = lease_of(job), .verdict = QK_VERDICT_FAIL };
    assert_int_equal(model_retry(m, job, T(1)), QK_ESTATE);
    fail_for_good(job);
    qk_id other = add(SPEC(.kind = "b"));
    assert_int_equal(model_retry(m, job, T(2)), QK_OK);
    assert_status(job, PENDING);
    assert_string_equal(model_get(m, job)->error, "");
    assert_int_equal(model_complete(m, &old, T(2)), QK_OK);
    assert_status(job, PENDING);
    claim_this(other, T(2));
    assert_true(claim_one(&claimed, T(2)));
    assert_int_equal(claimed.attempt, 2);
    assert_int_equal(claimed.attempts, 1);
    ack(job);
    assert_int_equal(model_retry(m, job, T(3)), QK_ESTATE);
    assert_int_equal(model_retry(m, make_id(999), T(3)), QK_ENOTFOUND);
}

static void test_retry__of_a_skipped_job_looks_at_its_parents_again(void **state)
{
    (void)state;
    qk_id parent = add(SPEC(.kind = "a"));
    qk_id child = add(SPEC(NEEDS(parent)));
    assert_int_equal(model_cancel(m, parent, T(1)), QK_OK);
    assert_int_equal(model_retry(m, child, T(2)), QK_ESTATE);
    assert_reason(child, &parent);
    assert_int_equal(model_retry(m, parent, T(2)), QK_OK);
    assert_status(child, SKIPPED);
    assert_int_equal(model_retry(m, child, T(2)), QK_OK);
    assert_status(child, PENDING);
    assert_false(model_is_ready(m, child));
    claim_this(parent, T(2));
    ack(parent);
    assert_true(model_is_ready(m, child));
}

/* --- places ---------------------------------------------------------------------------------- */

static void test_claim__priority_then_place_queue_by_queue(void **state)
{
    (void)state;
    qk_id low = add(SPEC(.queue = "a", .priority = 1));
    qk_id high = add(SPEC(.queue = "a", .priority = 90));
    qk_id high2 = add(SPEC(.queue = "a", .priority = 90));
    qk_id other = add(SPEC(.queue = "b", .priority = 100));
    add(SPEC(.queue = "b", .kind = "unwanted"));
    const char *queues[] = { "a", "b" };
    const char *kinds[] = { "work", "nothing" };
    struct model_claimed out[9];
    size_t count = model_claim(m, out, CLAIM(queues, 2, kinds, 2, "w", 9, 0), T(0));
    assert_int_equal(count, 4);
    assert_same(out[0].id, high);
    assert_same(out[1].id, high2);
    assert_same(out[2].id, low);
    assert_same(out[3].id, other);
    assert_int_equal(model_get(m, low)->deadline_us, S(300));
}

static void test_tick__jobs_due_together_line_up_by_time_then_place(void **state)
{
    (void)state;
    qk_id second = add(SPEC(.delay_us = S(5)));
    qk_id third = add(SPEC(.delay_us = S(5)));
    qk_id first = add(SPEC(.delay_us = S(4)));
    qk_id there = add(SPEC(.kind = "a"));
    model_tick(m, T(9));
    assert_int_equal(model_position(m, there), 0);
    assert_int_equal(model_position(m, first), 1);
    assert_int_equal(model_position(m, second), 2);
    assert_int_equal(model_position(m, third), 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(enqueue__is_pending_or_delayed_until_its_time),
        TEST(claim__takes_ready_jobs_of_queues_not_paused),
        TEST(ack__is_done_with_its_result),
        TEST(fail__with_attempts_left_is_delayed_by_backoff),
        TEST(fail__with_base_zero_is_pending_at_its_place),
        TEST(fail__permanent_fails_at_the_first_attempt),
        TEST(nack__gives_the_attempt_back),
        TEST(nack__with_delay_takes_a_new_place_when_due),
        TEST(nack__without_requeue_fails),
        TEST(lease__lost_too_often_fails),
        TEST(skip__reaches_pending_and_delayed_dependents_transitively),
        TEST(cancel__any_but_terminal),
        TEST(retry__starts_the_budget_again_and_keeps_the_numbers),
        TEST(retry__of_a_skipped_job_looks_at_its_parents_again),
        TEST(claim__priority_then_place_queue_by_queue),
        TEST(tick__jobs_due_together_line_up_by_time_then_place),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
