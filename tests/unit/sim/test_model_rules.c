/*
 * Shows what the reference model takes and refuses: ids, unique keys, batches, backpressure,
 * fencing, leases, a new owner. Covers: tests/sim/model_enqueue.c, model_claim.c, model_time.c.
 */
#include "model_fixture.h"

/* --- enqueue: ids, keys, batches, backpressure ----------------------------------------------- */

static struct model_spec given(int id, const char *kind)
{
    struct model_spec spec = MODEL_SPEC_INIT;
    spec.id = make_id(id);
    spec.id_given = true;
    spec.kind = kind;
    return spec;
}

static void test_enqueue__recognises_ids_in_whatever_state(void **state)
{
    (void)state;
    struct model_enqueued out[2];
    struct model_spec specs[2] = { given(500, "a"), given(500, "a") };
    assert_int_equal(model_enqueue(m, out, NULL, specs, 2, T(0)), QK_OK);
    assert_false(out[0].duplicate);
    assert_true(out[1].duplicate);
    assert_int_equal(model_cancel(m, specs[0].id, T(0)), QK_OK);
    assert_int_equal(model_enqueue(m, out, NULL, specs, 1, T(0)), QK_OK);
    assert_true(out[0].duplicate);
    specs[1].queue = "elsewhere";
    size_t failed = 9;
    assert_int_equal(model_enqueue(m, out, &failed, specs, 2, T(0)), QK_ECONFLICT);
    assert_int_equal(failed, 1);
    specs[0].kind = "b";
    assert_int_equal(model_enqueue(m, out, NULL, specs, 1, T(0)), QK_ECONFLICT);
    assert_int_equal(model_size(m), 1);
}

static void test_enqueue__unique_key_is_held_until_terminal(void **state)
{
    (void)state;
    struct model_enqueued out[2];
    struct model_spec specs[2] = { given(500, "a"), given(501, "b") };
    specs[0].unique_key = specs[1].unique_key = "7";
    assert_int_equal(model_enqueue(m, out, NULL, specs, 2, T(0)), QK_OK);
    assert_true(out[1].duplicate);
    assert_same(out[1].id, specs[0].id);
    assert_int_equal(model_cancel(m, specs[0].id, T(0)), QK_OK);
    assert_int_equal(model_enqueue(m, out, NULL, &specs[1], 1, T(0)), QK_OK);
    assert_false(out[0].duplicate);
    assert_int_equal(model_retry(m, specs[0].id, T(0)), QK_ESTATE);
    assert_status(specs[0].id, CANCELLED);
}

static void test_enqueue__all_or_none(void **state)
{
    (void)state;
    struct model_enqueued out[3];
    struct model_spec specs[3] = { given(500, "a"), given(501, "a"), given(502, "a") };
    specs[1].needs = &specs[0].id;
    specs[1].needs_count = 1;
    assert_int_equal(model_enqueue(m, out, NULL, specs, 2, T(0)), QK_OK);
    qk_id unknown = make_id(999);
    specs[0].id = make_id(503);
    specs[2].needs = &unknown;
    specs[2].needs_count = 1;
    assert_int_equal(model_enqueue(m, out, NULL, specs, 3, T(0)), QK_ENOTFOUND);
    specs[2].priority = 101;
    assert_int_equal(model_enqueue(m, out, NULL, specs, 3, T(0)), QK_EINVAL);
    assert_int_equal(model_size(m), 2);
}

static void test_enqueue__backpressure_counts_pending_and_delayed(void **state)
{
    (void)state;
    model_set_waiting_limit(m, NULL, 2);
    struct model_enqueued out[3];
    struct model_spec specs[3] = { given(500, "a"), given(501, "a"), given(502, "a") };
    specs[0].delay_us = S(5);
    assert_int_equal(model_enqueue(m, out, NULL, specs, 3, T(0)), QK_EBACKPRESSURE);
    assert_int_equal(model_enqueue(m, out, NULL, specs, 2, T(0)), QK_OK);
    assert_int_equal(model_enqueue(m, out, NULL, specs, 3, T(0)), QK_EBACKPRESSURE);
    assert_int_equal(model_enqueue(m, out, NULL, specs, 2, T(0)), QK_OK);
    specs[2].ignore_backpressure = true;
    assert_int_equal(model_enqueue(m, out, NULL, &specs[2], 1, T(0)), QK_OK);
    claim_this(specs[1].id, T(0));
    assert_int_equal(model_count(m, "default", QK_JOB_PENDING), 1);
    assert_int_equal(model_count(m, NULL, QK_JOB_DELAYED), 1);
}

