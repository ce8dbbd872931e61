/*
 * The lifecycle table, row by row: from, to, by; and that each outlives the handle.
 */
#include "suite.h"

static void test_enqueue__pending(suite *s)
{
    qk_job_options options = QK_JOB_OPTIONS_INIT;
    const char *tags[] = { "red", "blue" };
    options.name = "first";
    options.tags = tags;
    options.tag_count = 2;
    options.priority = 70;
    qk_id id = suite_enqueue(s, "work", &options);
    do {
        qk_job *job = suite_get(s, id);
        assert_int_equal(job->status, QK_JOB_PENDING);
        assert_string_equal(job->kind, "work");
        assert_string_equal(job->queue, "default");
        assert_string_equal(job->payload, "{\"n\":1}");
        assert_string_equal(job->name, "first");
        assert_string_equal(job->tags, "[\"red\",\"blue\"]");
        assert_int_equal(job->priority, 70);
        assert_int_equal(job->attempts, 0);
        assert_int_equal(job->max_attempts, 3);
        assert_int_equal(job->timeout.us, 300 * SECOND);
        assert_int_equal(job->created_at.us, SUITE_EPOCH);
        assert_int_equal(job->claimed_at.us, 0);
        assert_null(job->claimed_by);
        assert_null(job->result);
        assert_null(job->error);
        assert_true(job->progress < 0);
        assert_false(job->has_exit_code);
        qk_job_free(job);
    } while (s->opener->durable && suite_sql_number(s, "SELECT count(*) FROM jobs") == 1 &&
             atomic_load(&s->mono_us) < 2000 * SECOND &&
             (atomic_fetch_add(&s->mono_us, 1000 * SECOND), suite_reopen(s)));
}

static void test_enqueue__delayed_then_pending_by_the_clock(suite *s)
{
    qk_job_options options = QK_JOB_OPTIONS_INIT;
    options.delay = qk_seconds(60);
    qk_id by_delay = suite_enqueue(s, "work", &options);
    options.delay = qk_us(0);
    options.execute_after.us = SUITE_EPOCH + 120 * SECOND;
    qk_id by_time = suite_enqueue(s, "work", &options);
    expect_status(s, by_delay, QK_JOB_DELAYED);
    expect_status(s, by_time, QK_JOB_DELAYED);
    suite_advance(s, 59 * SECOND);
    suite_expect_empty(s);
    (void)suite_reopen(s);
    expect_status(s, by_delay, QK_JOB_DELAYED);
    suite_advance(s, SECOND);
    suite_finish(s, by_delay);
    suite_expect_empty(s);
    suite_advance(s, 60 * SECOND);
    suite_finish(s, by_time);
}

static void test_enqueue__execute_after_in_the_past_is_pending(suite *s)
{
    qk_job_options options = QK_JOB_OPTIONS_INIT;
    options.execute_after.us = SUITE_EPOCH - SECOND;
    expect_status(s, suite_enqueue(s, "work", &options), QK_JOB_PENDING);
}

static void test_claim__pending_becomes_claimed(suite *s)
{
    qk_id id = suite_enqueue(s, "work", NULL);
    suite_advance(s, SECOND);
    qk_claims *claims = suite_claim_this(s, id);
    const qk_claimed *claim = &claims->items[0];
    assert_int_equal(claim->lease.attempt, 1);
    assert_int_equal(claim->attempts, 1);
    assert_int_equal(claim->max_attempts, 3);
    assert_string_equal(claim->kind, "work");
    assert_string_equal(claim->queue, "default");
    assert_string_equal(claim->payload, "{\"n\":1}");
    assert_int_equal(claim->payload_length, strlen(claim->payload));
    assert_int_equal(claim->claimed_at.us, SUITE_EPOCH + SECOND);
    qk_job *job = suite_get(s, id);
    assert_int_equal(job->status, QK_JOB_CLAIMED);
    assert_int_equal(job->attempts, 1);
    assert_string_equal(job->claimed_by, claim->lease.worker_id);
    assert_int_equal(job->claimed_at.us, SUITE_EPOCH + SECOND);
    qk_job_free(job);
    suite_expect_empty(s);
    qk_claims_free(claims);
}

