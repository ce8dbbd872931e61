/*
 * Cancelling and retrying many jobs at once: each for itself, in few commits.
 */
#include "suite.h"

#define MANY 3000 /* more than a store takes in one go */

static uint64_t commits(suite *s)
{
    qk_counters counters;
    qk_counters_get(&counters, s->queue);
    return counters.commits;
}

static void expect_statuses(const qk_status *got, const qk_status *wanted, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (got[i] != wanted[i])
            fail_msg("job %zu: %s instead of %s", i, qk_status_json_code(got[i]),
                     qk_status_json_code(wanted[i]));
    }
}

static void expect_named(suite *s, qk_status code, qk_id id)
{
    char text[QK_ID_TEXT_SIZE];
    assert_int_equal(s->err.code, code);
    if (!strstr(s->err.message, qk_id_format(text, id)))
        fail_msg("%s is not named: %s", text, s->err.message);
}

/* Jobs in one batch; free() them. */
static qk_id *enqueue_many(suite *s, size_t count)
{
    qk_job_spec *specs = calloc(count, sizeof(*specs));
    qk_enqueued *out = calloc(count, sizeof(*out));
    qk_id *ids = calloc(count, sizeof(*ids));
    assert_true(specs && out && ids);
    for (size_t i = 0; i < count; i++) {
        specs[i].kind = "work";
        specs[i].payload = "{}";
    }
    good(s, qk_enqueue_batch(out, s->queue, specs, count, &s->err));
    for (size_t i = 0; i < count; i++)
        ids[i] = out[i].id;
    free(specs);
    free(out);
    return ids;
}

static void test_cancel_batch__each_for_itself(suite *s)
{
    qk_id ended = suite_enqueue(s, "work", NULL);
    suite_finish(s, ended);
    qk_id pending = suite_enqueue(s, "work", NULL);
    qk_id child = suite_child(s, QK_MODE_ALL, &pending, 1);
    qk_id other = suite_enqueue(s, "work", NULL);
    const qk_id ids[] = { pending, ended, qk_id_new(), other, pending };
    const qk_status wanted[] = { QK_OK, QK_ESTATE, QK_ENOTFOUND, QK_OK, QK_ESTATE };
    qk_status statuses[5];
    good(s, qk_cancel_batch(s->queue, statuses, ids, 5, &s->err));
    expect_statuses(statuses, wanted, 5);
    expect_named(s, QK_ESTATE, ended);
    expect_status(s, child, QK_JOB_SKIPPED);
    (void)suite_reopen(s);
    expect_status(s, pending, suite_status(s, other));
    good(s, qk_cancel_batch(s->queue, statuses, ids, 1, &s->err));
}

static void test_cancel_batch__of_none_and_of_one(suite *s)
{
    qk_id id = suite_enqueue(s, "work", NULL);
    const qk_id unknown = qk_id_new();
    qk_status status = QK_EIO;
    good(s, qk_cancel_batch(s->queue, NULL, NULL, 0, &s->err));
    good(s, qk_cancel_batch(s->queue, &status, &unknown, 1, &s->err));
    assert_int_equal(status, QK_ENOTFOUND);
    expect_named(s, QK_ENOTFOUND, unknown);
    const qk_id with_hole[] = { id, { { 0 } } };
    refused(s, QK_EINVAL, qk_cancel_batch(s->queue, NULL, with_hole, 2, &s->err));
    expect_status(s, id, QK_JOB_PENDING);
    good(s, qk_cancel_batch(s->queue, NULL, &id, 1, &s->err));
    expect_status(s, id, QK_JOB_CANCELLED);
}

