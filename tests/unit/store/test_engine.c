/*
 * Shows what the simulation found at high seeds, each by itself. Why a job is skipped does not hang
 * on the order in which the engine looks at jobs that one event ends: not on that of children, nor on
 * that of leases which a late tick finds expired. A job that comes back before its end is durable is
 * never out of sight. A claim that a failed commit overtook stays in the history.
 * Covers: src/store/embedded/engine*.c.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "store/embedded/engine.h"

#define SECOND 1000000LL

static qk__engine *engine;
static qk__now now;

static qk_id make_id(uint8_t number)
{
    return (qk_id){ { 0x01, 0x9a, [15] = number } };
}

static int setup(void **state)
{
    (void)state;
    qk__engine_config config = { .backpressure_warn = 1000, .backpressure_limit = 1000 };
    now = (qk__now){ 1700000000 * SECOND, SECOND };
    engine = qk__engine_new(&config);
    return engine == NULL;
}

static int teardown(void **state)
{
    (void)state;
    const char *broken = qk__engine_check(engine);
    if (broken != NULL) {
        print_error("%s\n", broken);
    }
    qk__engine_free(engine);
    return broken == NULL ? 0 : -1;
}

/* `needs`: numbers up to a zero. */
static qk_id add(uint8_t number, qk_dependency_mode mode, const uint8_t *needs)
{
    qk_id parents[8];
    size_t count = 0;
    qk_enqueued out;
    for (; needs[count] != 0; count++) {
        parents[count] = make_id(needs[count]);
    }
    qk__new_job job = { .id = make_id(number),
                        .id_given = true,
                        .priority = QK_PRIORITY_DEFAULT,
                        .mode = (uint8_t)mode,
                        .max_attempts = 1,
                        .max_lost = 1,
                        .timeout_us = 300 * SECOND,
                        .backoff_factor = 2.0,
                        .kind = "work",
                        .queue = "default",
                        .payload = "{}",
                        .payload_length = 2,
                        .needs = count > 0 ? parents : NULL,
                        .needs_count = count };
    qk__cold_job unknown = { .id = job.id };
    qk__cold_set cold = { &unknown, 1 };
    assert_int_equal(qk__engine_enqueue(engine, now, &out, &job, 1, &cold, NULL), QK_OK);
    return job.id;
}

static const uint8_t *needs(int a, int b)
{
    static uint8_t list[3];
    list[0] = (uint8_t)a;
    list[1] = (uint8_t)b;
    return list;
}

static void claim(qk_id id, int64_t lease_us)
{
    const char *queue = "default";
    qk__claim_request request = {
        .queues = &queue, .queue_count = 1, .worker_id = "w", .max = 1, .lease_us = lease_us
    };
    qk__grant grant;
    assert_int_equal(qk__engine_claim(engine, now, &request, &grant), 1);
    assert_memory_equal(grant.id.bytes, id.bytes, 16);
}

static void ack(qk_id id)
{
    uint64_t gate;
    qk_outcome outcome = { .lease = { id, 1, "w" }, .verdict = QK_VERDICT_ACK };
    assert_int_equal(qk__engine_complete(engine, now, &outcome, &gate), QK_OK);
}

static void retry(qk_id id)
{
    qk__cold_set cold = { NULL, 0 };
    assert_int_equal(qk__engine_retry(engine, now, id, NULL, NULL, 0, &cold), QK_OK);
}

/* `cause` NULL: a condition. */
static void assert_skipped(qk_id id, const qk_id *cause)
{
    qk__row row;
    qk__buffer ext;
    char wanted[80] = "\"sr\":\"condition\"";
    char text[QK_ID_TEXT_SIZE];
    if (cause != NULL) {
        snprintf(wanted, sizeof wanted, "\"sr\":\"parent_failed:%s\"", qk_id_format(text, *cause));
    }
    qk__buffer_init(&ext, 1u << 16);
    assert_true(qk__engine_get(engine, id, &row, &ext));
    assert_int_equal(row.status, QK_JOB_SKIPPED);
    assert_non_null(memmem(row.ext.data, row.ext.length, wanted, strlen(wanted)));
    qk__buffer_dispose(&ext);
}

/*
 * When 1 is done, 2 is skipped by a condition, and with it 10, 11, … for the failure of 9. Job 30
 * hangs on 2 and on the last of these: it was skipped for a failure, however far that had to come,
 * and a none_failed job after it must not run.
 */
static void check_mixed_causes(uint8_t length)
{
    qk_id failed = add(9, QK_MODE_ALL, needs(0, 0));
    assert_int_equal(qk__engine_cancel(engine, now, failed), QK_OK);
    qk_id first = add(1, QK_MODE_ALL, needs(0, 0));
    qk_id condition = add(2, QK_MODE_ONE_FAILED, needs(1, 0));
    add(10, QK_MODE_ANY, needs(2, 9));
    for (uint8_t i = 1; i < length; i++) {
        add((uint8_t)(10 + i), QK_MODE_ALL, needs(9 + i, 0));
    }
    qk_id both = add(30, QK_MODE_ALL, needs(2, 9 + length));
    qk_id after = add(31, QK_MODE_NONE_FAILED, needs(30, 0));
    claim(first, 0);
    ack(first);
    assert_skipped(condition, NULL);
    assert_skipped(make_id((uint8_t)(9 + length)), &failed);
    assert_skipped(both, &failed);
    assert_skipped(after, &failed);
}

static void test_skip__a_failure_outweighs_a_condition_of_the_same_event(void **state)
{
    (void)state;
    check_mixed_causes(1);
}