static void check_done(suite *s, qk_id id)
{
    qk_job *job = suite_get(s, id);
    assert_int_equal(job->status, QK_JOB_DONE);
    assert_string_equal(job->result, "{\"sum\":3}");
    assert_int_equal(job->completed_at.us, SUITE_EPOCH + 2 * SECOND);
    assert_int_equal(job->attempts, 1);
    assert_null(job->error);
    qk_job_free(job);
    char *result = NULL;
    good(s, qk_result(&result, s->queue, id, &s->err));
    assert_string_equal(result, "{\"sum\":3}");
    free(result);
}

static void test_ack__claimed_becomes_done_with_its_result(suite *s)
{
    qk_id id = suite_enqueue(s, "work", NULL);
    char *none = NULL;
    refused(s, QK_ESTATE, qk_result(&none, s->queue, id, &s->err));
    qk_claims *claims = suite_claim_this(s, id);
    suite_advance(s, 2 * SECOND);
    good(s, qk_ack(s->queue, &claims->items[0].lease, "{\"sum\":3}", &s->err));
    qk_claims_free(claims);
    check_done(s, id);
    if (suite_reopen(s))
        check_done(s, id);
    suite_expect_empty(s);
}

static void test_ack__without_a_result(suite *s)
{
    qk_id id = suite_enqueue(s, "work", NULL);
    suite_finish(s, id);
    char *result = (char *)"unset";
    good(s, qk_result(&result, s->queue, id, &s->err));
    assert_null(result);
}

static void test_ack__result_that_is_not_json_is_refused(suite *s)
{
    qk_id id = suite_enqueue(s, "work", NULL);
    qk_claims *claims = suite_claim_this(s, id);
    refused(s, QK_EINVAL, qk_ack(s->queue, &claims->items[0].lease, "{oops", &s->err));
    expect_status(s, id, QK_JOB_CLAIMED);
    good(s, qk_ack(s->queue, &claims->items[0].lease, "[]", &s->err));
    qk_claims_free(claims);
}

static void test_fail__attempts_left_without_backoff_is_pending(suite *s)
{
    qk_job_options options = suite_no_backoff();
    qk_id id = suite_enqueue(s, "work", &options);
    for (int attempt = 1; attempt <= 3; attempt++) {
        qk_claims *claims = suite_claim_this(s, id);
        assert_int_equal(claims->items[0].lease.attempt, attempt);
        assert_int_equal(claims->items[0].attempts, attempt);
        good(s, qk_fail(s->queue, &claims->items[0].lease, "no luck", false, &s->err));
        qk_claims_free(claims);
        expect_status(s, id, attempt < 3 ? QK_JOB_PENDING : QK_JOB_FAILED);
        (void)suite_reopen(s);
    }
    qk_job *job = suite_get(s, id);
    assert_int_equal(job->status, QK_JOB_FAILED);
    assert_string_equal(job->error, "no luck");
    assert_int_equal(job->attempts, 3);
    qk_job_free(job);
    suite_expect_empty(s);
}

static void test_fail__attempts_left_with_backoff_is_delayed(suite *s)
{
    qk_id id = suite_enqueue(s, "work", NULL);
    qk_claims *claims = suite_claim_this(s, id);
    good(s, qk_fail(s->queue, &claims->items[0].lease, "no luck", false, &s->err));
    qk_claims_free(claims);
    expect_status(s, id, QK_JOB_DELAYED);
    suite_expect_empty(s);
    (void)suite_reopen(s);
    suite_advance(s, 2 * SECOND);
    suite_finish(s, id);
}

static void test_fail__permanent_is_failed_at_once(suite *s)
{
    qk_id id = suite_enqueue(s, "work", NULL);
    suite_fail(s, id);
    qk_job *job = suite_get(s, id);
    assert_int_equal(job->status, QK_JOB_FAILED);
    assert_string_equal(job->error, "broken");
    assert_int_equal(job->attempts, 1);
    qk_job_free(job);
}

static void test_fail__commands_have_one_attempt(suite *s)
{
    qk_id id;
    good(s, qk_enqueue(&id, s->queue, "command", "{\"argv\":[\"true\"]}", NULL, &s->err));
    qk_claims *claims = suite_claim_this(s, id);
    assert_int_equal(claims->items[0].max_attempts, 1);
    assert_true(claims->items[0].timeout.us == QK_FOREVER_US);
    good(s, qk_fail(s->queue, &claims->items[0].lease, "exit 1", false, &s->err));
    qk_claims_free(claims);
    expect_status(s, id, QK_JOB_FAILED);
}

