/*
 * Shows that the reference model follows the table of dependency modes and names the right causes.
 * Covers: tests/sim/model_depend.c.
 */
#include "model_fixture.h"

/* --- modes: how the two parents a and b end, and what becomes of the child ------------------- */

enum end { LIVE, DONE, FAIL, FAIL_ON, CANCEL, CANCEL_ON, SKIP_FAIL, SKIP_COND };
enum fate { WAITS, STARTS, FOR_A, FOR_B, CONDITION };

struct parent {
    enum end end;
    qk_id id;
    qk_id cause; /* the job that fails when it fails or is skipped for a failure */
    const char *kind; /* of the one job that runs to bring it to its end */
};

static bool is_skipping(const struct parent *parent)
{
    return parent->end == SKIP_FAIL || parent->end == SKIP_COND;
}

static void create_parent(struct parent *parent)
{
    if (is_skipping(parent))
        parent->cause = add(SPEC(.kind = parent->kind));
    struct model_spec spec = { .kind = is_skipping(parent) ? "never" : parent->kind };
    spec.continue_on_failure = parent->end == FAIL_ON || parent->end == CANCEL_ON;
    spec.needs = &parent->cause;
    spec.needs_count = is_skipping(parent);
    spec.mode = parent->end == SKIP_COND ? QK_MODE_ONE_FAILED : QK_MODE_ALL;
    parent->id = add(&spec);
    if (!is_skipping(parent))
        parent->cause = parent->id;
}

static void finish_parent(const struct parent *parent)
{
    if (parent->end == LIVE)
        return;
    if (parent->end == CANCEL || parent->end == CANCEL_ON) {
        assert_int_equal(model_cancel(m, parent->id, T(0)), QK_OK);
        return;
    }
    struct model_claimed claimed;
    assert_int_equal(model_claim(m, &claimed,
                                 CLAIM(.kinds = &parent->kind, .kind_count = 1, .worker = "w",
                                       .max = 1, .lease_us = S(30)),
                                 T(0)),
                     1);
    assert_same(claimed.id, parent->cause);
    if (parent->end == DONE || parent->end == SKIP_COND)
        ack(claimed.id);
    else
        fail_for_good(claimed.id);
}

static void assert_fate(qk_id child, enum fate fate, struct parent parents[2])
{
    if (fate == FOR_A || fate == FOR_B)
        assert_reason(child, fate == FOR_A ? &parents[0].cause : &parents[1].cause);
    else if (fate == CONDITION)
        assert_reason(child, NULL);
    else
        assert_status(child, PENDING);
    assert_int_equal(model_is_ready(m, child), fate == STARTS);
    assert_null(model_check(m));
}

/* The child exists before its parents end, a first, or comes when they have. */
static void check_order(bool child_first, qk_dependency_mode mode, enum end a, enum end b,
                        enum fate fate)
{
    setup(NULL);
    struct parent parents[2] = { { .end = a, .kind = "a" }, { .end = b, .kind = "b" } };
    create_parent(&parents[0]);
    create_parent(&parents[1]);
    qk_id child = { { 0 } };
    if (child_first)
        child = add(SPEC(NEEDS(parents[0].id, parents[1].id), .mode = mode));
    finish_parent(&parents[0]);
    finish_parent(&parents[1]);
    if (!child_first)
        child = add(SPEC(NEEDS(parents[0].id, parents[1].id), .mode = mode));
    assert_fate(child, fate, parents);
    model_free(m);
}

static void check_mode(qk_dependency_mode mode, enum end a, enum end b, enum fate fate)
{
    check_order(true, mode, a, b, fate);
    check_order(false, mode, a, b, fate);
}

static void test_mode_all(void **state)
{
    (void)state;
    check_mode(QK_MODE_ALL, DONE, DONE, STARTS);
    check_mode(QK_MODE_ALL, DONE, FAIL_ON, STARTS);
    check_mode(QK_MODE_ALL, DONE, LIVE, WAITS);
    check_mode(QK_MODE_ALL, FAIL, LIVE, FOR_A);
    check_mode(QK_MODE_ALL, CANCEL, LIVE, FOR_A);
    check_mode(QK_MODE_ALL, CANCEL_ON, LIVE, FOR_A);
    check_mode(QK_MODE_ALL, SKIP_FAIL, LIVE, FOR_A);
    check_mode(QK_MODE_ALL, SKIP_COND, LIVE, CONDITION);
    check_mode(QK_MODE_ALL, FAIL, FAIL, FOR_A);
    check_order(true, QK_MODE_ALL, SKIP_COND, FAIL, CONDITION);
    check_order(false, QK_MODE_ALL, SKIP_COND, FAIL, FOR_B);
}

