/*
 * The pure rules, against the lifecycle and dependency tables of the contract.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "queue/rules.h"

/* Rows: from, columns: to, in the order of qk_job_status; from the table of the lifecycle. */
static const char *const lifecycle[QK_JOB_STATUS_COUNT] = {
    /*             p d c D F S X */
    /* pending   */ "..x..xx",
    /* delayed   */ "x....xx",
    /* claimed   */ "xx.xx.x",
    /* done      */ "x......",
    /* failed    */ "x.x....",
    /* skipped   */ "x......",
    /* cancelled */ "x......",
};

static void test_transition__exactly_those_of_the_lifecycle(void **state)
{
    (void)state;
    for (int from = 0; from < QK_JOB_STATUS_COUNT; from++) {
        for (int to = 0; to < QK_JOB_STATUS_COUNT; to++) {
            bool expected = lifecycle[from][to] == 'x';
            if (qk__rule_transition((qk_job_status)from, (qk_job_status)to) != expected)
                fail_msg("%s -> %s", qk_job_status_name((qk_job_status)from),
                         qk_job_status_name((qk_job_status)to));
        }
    }
}

static void test_transition__unknown_statuses_have_none(void **state)
{
    (void)state;
    const int odd[] = { -1, QK_JOB_STATUS_COUNT, 31, 32, 1000, INT32_MIN };
    for (size_t i = 0; i < sizeof(odd) / sizeof(odd[0]); i++) {
        for (int s = 0; s < QK_JOB_STATUS_COUNT; s++) {
            assert_false(qk__rule_transition((qk_job_status)odd[i], (qk_job_status)s));
            assert_false(qk__rule_transition((qk_job_status)s, (qk_job_status)odd[i]));
        }
    }
}

static void assert_backoff_range(int64_t longest, int64_t base, double factor, int64_t cap,
                                 int32_t failures)
{
    int64_t least = longest / 2;
    uint64_t span = (uint64_t)(longest - least) + 1;
    assert_int_equal(qk__rule_backoff_us(base, factor, cap, failures, 0), least);
    assert_int_equal(qk__rule_backoff_us(base, factor, cap, failures, span - 1), longest);
    uint64_t random = 88172645463325252u; /* xorshift: any sequence will do */
    for (int i = 0; i < 200; i++) {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        int64_t delay = qk__rule_backoff_us(base, factor, cap, failures, random);
        assert_in_range(delay, least, longest);
    }
}

static void test_backoff__doubles_up_to_the_cap(void **state)
{
    (void)state;
    const int64_t second = 1000000, hour = 3600 * second;
    assert_backoff_range(1 * second, second, 2.0, hour, 1);
    assert_backoff_range(2 * second, second, 2.0, hour, 2);
    assert_backoff_range(4 * second, second, 2.0, hour, 3);
    assert_backoff_range(2048 * second, second, 2.0, hour, 12);
    assert_backoff_range(hour, second, 2.0, hour, 13);
    assert_backoff_range(hour, second, 2.0, hour, INT32_MAX);
    assert_backoff_range(3 * second, 2 * second, 1.5, hour, 2);
    assert_backoff_range(7, 7, 1.0, hour, 40);
}

static void test_backoff__jitter_covers_both_ends(void **state)
{
    (void)state;
    bool seen[6] = { false };
    for (uint64_t random = 0; random < 6; random++) {
        int64_t delay = qk__rule_backoff_us(10, 2.0, 100, 1, random);
        assert_in_range(delay, 5, 10);
        seen[delay - 5] = true;
    }
    for (int i = 0; i < 6; i++)
        assert_true(seen[i]);
}

static void test_backoff__odd_numbers_stay_in_bounds(void **state)
{
    (void)state;
    assert_int_equal(qk__rule_backoff_us(0, 2.0, 1000, 5, 7), 0);
    assert_int_equal(qk__rule_backoff_us(-5, 2.0, 1000, 5, 7), 0);
    assert_int_equal(qk__rule_backoff_us(10, 2.0, 0, 5, 7), 0);
    assert_int_equal(qk__rule_backoff_us(10, 2.0, -1, 5, 7), 0);
    assert_backoff_range(10, 10, NAN, 1000, 9);
    assert_backoff_range(10, 10, 0.1, 1000, 9);
    assert_backoff_range(10, 10, -INFINITY, 1000, 9);
    assert_backoff_range(10, 10, INFINITY, 1000, 1); /* infinity to the power of 0 is 1 */
    assert_backoff_range(1000, 10, INFINITY, 1000, 2);
    assert_backoff_range(10, 10, 2.0, 1000, 0);
    assert_backoff_range(10, 10, 2.0, 1000, INT32_MIN);
    assert_backoff_range(5, 10, 2.0, 5, 1); /* a cap below the base wins */
    assert_int_equal(qk__rule_backoff_us(INT64_MAX, 1e300, INT64_MAX, 1000, 0), INT64_MAX / 2);
    assert_true(qk__rule_backoff_us(INT64_MAX, 1e300, INT64_MAX, 1000, UINT64_MAX) > 0);
}

/* The dependency table, written down once more as sentences over the parents one by one. */
typedef enum parent { WAITING, DONE, CONDITIONAL, FAILED } parent;