static void test_nack__gives_back_and_costs_no_attempt(suite *s)
{
    qk_id id = suite_enqueue(s, "work", NULL);
    for (int attempt = 1; attempt <= 5; attempt++) {
        qk_claims *claims = suite_claim_this(s, id);
        assert_int_equal(claims->items[0].lease.attempt, attempt);
        assert_int_equal(claims->items[0].attempts, 1);
        good(s, qk_nack(s->queue, &claims->items[0].lease, qk_us(0), true, &s->err));
        qk_claims_free(claims);
        expect_status(s, id, QK_JOB_PENDING);
        (void)suite_reopen(s);
    }
    suite_finish(s, id);
}

static void test_nack__with_a_delay(suite *s)
{
    qk_id id = suite_enqueue(s, "work", NULL);
    qk_claims *claims = suite_claim_this(s, id);
    good(s, qk_nack(s->queue, &claims->items[0].lease, qk_seconds(10), true, &s->err));
    qk_claims_free(claims);
    expect_status(s, id, QK_JOB_DELAYED);
    suite_advance(s, 9 * SECOND);
    suite_expect_empty(s);
    suite_advance(s, SECOND);
    suite_finish(s, id);
}

static void test_nack__without_requeue_fails(suite *s)
{
    qk_id id = suite_enqueue(s, "work", NULL);
    qk_claims *claims = suite_claim_this(s, id);
    good(s, qk_nack(s->queue, &claims->items[0].lease, qk_us(0), false, &s->err));
    qk_claims_free(claims);
    expect_status(s, id, QK_JOB_FAILED);
}

static void test_lease__lost_gives_back_then_fails_after_max_lost(suite *s)
{
    qk_id id = suite_enqueue(s, "work", NULL);
    for (int lost = 1; lost <= 3; lost++) {
        qk_claims *claims = suite_claim_this(s, id);
        assert_int_equal(claims->items[0].attempts, 1);
        assert_int_equal(claims->items[0].lease.attempt, lost);
        suite_advance(s, 300 * SECOND);
        qk_status rc = qk_ack(s->queue, &claims->items[0].lease, NULL, &s->err);
        if (rc != QK_ELEASE)
            fail_msg("ack after the lease ended: %s", qk_status_json_code(rc));
        qk_claims_free(claims);
        expect_status(s, id, lost < 3 ? QK_JOB_PENDING : QK_JOB_FAILED);
        if (lost < 3)
            (void)suite_reopen(s);
    }
    qk_job *job = suite_get(s, id);
    assert_string_equal(job->error, "worker lost 3 times");
    qk_job_free(job);
    suite_expect_empty(s);
}

static void test_lease__heartbeat_keeps_it(suite *s)
{
    qk_id id = suite_enqueue(s, "work", NULL);
    qk_claims *claims = suite_claim_this(s, id);
    for (int i = 0; i < 5; i++) {
        suite_advance(s, 200 * SECOND);
        good(s, qk_heartbeat(s->queue, &claims->items[0].lease, qk_us(0), &s->err));
    }
    good(s, qk_ack(s->queue, &claims->items[0].lease, NULL, &s->err));
    qk_claims_free(claims);
}

/* More kinds than anybody lists by hand, and the job is of the last. */
static void test_claim__of_any_number_of_kinds(suite *s)
{
    char names[300][16];
    const char *kinds[300];
    qk_claim_options options = QK_CLAIM_OPTIONS_INIT;
    qk_claims *claims = NULL;
    for (int i = 0; i < 300; i++) {
        snprintf(names[i], sizeof(names[i]), "kind%d", i);
        kinds[i] = names[i];
    }
    for (int i = 299; i >= 0; i--)
        (void)suite_enqueue(s, names[i], NULL);
    options.kinds = kinds;
    options.kind_count = 300;
    options.max = 300;
    good(s, qk_claim_batch(&claims, s->queue, &options, &s->err));
    assert_int_equal(claims->count, 300);
    assert_string_equal(claims->items[0].kind, "kind299");
    assert_string_equal(claims->items[299].kind, "kind0");
    qk_claims_free(claims);
}