static void test_retry_batch__each_for_itself_parents_first(suite *s)
{
    qk_id first = suite_enqueue(s, "work", NULL);
    qk_id second = suite_child(s, QK_MODE_ALL, &first, 1);
    qk_id done = suite_enqueue(s, "work", NULL);
    suite_fail(s, first);
    suite_finish(s, done);
    (void)suite_reopen(s);
    const qk_id ids[] = { second, first, second, done, qk_id_new(), first };
    const qk_status wanted[] = { QK_ESTATE, QK_OK, QK_OK, QK_ESTATE, QK_ENOTFOUND, QK_ESTATE };
    qk_status statuses[6];
    good(s, qk_retry_batch(s->queue, statuses, ids, 6, &s->err));
    expect_statuses(statuses, wanted, 6);
    expect_named(s, QK_ESTATE, first); /* what keeps the second from starting */
    (void)suite_reopen(s);
    expect_status(s, second, QK_JOB_PENDING);
    suite_finish(s, first);
    suite_finish(s, second);
}

static qk_id node_of(suite *s, qk_id run, const char *name)
{
    qk_job *job = NULL;
    good(s, qk_run_node(&job, s->queue, run, name, &s->err));
    qk_id id = job->id;
    qk_job_free(job);
    return id;
}

/* A node that is done is refused without keeping the others of its run from opening. */
static void test_retry_batch__nodes_of_a_run(suite *s)
{
    static const char *const names[] = { "first", "second", "third" };
    qk_dag *dag = NULL;
    qk_id run, ids[4];
    qk_status statuses[4];
    const qk_status wanted[] = { QK_OK, QK_ESTATE, QK_OK, QK_OK };
    good(s, qk_dag_new(&dag, "batch", NULL, &s->err));
    for (size_t i = 0; i < 3; i++)
        good(s, qk_dag_add(dag, names[i], "work", "{}", NULL, &s->err));
    good(s, qk_run_submit(&run, s->queue, dag, NULL, &s->err));
    qk_dag_free(dag);
    for (size_t i = 0; i < 3; i++)
        ids[i] = node_of(s, run, names[i]);
    ids[3] = suite_enqueue(s, "work", NULL);
    suite_fail(s, ids[0]);
    suite_finish(s, ids[1]);
    suite_fail(s, ids[2]);
    suite_fail(s, ids[3]);
    (void)suite_reopen(s);
    good(s, qk_retry_batch(s->queue, statuses, ids, 4, &s->err));
    expect_statuses(statuses, wanted, 4);
    assert_int_equal(s->err.code, QK_ESTATE);
    (void)suite_reopen(s);
    for (size_t i = 0; i < 4; i++)
        expect_status(s, ids[i], i == 1 ? QK_JOB_DONE : QK_JOB_PENDING);
}

static void test_batches__many_in_few_commits(suite *s)
{
    qk_id *ids = enqueue_many(s, MANY);
    qk_status *statuses = calloc(MANY, sizeof(*statuses));
    assert_non_null(statuses);
    uint64_t before = commits(s);
    good(s, qk_cancel_batch(s->queue, statuses, ids, MANY, &s->err));
    for (size_t i = 0; i < MANY; i++)
        assert_int_equal(statuses[i], QK_OK);
    assert_int_equal(suite_count(s, "default", QK_JOB_CANCELLED), MANY);
    assert_in_range(commits(s) - before, 1, 20);
    (void)suite_reopen(s);
    before = commits(s);
    good(s, qk_retry_batch(s->queue, statuses, ids, MANY, &s->err));
    for (size_t i = 0; i < MANY; i++)
        assert_int_equal(statuses[i], QK_OK);
    assert_in_range(commits(s) - before, 1, 20);
    assert_int_equal(suite_count(s, "default", QK_JOB_PENDING), MANY);
    assert_int_equal(suite_count(s, "default", QK_JOB_CANCELLED), 0);
    (void)suite_reopen(s);
    assert_int_equal(suite_count(s, "default", QK_JOB_PENDING), MANY);
    qk_claims_free(suite_claim_this(s, ids[0]));
    free(statuses);
    free(ids);
}

static const suite_test tests[] = {
    SUITE_TEST(test_cancel_batch__each_for_itself),
    SUITE_TEST(test_cancel_batch__of_none_and_of_one),
    SUITE_TEST(test_retry_batch__each_for_itself_parents_first),
    SUITE_TEST(test_retry_batch__nodes_of_a_run),
    SUITE_TEST(test_batches__many_in_few_commits),
};
SUITE_MAIN("conformance: batches of changes", tests)
