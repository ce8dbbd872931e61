/*
 * Covers src/queue/metrics.c and what the embedded store counts: each transition once, in the bucket
 * of its time, on a clock that the test moves. The text for Prometheus is judged by a strict parser
 * in tests/cli/test_metrics.sh.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <locale.h>
#include <stdlib.h>
#include <string.h>

#include <queuack/queuack.h>

#define GOOD(call)                                                                                 \
    do {                                                                                           \
        qk_error err = QK_ERROR_INIT;                                                              \
        if ((call) != QK_OK)                                                                       \
            fail_msg("%s: %s", #call, err.message);                                                \
    } while (0)

static _Atomic int64_t clock_us;

static qk_time wall(void *user)
{
    (void)user;
    return (qk_time){ 1700000000000000 + clock_us };
}

static int64_t monotonic(void *user)
{
    (void)user;
    return clock_us;
}

static int set_up(void **state)
{
    static const qk_clock clock = { wall, monotonic, NULL };
    qk_queue *queue = NULL;
    qk_queue_options options = QK_QUEUE_OPTIONS_INIT;
    clock_us = 1000000;
    options.clock = &clock;
    options.backpressure_warn = 4;
    GOOD(qk_queue_open(&queue, ":memory:", &options, &err));
    *state = queue;
    return 0;
}

static int tear_down(void **state)
{
    qk_queue_close(*state);
    return 0;
}

static qk_metrics *metrics_of(qk_queue *queue)
{
    qk_metrics *metrics = NULL;
    GOOD(qk_metrics_get(&metrics, queue, &err));
    return metrics;
}

static qk_claims *claim(qk_queue *queue)
{
    qk_claims *claims = NULL;
    GOOD(qk_claim(&claims, queue, NULL, &err));
    return claims;
}

/* All of it is in one bucket: the one of this value. */
static void assert_only(const qk_histogram *h, uint64_t count, uint64_t value)
{
    assert_int_equal(h->count, count);
    assert_int_equal(h->sum, count * value);
    for (size_t i = 0; i < QK_HISTOGRAM_BUCKETS; i++) {
        bool here = value <= qk_histogram_bound(i) && (i == 0 || value > qk_histogram_bound(i - 1));
        assert_int_equal(h->buckets[i], here ? count : 0);
    }
}

static void test_times__waiting_until_the_first_claim_run_until_the_report(void **state)
{
    qk_queue *queue = *state;
    qk_job_options options = QK_JOB_OPTIONS_INIT;
    options.backoff.base = qk_us(0);
    GOOD(qk_enqueue(NULL, queue, "k", NULL, &options, &err));
    clock_us += 700;
    qk_claims *claims = claim(queue);
    clock_us += 3000;
    GOOD(qk_fail(queue, &claims->items[0].lease, "no", false, &err));
    qk_claims_free(claims);
    qk_metrics *m = metrics_of(queue);
    assert_only(&m->waiting_us, 1, 700);
    assert_only(&m->run_us, 1, 3000);
    qk_metrics_free(m);

    clock_us += 50000; /* the second attempt's wait is the back-off's doing */
    claims = claim(queue);
    clock_us += 3000;
    GOOD(qk_ack(queue, &claims->items[0].lease, NULL, &err));
    GOOD(qk_ack(queue, &claims->items[0].lease, NULL, &err)); /* a repeat counts nothing */
    qk_claims_free(claims);
    m = metrics_of(queue);
    assert_only(&m->waiting_us, 1, 700);
    assert_only(&m->run_us, 2, 3000);
    assert_int_equal(m->counters.claimed, 2);
    assert_int_equal(m->counters.retried, 1);
    assert_int_equal(m->counters.done, 1);
    qk_metrics_free(m);
}

static void test_waiting__of_a_delayed_job_begins_when_it_is_due(void **state)
{
    qk_queue *queue = *state;
    qk_job_options options = QK_JOB_OPTIONS_INIT;
    options.delay = qk_seconds(60);
    GOOD(qk_enqueue(NULL, queue, "k", NULL, &options, &err));
    clock_us += 60000000 + 20;
    qk_claims *claims = claim(queue);
    GOOD(qk_nack(queue, &claims->items[0].lease, qk_us(0), true, &err));
    qk_claims_free(claims);
    qk_metrics *m = metrics_of(queue);
    assert_only(&m->waiting_us, 1, 20);
    assert_int_equal(m->run_us.count, 0); /* given back: it did not run */
    qk_metrics_free(m);
}

