/*
 * Covers src/util/histogram.{h,c}: every value falls in the one bucket whose bounds enclose it, and
 * quantiles are those of the values, up to a quarter.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "util/histogram.h"

static void assert_enclosed(uint64_t value)
{
    size_t bucket = qk__histogram_bucket(value);
    assert_true(bucket < QK_HISTOGRAM_BUCKETS);
    assert_true(value <= qk_histogram_bound(bucket) || bucket == QK_HISTOGRAM_BUCKETS - 1);
    if (bucket > 0)
        assert_true(value > qk_histogram_bound(bucket - 1));
    if (value > 0 && bucket < QK_HISTOGRAM_BUCKETS - 1)
        assert_true((double)qk_histogram_bound(bucket) < 1.25 * (double)value);
}

static void test_bucket__bounds_enclose_every_value(void **state)
{
    (void)state;
    for (uint64_t value = 0; value < 100000; value++)
        assert_enclosed(value);
    for (unsigned bit = 2; bit < 64; bit++) {
        uint64_t power = UINT64_C(1) << bit;
        for (uint64_t near = 0; near < 3; near++) {
            assert_enclosed(power + near);
            assert_enclosed(power - near);
            assert_enclosed(power + power / 2 + near);
        }
    }
    assert_enclosed(UINT64_MAX);
    for (size_t i = 0; i <= 8; i++)
        assert_int_equal(qk_histogram_bound(i), i);
    /* What the text for Prometheus relies on: powers of two are bounds. */
    for (unsigned bit = 0; bit <= 40; bit++) {
        uint64_t power = UINT64_C(1) << bit;
        assert_int_equal(qk_histogram_bound(qk__histogram_bucket(power)), power);
    }
    assert_int_equal(qk_histogram_bound(QK_HISTOGRAM_BUCKETS - 1), UINT64_C(1) << 40);
    assert_int_equal(qk_histogram_bound(QK_HISTOGRAM_BUCKETS), UINT64_MAX);
}

static void test_quantile__is_within_a_quarter(void **state)
{
    (void)state;
    qk_histogram h = { 0 };
    assert_int_equal(qk_histogram_quantile(&h, 0.5), 0);
    assert_int_equal(qk_histogram_quantile(NULL, 0.5), 0);
    for (int64_t i = 1; i <= 1000; i++)
        qk__histogram_add(&h, i);
    assert_int_equal(h.count, 1000);
    assert_int_equal(h.sum, 500500);
    static const double shares[] = { 0.1, 0.5, 0.9, 0.99, 1 };
    for (size_t i = 0; i < sizeof(shares) / sizeof(shares[0]); i++) {
        double value = (double)qk_histogram_quantile(&h, shares[i]);
        assert_true(value >= 1000 * shares[i] && value < 1250 * shares[i]);
    }
    assert_int_equal(qk_histogram_quantile(&h, 0), 1);
    assert_int_equal(qk_histogram_quantile(&h, -1), 1);
    assert_int_equal(qk_histogram_quantile(&h, 7), qk_histogram_quantile(&h, 1));
}

static void test_add__a_clock_set_back_counts_as_nothing(void **state)
{
    (void)state;
    qk_histogram h = { 0 };
    qk__histogram_add(&h, -5);
    qk__histogram_add(&h, INT64_MAX);
    assert_int_equal(h.count, 2);
    assert_int_equal(h.buckets[0], 1);
    assert_int_equal(h.buckets[QK_HISTOGRAM_BUCKETS - 1], 1);
    assert_int_equal(h.sum, INT64_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bucket__bounds_enclose_every_value),
        cmocka_unit_test(test_quantile__is_within_a_quarter),
        cmocka_unit_test(test_add__a_clock_set_back_counts_as_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