static void test_skip__a_failure_outweighs_a_condition_over_a_long_way(void **state)
{
    (void)state;
    check_mixed_causes(12);
}

/* The lease that ran out first lost its worker first, though the tick comes late and the other
 * length of lease was used before. */
static void test_tick__leases_expire_in_the_order_of_their_deadlines(void **state)
{
    (void)state;
    qk_id late = add(1, QK_MODE_ALL, needs(0, 0));
    qk_id early = add(2, QK_MODE_ALL, needs(0, 0));
    qk_id condition = add(3, QK_MODE_ONE_FAILED, needs(2, 0));
    qk_id child = add(4, QK_MODE_NONE_FAILED, needs(1, 2));
    claim(late, 20 * SECOND);
    claim(early, 10 * SECOND);
    now.mono_us += 60 * SECOND;
    now.wall_us += 60 * SECOND;
    assert_int_equal(qk__engine_next_tick(engine, now), 0);
    qk__engine_tick(engine, now);
    assert_skipped(child, &early);
    qk__row row;
    assert_true(qk__engine_get(engine, condition, &row, NULL));
    assert_int_equal(row.status, QK_JOB_PENDING);
    assert_int_equal(qk__engine_next_tick(engine, now), INT64_MAX);
}

/* A parent that is retried may come to lie deeper than its waiting children were put. */
static void test_retry__children_lie_below_a_parent_that_came_back(void **state)
{
    (void)state;
    qk_id top = add(1, QK_MODE_ALL, needs(0, 0));
    qk_id middle = add(2, QK_MODE_ALL, needs(1, 0));
    assert_int_equal(qk__engine_cancel(engine, now, middle), QK_OK);
    qk_id spare = add(3, QK_MODE_ALL, needs(0, 0));
    add(4, QK_MODE_ALL_DONE, needs(2, 3));
    add(5, QK_MODE_ALL, needs(4, 0));
    retry(middle);
    assert_null(qk__engine_check(engine));
    claim(top, 0);
    claim(spare, 0);
    ack(top);
    ack(spare);
    claim(middle, 0);
}

static void count_row(void *user, const qk__row *row)
{
    *(size_t *)user += row->op <= QK__OP_REOPEN;
}

static size_t visited(void)
{
    size_t count = 0;
    assert_int_equal(qk__engine_visit(engine, count_row, &count), QK_OK);
    return count;
}

/* Views show what the disk has and what a visit adds: a job must be in one of the two. */
static void test_visit__a_job_retried_before_its_end_is_durable_is_shown(void **state)
{
    (void)state;
    qk_id id = add(1, QK_MODE_ALL, needs(0, 0));
    assert_int_equal(qk__engine_cancel(engine, now, id), QK_OK);
    retry(id);
    assert_int_equal(visited(), 1);
    qk__engine_finish(engine, qk__engine_cut(engine));
    assert_int_equal(visited(), 1);
}

static void test_visit__a_job_retried_while_its_end_is_written_is_shown_once(void **state)
{
    (void)state;
    qk_id id = add(1, QK_MODE_ALL, needs(0, 0));
    assert_int_equal(qk__engine_cancel(engine, now, id), QK_OK);
    qk__cut *cut = qk__engine_cut(engine);
    retry(id);
    assert_int_equal(visited(), 1);
    qk__engine_finish(engine, cut);
    assert_int_equal(visited(), 0); /* the disk shows its end */
    qk__engine_finish(engine, qk__engine_cut(engine));
    assert_int_equal(visited(), 1);
}

/* The disk knows the first claim; the second, which a worker holds, was in the commit that failed. */
static void test_hold__the_claim_that_the_disk_knows_stays_in_the_history(void **state)
{
    (void)state;
    qk_id id = add(1, QK_MODE_ALL, needs(0, 0));
    qk__engine_config config = { .backpressure_warn = 1000, .backpressure_limit = 1000 };
    qk__engine *fresh = qk__engine_new(&config);
    qk__held_claim held = { .id = id, .attempt = 2, .attempts = 1, .worker = "other" };
    qk__cold_set cold = { NULL, 0 };
    held.lease_us = held.deadline_us = 600 * SECOND;
    held.claimed_us = now.wall_us + 1;
    claim(id, 0);
    qk__cut *cut = qk__engine_cut(engine);
    for (size_t i = 0; i < cut->count; i++) {
        assert_int_equal(qk__engine_load(fresh, &cut->rows[i], cut->batch), QK_OK);
    }
    qk__engine_finish(engine, cut);
    qk__engine_free(engine);
    engine = fresh;
    qk__engine_hold(engine, &held);
    assert_int_equal(qk__engine_recover(engine, now, false, &cold), QK_OK);
    size_t lost = 0;
    cut = qk__engine_cut(engine);
    for (size_t i = 0; i < cut->count; i++) {
        lost += cut->rows[i].op == QK__OP_ATTEMPT && cut->rows[i].attempt == 1 &&
                cut->rows[i].status == QK__ATTEMPT_LOST && cut->rows[i].claimed_by.length == 1;
    }
    qk__engine_finish(engine, cut);
    assert_int_equal(lost, 1);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(test_##name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(skip__a_failure_outweighs_a_condition_of_the_same_event),
        TEST(skip__a_failure_outweighs_a_condition_over_a_long_way),
        TEST(tick__leases_expire_in_the_order_of_their_deadlines),
        TEST(visit__a_job_retried_before_its_end_is_durable_is_shown),
        TEST(visit__a_job_retried_while_its_end_is_written_is_shown_once),
        TEST(hold__the_claim_that_the_disk_knows_stays_in_the_history),
        TEST(retry__children_lie_below_a_parent_that_came_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