static void test_counters__commits_losses_warnings_refusals(void **state)
{
    qk_queue *queue = *state;
    qk_rows *rows = NULL;
    qk_claim_options lease = QK_CLAIM_OPTIONS_INIT;
    qk_claims *claims = NULL;
    qk_error ignored = QK_ERROR_INIT;
    for (int i = 0; i < 5; i++)
        GOOD(qk_enqueue(NULL, queue, "k", NULL, NULL, &err));
    lease.lease = qk_seconds(1);
    GOOD(qk_claim(&claims, queue, &lease, &err));
    clock_us += 2000000;
    assert_int_equal(qk_ack(queue, &claims->items[0].lease, NULL, &ignored), QK_ELEASE);
    qk_claims_free(claims);
    assert_int_equal(qk_rows_open(&rows, queue, "DROP TABLE jobs", qk_us(0), &ignored),
                     QK_EREFUSED);
    qk_metrics *m = metrics_of(queue);
    assert_int_equal(m->counters.enqueued, 5);
    assert_int_equal(m->counters.lost, 1);
    assert_int_equal(m->counters.backpressure_warnings, 1);
    assert_int_equal(m->counters.sql_refused, 1);
    assert_int_equal(m->counters.auto_migrations, 0);
    assert_true(m->counters.commits >= 5);
    assert_int_equal(m->commit_us.count, m->counters.commits);
    assert_int_equal(m->commit_rows.count, m->counters.commits);
    assert_int_equal(m->commit_rows.sum, m->counters.commit_rows);
    qk_counters counters;
    qk_counters_get(&counters, queue);
    assert_memory_equal(&counters, &m->counters, sizeof(counters));
    qk_metrics_free(m);
}

static void test_text__does_not_follow_the_locale(void **state)
{
    qk_queue *queue = *state;
    char *text = NULL;
    size_t length = 0;
    GOOD(qk_enqueue(NULL, queue, "k", NULL, NULL, &err));
    clock_us += 1500000;
    qk_claims_free(claim(queue));
    (void)setlocale(LC_ALL, "de_DE.UTF-8"); /* has an effect where it is installed */
    GOOD(qk_metrics_text(&text, &length, queue, &err));
    (void)setlocale(LC_ALL, "C");
    assert_int_equal(strlen(text), length);
    assert_non_null(strstr(text, "\nqueuack_job_waiting_seconds_sum 1.500000\n"));
    assert_non_null(strstr(text, "\nqueuack_job_waiting_seconds_bucket{le=\"1.048576\"} 0\n"));
    assert_non_null(strstr(text, "\nqueuack_job_waiting_seconds_bucket{le=\"4.194304\"} 1\n"));
    assert_non_null(strstr(text, "\nqueuack_jobs{queue=\"default\",status=\"claimed\"} 1\n"));
    free(text);
}

static void test_calls__refuse_what_cannot_be(void **state)
{
    qk_error err = QK_ERROR_INIT;
    qk_metrics *m = NULL;
    char *text = NULL;
    assert_int_equal(qk_metrics_get(NULL, *state, &err), QK_EINVAL);
    assert_int_equal(qk_metrics_get(&m, NULL, &err), QK_EINVAL);
    assert_null(m);
    assert_int_equal(qk_metrics_text(NULL, NULL, *state, &err), QK_EINVAL);
    assert_int_equal(qk_metrics_text(&text, NULL, NULL, &err), QK_EINVAL);
    assert_null(text);
    qk_metrics_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(
            test_times__waiting_until_the_first_claim_run_until_the_report, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_waiting__of_a_delayed_job_begins_when_it_is_due,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_counters__commits_losses_warnings_refusals, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_text__does_not_follow_the_locale, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_calls__refuse_what_cannot_be, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