static void test_mode_any(void **state)
{
    (void)state;
    check_mode(QK_MODE_ANY, DONE, LIVE, STARTS);
    check_mode(QK_MODE_ANY, FAIL, DONE, STARTS);
    check_mode(QK_MODE_ANY, FAIL_ON, LIVE, STARTS);
    check_mode(QK_MODE_ANY, FAIL, LIVE, WAITS);
    check_mode(QK_MODE_ANY, FAIL, CANCEL, FOR_A);
    check_mode(QK_MODE_ANY, SKIP_COND, SKIP_FAIL, FOR_B);
    check_mode(QK_MODE_ANY, SKIP_COND, SKIP_COND, CONDITION);
}

static void test_mode_all_done(void **state)
{
    (void)state;
    check_mode(QK_MODE_ALL_DONE, FAIL, LIVE, WAITS);
    check_mode(QK_MODE_ALL_DONE, FAIL, SKIP_COND, STARTS);
    check_mode(QK_MODE_ALL_DONE, CANCEL, SKIP_FAIL, STARTS);
}

static void test_mode_one_failed(void **state)
{
    (void)state;
    check_mode(QK_MODE_ONE_FAILED, FAIL, LIVE, STARTS);
    check_mode(QK_MODE_ONE_FAILED, CANCEL, LIVE, STARTS);
    check_mode(QK_MODE_ONE_FAILED, SKIP_FAIL, LIVE, STARTS);
    check_mode(QK_MODE_ONE_FAILED, SKIP_COND, LIVE, WAITS);
    check_mode(QK_MODE_ONE_FAILED, DONE, LIVE, WAITS);
    check_mode(QK_MODE_ONE_FAILED, DONE, FAIL_ON, CONDITION);
    check_mode(QK_MODE_ONE_FAILED, DONE, SKIP_COND, CONDITION);
}

static void test_mode_none_failed(void **state)
{
    (void)state;
    check_mode(QK_MODE_NONE_FAILED, DONE, SKIP_COND, STARTS);
    check_mode(QK_MODE_NONE_FAILED, DONE, FAIL_ON, STARTS);
    check_mode(QK_MODE_NONE_FAILED, SKIP_COND, LIVE, WAITS);
    check_mode(QK_MODE_NONE_FAILED, FAIL, LIVE, FOR_A);
    check_mode(QK_MODE_NONE_FAILED, CANCEL, LIVE, FOR_A);
    check_mode(QK_MODE_NONE_FAILED, SKIP_FAIL, LIVE, FOR_A);
}

static void test_skip__names_the_root_that_failed_first(void **state)
{
    (void)state;
    qk_id early = add(SPEC(.kind = "a"));
    qk_id later = add(SPEC(.kind = "a"));
    qk_id via = add(SPEC(NEEDS(early)));
    assert_int_equal(model_cancel(m, early, T(0)), QK_OK);
    assert_int_equal(model_cancel(m, later, T(1)), QK_OK);
    qk_id child = add_at(SPEC(NEEDS(later, via)), T(2));
    assert_reason(child, &early);
    assert_false(model_accept_skip_reason(m, child, "condition"));
    const char *second = "parent_failed:019a0000-0000-0000-0000-000000000002";
    assert_false(model_accept_skip_reason(m, child, second));
}

/* The recorded times of two ends are all that tells which was first. */
static void test_skip__roots_of_one_microsecond_are_interchangeable(void **state)
{
    (void)state;
    qk_id early = add(SPEC(.kind = "a"));
    qk_id later = add(SPEC(.kind = "a"));
    assert_int_equal(model_cancel(m, early, T(0)), QK_OK);
    assert_int_equal(model_cancel(m, later, T(0)), QK_OK);
    qk_id child = add_at(SPEC(NEEDS(later, early)), T(2));
    assert_reason(child, &early);
    assert_true(model_accept_skip_reason(m, child,
                                         "parent_failed:019a0000-0000-0000-0000-"
                                         "000000000002"));
    assert_reason(child, &later);
}

static void test_skip__roots_of_one_tick_are_interchangeable(void **state)
{
    (void)state;
    qk_id a = add(SPEC(.max_lost = 1));
    qk_id b = add(SPEC(.max_lost = 1));
    qk_id via = add(SPEC(NEEDS(b)));
    qk_id child = add(SPEC(NEEDS(a, via), .mode = QK_MODE_ANY));
    claim_this(a, T(0));
    claim_this(b, T(0));
    model_tick(m, T(31));
    assert_reason(child, &a);
    const char *other = "parent_failed:019a0000-0000-0000-0000-000000000002";
    assert_false(model_accept_skip_reason(m, via,
                                          "parent_failed:019a0000-0000-0000-0000-"
                                          "000000000001"));
    assert_true(model_accept_skip_reason(m, child, other));
    assert_reason(child, &b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_mode_all),
        cmocka_unit_test(test_mode_any),
        cmocka_unit_test(test_mode_all_done),
        cmocka_unit_test(test_mode_one_failed),
        cmocka_unit_test(test_mode_none_failed),
        TEST(skip__names_the_root_that_failed_first),
        TEST(skip__roots_of_one_microsecond_are_interchangeable),
        TEST(skip__roots_of_one_tick_are_interchangeable),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