static qk__readiness expected(qk_dependency_mode mode, const parent *parents, int count)
{
    bool every_done = true, every_terminal = true, every_done_or_conditional = true;
    bool some_done = false, some_failed = false, some_not_met = false;
    for (int i = 0; i < count; i++) {
        every_done &= parents[i] == DONE;
        every_terminal &= parents[i] != WAITING;
        every_done_or_conditional &= parents[i] == DONE || parents[i] == CONDITIONAL;
        some_done |= parents[i] == DONE;
        some_failed |= parents[i] == FAILED;
        some_not_met |= parents[i] == FAILED || parents[i] == CONDITIONAL;
    }
    bool start = false, never = false;
    switch (mode) {
    case QK_MODE_ALL:
        start = every_done;
        never = some_not_met;
        break;
    case QK_MODE_ANY:
        start = some_done;
        never = every_terminal && !some_done;
        break;
    case QK_MODE_ALL_DONE:
        start = every_terminal;
        break;
    case QK_MODE_ONE_FAILED:
        start = some_failed;
        never = every_terminal && !some_failed;
        break;
    case QK_MODE_NONE_FAILED:
        start = every_done_or_conditional;
        never = some_failed;
        break;
    }
    return start ? QK__READY_START : never ? QK__READY_NEVER : QK__READY_WAIT;
}

static void check_all_of(int count)
{
    parent parents[5];
    int combinations = 1;
    for (int i = 0; i < count; i++)
        combinations *= 4;
    for (int mode = QK_MODE_ALL; mode <= QK_MODE_NONE_FAILED; mode++) {
        for (int code = 0; code < combinations; code++) {
            qk__parents sums = { (uint32_t)count, 0, 0, 0 };
            for (int i = 0, rest = code; i < count; i++, rest /= 4) {
                parents[i] = (parent)(rest % 4);
                sums.done += parents[i] == DONE;
                sums.conditional += parents[i] == CONDITIONAL;
                sums.failed += parents[i] == FAILED;
            }
            qk__readiness want = expected((qk_dependency_mode)mode, parents, count);
            if (qk__rule_readiness((qk_dependency_mode)mode, sums) != want)
                fail_msg("mode %s, parents %d/%u/%u/%u", qk_dependency_mode_name(mode), count,
                         sums.done, sums.conditional, sums.failed);
        }
    }
}

static void test_readiness__every_mode_with_up_to_five_parents(void **state)
{
    (void)state;
    for (int count = 1; count <= 5; count++)
        check_all_of(count);
}

static void test_readiness__without_parents_every_mode_starts(void **state)
{
    (void)state;
    qk__parents none = { 0, 0, 0, 0 };
    for (int mode = QK_MODE_ALL; mode <= QK_MODE_NONE_FAILED; mode++)
        assert_int_equal(qk__rule_readiness((qk_dependency_mode)mode, none), QK__READY_START);
}

static void test_readiness__once_decided_stays_decided(void **state)
{
    (void)state;
    /* Ending one more parent never changes START or NEVER into something else. */
    for (int mode = QK_MODE_ALL; mode <= QK_MODE_NONE_FAILED; mode++) {
        for (uint32_t d = 0; d < 4; d++) {
            for (uint32_t c = 0; c < 4 - d; c++) {
                for (uint32_t f = 0; f < 4 - d - c; f++) {
                    qk__parents now = { 4, d, c, f };
                    qk__readiness before = qk__rule_readiness((qk_dependency_mode)mode, now);
                    if (before == QK__READY_WAIT)
                        continue;
                    qk__parents next[3] = { now, now, now };
                    next[0].done++;
                    next[1].conditional++;
                    next[2].failed++;
                    for (int i = 0; i < 3; i++) {
                        /* `any` and `one_failed` start at the first of their kind: a start that was
                         * not taken yet may not be undone either. */
                        assert_int_equal(qk__rule_readiness((qk_dependency_mode)mode, next[i]),
                                         before);
                    }
                }
            }
        }
    }
}

static void test_names__round_trip_and_refuse_the_rest(void **state)
{
    (void)state;
    qk_job_status status = QK_JOB_DONE;
    qk_dependency_mode mode = QK_MODE_ANY;
    for (int i = 0; i < QK_JOB_STATUS_COUNT; i++) {
        assert_int_equal(qk_job_status_parse(&status, qk_job_status_name((qk_job_status)i)), QK_OK);
        assert_int_equal(status, i);
        assert_int_equal(qk_job_status_is_terminal((qk_job_status)i), i >= QK_JOB_DONE);
    }
    for (int i = 0; i <= QK_MODE_NONE_FAILED; i++) {
        assert_int_equal(qk_dependency_mode_parse(&mode, qk_dependency_mode_name(i)), QK_OK);
        assert_int_equal(mode, i);
    }
    assert_null(qk_job_status_name((qk_job_status)7));
    assert_null(qk_job_status_name((qk_job_status)-1));
    assert_null(qk_dependency_mode_name((qk_dependency_mode)5));
    assert_int_equal(qk_job_status_parse(&status, "Done"), QK_EINVAL);
    assert_int_equal(qk_job_status_parse(&status, ""), QK_EINVAL);
    assert_int_equal(qk_job_status_parse(&status, NULL), QK_EINVAL);
    assert_int_equal(qk_dependency_mode_parse(&mode, "none"), QK_EINVAL);
    assert_int_equal(mode, QK_MODE_NONE_FAILED);
    assert_string_equal(qk_job_status_name(QK_JOB_CANCELLED), "cancelled");
    assert_string_equal(qk_dependency_mode_name(QK_MODE_ALL_DONE), "all_done");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_transition__exactly_those_of_the_lifecycle),
        cmocka_unit_test(test_transition__unknown_statuses_have_none),
        cmocka_unit_test(test_backoff__doubles_up_to_the_cap),
        cmocka_unit_test(test_backoff__jitter_covers_both_ends),
        cmocka_unit_test(test_backoff__odd_numbers_stay_in_bounds),
        cmocka_unit_test(test_readiness__every_mode_with_up_to_five_parents),
        cmocka_unit_test(test_readiness__without_parents_every_mode_starts),
        cmocka_unit_test(test_readiness__once_decided_stays_decided),
        cmocka_unit_test(test_names__round_trip_and_refuse_the_rest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