static void test_cancel__every_live_status(suite *s)
{
    qk_id claimed = suite_enqueue(s, "work", NULL);
    qk_claims *claims = suite_claim_this(s, claimed);
    qk_id pending = suite_enqueue(s, "work", NULL);
    qk_id waiting = suite_child(s, QK_MODE_ALL, &claimed, 1);
    qk_job_options options = QK_JOB_OPTIONS_INIT;
    options.delay = qk_seconds(5);
    qk_id delayed = suite_enqueue(s, "work", &options);
    good(s, qk_cancel(s->queue, waiting, &s->err));
    good(s, qk_cancel(s->queue, pending, &s->err));
    good(s, qk_cancel(s->queue, delayed, &s->err));
    good(s, qk_cancel(s->queue, claimed, &s->err));
    refused(s, QK_ELEASE, qk_heartbeat(s->queue, &claims->items[0].lease, qk_us(0), &s->err));
    refused(s, QK_ELEASE, qk_ack(s->queue, &claims->items[0].lease, NULL, &s->err));
    qk_claims_free(claims);
    suite_advance(s, 10 * SECOND);
    suite_expect_empty(s);
    qk_id all[] = { claimed, pending, waiting, delayed };
    do {
        for (size_t i = 0; i < 4; i++) {
            expect_status(s, all[i], QK_JOB_CANCELLED);
            refused(s, QK_ESTATE, qk_cancel(s->queue, all[i], &s->err));
        }
    } while (suite_sql_number(s, "SELECT count(*) FROM jobs WHERE status='cancelled'") == 4 &&
             atomic_fetch_add(&s->warnings, 1) == 0 && suite_reopen(s));
}

static void test_cancel__terminal_and_unknown_are_refused(suite *s)
{
    qk_id id = suite_enqueue(s, "work", NULL);
    suite_finish(s, id);
    refused(s, QK_ESTATE, qk_cancel(s->queue, id, &s->err));
    refused(s, QK_ENOTFOUND, qk_cancel(s->queue, qk_id_new(), &s->err));
}

static void check_retry(suite *s, qk_id id, int attempt)
{
    good(s, qk_retry(s->queue, id, &s->err));
    qk_job *job = suite_get(s, id);
    assert_int_equal(job->status, QK_JOB_PENDING);
    assert_int_equal(job->attempts, 0);
    assert_int_equal(job->completed_at.us, 0);
    qk_job_free(job);
    (void)suite_reopen(s);
    expect_status(s, id, QK_JOB_PENDING);
    qk_claims *claims = suite_claim_this(s, id);
    assert_int_equal(claims->items[0].lease.attempt, attempt);
    assert_int_equal(claims->items[0].attempts, 1);
    good(s, qk_ack(s->queue, &claims->items[0].lease, NULL, &s->err));
    qk_claims_free(claims);
    expect_status(s, id, QK_JOB_DONE);
    refused(s, QK_ESTATE, qk_retry(s->queue, id, &s->err));
}

static void test_retry__failed_gets_a_new_budget_and_keeps_its_history(suite *s)
{
    qk_id id = suite_enqueue(s, "work", NULL);
    suite_fail(s, id);
    check_retry(s, id, 2);
    assert_int_equal(suite_sql_number(s, "SELECT count(*) FROM job_attempts"), 2);
    (void)suite_reopen(s);
    assert_int_equal(suite_sql_number(s, "SELECT count(*) FROM job_attempts"), 2);
}

static void test_retry__failed_after_reopening(suite *s)
{
    qk_id id = suite_enqueue(s, "work", NULL);
    suite_fail(s, id);
    (void)suite_reopen(s);
    check_retry(s, id, 2);
}

static void test_retry__cancelled(suite *s)
{
    qk_id id = suite_enqueue(s, "work", NULL);
    good(s, qk_cancel(s->queue, id, &s->err));
    check_retry(s, id, 1);
}

static void test_retry__live_and_unknown_are_refused(suite *s)
{
    qk_id id = suite_enqueue(s, "work", NULL);
    refused(s, QK_ESTATE, qk_retry(s->queue, id, &s->err));
    qk_claims *claims = suite_claim_this(s, id);
    refused(s, QK_ESTATE, qk_retry(s->queue, id, &s->err));
    qk_claims_free(claims);
    refused(s, QK_ENOTFOUND, qk_retry(s->queue, qk_id_new(), &s->err));
}