/* --- fencing, leases, crashes ---------------------------------------------------------------- */

static void test_complete__only_the_current_attempt_of_its_worker(void **state)
{
    (void)state;
    qk_id job = add(SPEC(.kind = "a"));
    claim_this(job, T(0));
    struct model_outcome first = { .lease = lease_of(job) };
    struct model_outcome wrong = first;
    wrong.lease.worker = "other";
    assert_int_equal(model_complete(m, &wrong, T(1)), QK_ELEASE);
    model_tick(m, T(30));
    claim_this(job, T(31));
    assert_int_equal(model_complete(m, &first, T(31)), QK_ELEASE);
    struct model_outcome second = { .lease = lease_of(job), .result = "1" };
    assert_int_equal(model_complete(m, &second, T(31)), QK_OK);
    second.result = "2";
    assert_int_equal(model_complete(m, &second, T(31)), QK_OK);
    assert_string_equal(model_get(m, job)->result, "1");
    second.verdict = QK_VERDICT_FAIL;
    assert_int_equal(model_complete(m, &second, T(31)), QK_ELEASE);
    second.lease.job = make_id(999);
    assert_int_equal(model_complete(m, &second, T(31)), QK_ELEASE);
}

static void test_heartbeat__extends_from_now(void **state)
{
    (void)state;
    qk_id job = add(SPEC(.kind = "a"));
    claim_this(job, T(0));
    struct model_lease lease = lease_of(job);
    assert_int_equal(model_heartbeat(m, &lease, 0, T(20)), QK_OK);
    assert_int_equal(model_get(m, job)->deadline_us, S(50));
    assert_int_equal(model_heartbeat(m, &lease, S(5), T(21)), QK_OK);
    model_tick(m, T(26));
    assert_status(job, PENDING);
    assert_int_equal(model_heartbeat(m, &lease, 0, T(26)), QK_ELEASE);
}

static void test_recover__releases_the_dead_owners_claims(void **state)
{
    (void)state;
    struct model_claimed claimed;
    qk_id mine = add(SPEC(.kind = "a"));
    qk_id last = add(SPEC(.max_lost = 1));
    qk_id child = add(SPEC(NEEDS(last)));
    qk_id followers = add(SPEC(.kind = "a"));
    qk_id delayed = add(SPEC(.delay_us = S(1)));
    claim_this(mine, T(0));
    claim_this(last, T(0));
    assert_int_equal(
        model_claim(m, &claimed, CLAIM(.worker = "f", .max = 1, .lease_us = S(9)), T(0)), 1);
    const char *survivors[] = { "f" };
    model_recover(m, survivors, 1, T(100));
    assert_status(mine, PENDING);
    assert_int_equal(model_get(m, mine)->lost, 1);
    assert_status(last, FAILED);
    assert_string_equal(model_get(m, last)->error, "worker lost 1 times");
    assert_reason(child, &last);
    assert_status(followers, CLAIMED);
    assert_int_equal(model_get(m, followers)->deadline_us, S(109));
    assert_status(delayed, DELAYED);
    assert_true(model_get(m, mine)->strict && model_get(m, delayed)->strict);
    assert_false(model_get(m, last)->strict);
}

static void test_clone__shares_nothing(void **state)
{
    (void)state;
    qk_id parent = add(SPEC(.kind = "a"));
    qk_id child = add(SPEC(NEEDS(parent)));
    struct model *durable = model_clone(m);
    claim_this(parent, T(0));
    ack(parent);
    assert_true(model_is_ready(m, child));
    model_free(m);
    m = durable;
    assert_status(parent, PENDING);
    assert_int_equal(model_get(m, parent)->history_count, 0);
    claim_this(parent, T(0));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(enqueue__recognises_ids_in_whatever_state),
        TEST(enqueue__unique_key_is_held_until_terminal),
        TEST(enqueue__all_or_none),
        TEST(enqueue__backpressure_counts_pending_and_delayed),
        TEST(complete__only_the_current_attempt_of_its_worker),
        TEST(heartbeat__extends_from_now),
        TEST(recover__releases_the_dead_owners_claims),
        TEST(clone__shares_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
