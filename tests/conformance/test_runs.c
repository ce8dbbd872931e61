/*
 * Runs and sub-DAGs, at the store's own interface: each operation by what it promises in store.h.
 * Covers store/store.h: submit_run, expand and what follows from them.
 */
#include "conformance/run_fixture.h"

static void test_submit__whole_run_with_its_nodes(void **state)
{
    struct runs *f = *state;
    struct node nodes[] = { { .name = "a" }, { .name = "b", .after = { "a" } } };
    qk_id run = submit(f, "etl", nodes, 2);
    assert_text(f, run, "etl|pending|2|0|2|0");
    work(f, "a", QK_VERDICT_ACK, "{\"n\":1}");
    assert_text(f, run, "etl|running|2|1|1|0");
    work(f, "b", QK_VERDICT_ACK, NULL);
    assert_text(f, run, "etl|done|2|2|0|0");
}

static void test_submit__empty_run_is_done(void **state)
{
    struct runs *f = *state;
    qk_id run = submit(f, "nothing", NULL, 0);
    assert_text(f, run, "nothing|done|0|0|0|0");
}

static void test_submit__repeated_id_is_recognised(void **state)
{
    struct runs *f = *state;
    struct node nodes[] = { { .name = "a" } };
    qk_id run = submit(f, "once", nodes, 1);
    f->reuse = run;
    assert_true(qk_id_compare(submit(f, "once", nodes, 1), run) == 0);
    assert_true(f->duplicate);
    assert_answer(f, "SELECT count(*) FROM dag_runs", "1\n");
    assert_answer(f, "SELECT count(*) FROM jobs", "1\n");
}

static void test_submit__is_there_after_reopening(void **state)
{
    struct runs *f = *state;
    struct node nodes[] = { { .name = "a" }, { .name = "b", .after = { "a" } } };
    qk_id run = submit(f, "kept", nodes, 2);
    work(f, "a", QK_VERDICT_ACK, NULL);
    reopen(f);
    assert_text(f, run, "kept|running|2|1|1|0");
    work(f, "b", QK_VERDICT_FAIL, NULL);
    assert_text(f, run, "kept|failed|2|1|0|1");
    reopen(f);
    assert_text(f, run, "kept|failed|2|1|0|1");
}

static void test_failure__skips_with_its_root_cause(void **state)
{
    struct runs *f = *state;
    struct node nodes[] = { { .name = "a" },
                            { .name = "b", .after = { "a" } },
                            { .name = "c", .after = { "b" } },
                            { .name = "clean", .after = { "c" }, .mode = QK_MODE_ALL_DONE } };
    (void)submit(f, "skips", nodes, 4);
    work(f, "a", QK_VERDICT_FAIL, NULL);
    work(f, "clean", QK_VERDICT_ACK, NULL);
    assert_answer(f,
                  "SELECT node_name, status, skip_reason = 'parent_failed:' || "
                  "(SELECT id FROM jobs WHERE node_name = 'a') FROM jobs ORDER BY node_name",
                  "a|failed|NULL\nb|skipped|true\nc|skipped|true\nclean|done|NULL\n");
}

static void test_expand__child_ends_its_node(void **state)
{
    struct runs *f = *state;
    struct node outer[] = { { .name = "sub", .dag = true },
                            { .name = "after", .after = { "sub" } } };
    struct node inner[] = { { .name = "x" } };
    qk_id run = submit(f, "outer", outer, 2);
    qk_id child = expand(f, "sub", "inner", inner, 1);
    assert_text(f, run, "outer|running|2|0|1|0");
    assert_text(f, child, "inner|pending|1|0|1|0");
    assert_answer(f, "SELECT status FROM jobs WHERE node_name = 'sub'", "claimed\n");
    reopen(f);
    work(f, "x", QK_VERDICT_ACK, "7");
    assert_text(f, child, "inner|done|1|1|0|0");
    work(f, "after", QK_VERDICT_ACK, NULL);
    assert_text(f, run, "outer|done|2|2|0|0");
}

static void test_expand__failed_child_fails_its_node(void **state)
{
    struct runs *f = *state;
    struct node outer[] = { { .name = "sub", .dag = true } };
    struct node inner[] = { { .name = "x" }, { .name = "y" } };
    qk_id run = submit(f, "outer", outer, 1);
    (void)expand(f, "sub", "inner", inner, 2);
    work(f, "x", QK_VERDICT_ACK, NULL);
    work(f, "y", QK_VERDICT_FAIL, NULL);
    assert_answer(f, "SELECT error FROM jobs WHERE node_name = 'sub'",
                  "sub-DAG 'sub' failed: 1/2 done, 1 failed\n");
    assert_text(f, run, "outer|failed|1|0|0|1");
}

/* A process that leaves gives back what it has claimed, not what it has expanded. */
static void test_expand__outlives_who_did_it(void **state)
{
    struct runs *f = *state;
    struct node outer[] = { { .name = "sub", .dag = true, .timeout_us = 3600000000 },
                            { .name = "free" } };
    struct node inner[] = { { .name = "x" } };
    qk_id run = submit(f, "outer", outer, 2);
    (void)expand(f, "sub", "inner", inner, 1);
    qk_claims *held = take(f, "free");
    qk_claims_free(held);
    qk_queue_close(f->queue);
    runs_open(f);
    assert_answer(f, "SELECT node_name, status FROM jobs ORDER BY node_name",
                  "free|pending\nsub|claimed\nx|pending\n");
    work(f, "x", QK_VERDICT_ACK, NULL);
    work(f, "free", QK_VERDICT_ACK, NULL);
    assert_text(f, run, "outer|done|2|2|0|0");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        RUNS_TEST(test_submit__whole_run_with_its_nodes),
        RUNS_TEST(test_submit__empty_run_is_done),
        RUNS_TEST(test_submit__repeated_id_is_recognised),
        RUNS_TEST(test_submit__is_there_after_reopening),
        RUNS_TEST(test_failure__skips_with_its_root_cause),
        RUNS_TEST(test_expand__child_ends_its_node),
        RUNS_TEST(test_expand__failed_child_fails_its_node),
        RUNS_TEST(test_expand__outlives_who_did_it),
    };
    return RUNS_MAIN(tests);
}