static void retry_tells(suite *s, qk_id id, qk_id parent)
{
    char text[QK_ID_TEXT_SIZE];
    refused(s, QK_ESTATE, qk_retry(s->queue, id, &s->err));
    qk_id_format(text, parent);
    if (!strstr(s->err.message, text))
        fail_msg("%s is not named: %s", text, s->err.message);
}

static void test_retry__refusal_names_the_parent_to_retry(suite *s)
{
    qk_id first = suite_enqueue(s, "work", NULL);
    qk_job_options options = QK_JOB_OPTIONS_INIT;
    options.needs = &first;
    options.needs_count = 1;
    qk_id second = suite_enqueue(s, "work", &options);
    options.needs = &second;
    qk_id third = suite_enqueue(s, "work", &options);
    suite_fail(s, first);
    expect_status(s, third, QK_JOB_SKIPPED);
    for (int reopened = 0; reopened < 2; reopened++) {
        retry_tells(s, second, first);
        retry_tells(s, third, first);
        retry_tells(s, third, second);
        (void)suite_reopen(s);
    }
    good(s, qk_retry(s->queue, first, &s->err));
    good(s, qk_retry(s->queue, second, &s->err));
    good(s, qk_retry(s->queue, third, &s->err));
    expect_status(s, third, QK_JOB_PENDING);
}

static void test_retry__refusal_names_who_has_the_unique_key(suite *s)
{
    qk_job_options options = QK_JOB_OPTIONS_INIT;
    options.unique_key = "only";
    qk_id first = suite_enqueue(s, "work", &options);
    suite_fail(s, first);
    retry_tells(s, first, suite_enqueue(s, "work", &options));
}

static void test_close__claims_go_back_without_a_loss(suite *s)
{
    if (!s->opener->durable)
        return;
    qk_id id = suite_enqueue(s, "work", NULL);
    for (int i = 1; i <= 5; i++) {
        qk_claims *claims = suite_claim_this(s, id);
        assert_int_equal(claims->items[0].attempts, 1);
        qk_claims_free(claims);
        (void)suite_reopen(s);
        expect_status(s, id, QK_JOB_PENDING);
    }
    suite_finish(s, id);
}

static const suite_test tests[] = {
    SUITE_TEST(test_enqueue__pending),
    SUITE_TEST(test_enqueue__delayed_then_pending_by_the_clock),
    SUITE_TEST(test_enqueue__execute_after_in_the_past_is_pending),
    SUITE_TEST(test_claim__pending_becomes_claimed),
    SUITE_TEST(test_ack__claimed_becomes_done_with_its_result),
    SUITE_TEST(test_ack__without_a_result),
    SUITE_TEST(test_ack__result_that_is_not_json_is_refused),
    SUITE_TEST(test_fail__attempts_left_without_backoff_is_pending),
    SUITE_TEST(test_fail__attempts_left_with_backoff_is_delayed),
    SUITE_TEST(test_fail__permanent_is_failed_at_once),
    SUITE_TEST(test_fail__commands_have_one_attempt),
    SUITE_TEST(test_nack__gives_back_and_costs_no_attempt),
    SUITE_TEST(test_nack__with_a_delay),
    SUITE_TEST(test_nack__without_requeue_fails),
    SUITE_TEST(test_lease__lost_gives_back_then_fails_after_max_lost),
    SUITE_TEST(test_lease__heartbeat_keeps_it),
    SUITE_TEST(test_claim__of_any_number_of_kinds),
    SUITE_TEST(test_cancel__every_live_status),
    SUITE_TEST(test_cancel__terminal_and_unknown_are_refused),
    SUITE_TEST(test_retry__failed_gets_a_new_budget_and_keeps_its_history),
    SUITE_TEST(test_retry__failed_after_reopening),
    SUITE_TEST(test_retry__cancelled),
    SUITE_TEST(test_retry__live_and_unknown_are_refused),
    SUITE_TEST(test_retry__refusal_names_the_parent_to_retry),
    SUITE_TEST(test_retry__refusal_names_who_has_the_unique_key),
    SUITE_TEST(test_close__claims_go_back_without_a_loss),
};
SUITE_MAIN("conformance: lifecycle", tests)
